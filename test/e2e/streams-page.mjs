/** The Streams place as a person has it before them: what it shows, and what can be done there. */
import { until } from "./live-page.mjs";

const APP = "millrace-app";

/** Selector of a part of the place, through all shadow roots. */
export const inPlace = (part) => `${APP} >>> mill-streams >>> ${part}`;

/** Selector of a part of the view of one stream. */
export const inStream = (part) => inPlace(`mill-stream >>> ${part}`);

/** Selector of a part of the shards view. */
export const inShards = (part) => inStream(`mill-shards >>> ${part}`);

/** Selector of a part of the records view. */
export const inRecords = (part) => inStream(`mill-records >>> ${part}`);

/** An element that is there, or will be soon. */
export async function find(page, selector) {
  let found = null;
  await until(`there is ${selector}`, async () => {
    found = await page.$(selector);
    return found !== null;
  });
  return found;
}

/** Clicks an element as soon as it is there. */
export async function press(page, selector) {
  const element = await find(page, selector);
  await element.click();
}

/** Text of an element, trimmed; throws where there is none. */
export async function textAt(page, selector) {
  return page.$eval(selector, (element) => element.textContent.replace(/\s+/g, " ").trim());
}

/** Replaces what stands in a text field. */
export async function type(page, selector, text) {
  const field = await find(page, selector);
  await field.evaluate((input) => {
    input.value = "";
  });
  await field.type(text);
}

/** Chooses an option of a select by its value. */
export async function choose(page, selector, value) {
  const field = await find(page, selector);
  await field.evaluate((select, wanted) => {
    select.value = wanted;
    select.dispatchEvent(new Event("change", { bubbles: true }));
  }, value);
}

/** Member of the query of the page's address. */
export const query = (page, name) =>
  page.evaluate((member) => new URL(location.href).searchParams.get(member), name);

/** Creates a stream through the dialog and waits for its page. */
export async function createStream(page, name, { shards = "2" } = {}) {
  const dialog = (part) => inPlace(`mill-stream-list >>> mill-create-stream >>> ${part}`);
  await press(page, inPlace("mill-stream-list >>> #create"));
  await type(page, dialog("input[name=stream]"), name);
  await type(page, dialog("input[name=shards]"), shards);
  await press(page, dialog("button[type=submit]"));
  await until(`${name} is shown`, async () => (await query(page, "stream")) === name);
  await find(page, inShards("mill-reshard-ring >>> svg"));
}

/** Puts records through the form of the records view, one per key. */
export async function putRecords(page, records) {
  const form = (part) => inRecords(`mill-put-form >>> ${part}`);
  await press(page, form("summary"));
  for (const { key, data } of records) {
    await type(page, form("input[name=key]"), key);
    await type(page, form("textarea"), data);
    await press(page, form("button[type=submit]"));
    await until(`${key} is stored`, async () => {
      const answer = await textAt(page, form("[role=status]"));
      const field = await page.$eval(form("button[type=submit]"), (button) => !button.disabled);
      return field && answer.startsWith("Stored in shardId-");
    });
  }
}

/** Rows of the list that are drawn: keys by sequence number, in order. */
export async function rowsShown(page) {
  return page.$$eval(inRecords("mill-record-list >>> [data-record]"), (rows) =>
    rows.map((row) => ({
      record: row.dataset.record.split(":")[1],
      shard: Number(row.dataset.record.split(":")[0]),
      key: row.querySelector(".key").textContent.trim(),
    })),
  );
}

/** Number of records that the records view says it has fetched. */
export async function fetched(page) {
  const text = await textAt(page, inRecords("#status"));
  return Number(/^([\d,]+) records? fetched/.exec(text)?.[1].replaceAll(",", ""));
}
