/** Records are read from every position, followed live, filtered, looked at and linked. */
import { assert } from "../harness.mjs";
import { served, until, untilAcknowledged } from "../live-page.mjs";
import {
  choose,
  createStream,
  fetched,
  find,
  inRecords,
  inStream,
  press,
  putRecords,
  query,
  rowsShown,
  textAt,
  type,
} from "../streams-page.mjs";

const position = (part) => inRecords(`mill-position-form >>> ${part}`);
const inspector = (part) => inRecords(`mill-record-inspector >>> ${part}`);
const list = (part) => inRecords(`mill-record-list >>> ${part}`);

const PUT = [
  { key: "a", data: '{"n": 1}' },
  { key: "b", data: '{"n": 2}' },
  { key: "a", data: '{"n": 3}' },
];

async function openWithRecords(page) {
  await createStream(page, "clicks");
  await press(page, inStream(".tabs a:nth-of-type(2)"));
  await putRecords(page, PUT);
}

async function untilKeys(page, expected, description) {
  await until(`${description}: ${expected || "nothing"}`, async () => {
    const busy = await page.$eval(inRecords("#read"), (button) => button.disabled);
    const keys = (await rowsShown(page)).map(({ key }) => key);
    return !busy && keys.join() === expected;
  });
}

async function read(page) {
  await until("the view is ready to read", async () =>
    page.$eval(inRecords("#read"), (button) => !button.disabled),
  );
  await press(page, inRecords("#read"));
}

async function everyStartingPosition(browser) {
  await served(browser, "?place=streams", async (page) => {
    await openWithRecords(page);
    await read(page);
    await untilKeys(page, "a,b,a", "the oldest first, all shards merged");
    const rows = await rowsShown(page);
    await choose(page, position("select[name=from]"), "LATEST");
    await read(page);
    await untilKeys(page, "", "after the newest there is nothing");
    await choose(page, position("select[name=from]"), "AT_TIMESTAMP");
    const step = await page.$eval(position("input[name=at]"), (input) => input.step);
    assert(step === "1", `the time has a step of ${step}`);
    await read(page);
    await untilKeys(page, "a,b,a", "five minutes ago");
    assert(Date.parse(await query(page, "at")) < Date.now(), "the time is not in the address");
    await choose(page, position("select[name=from]"), "AT_SEQUENCE_NUMBER");
    await type(page, position("input[name=sequence]"), rows[0].record);
    await read(page);
    await untilKeys(page, "a,a", "at the first record of its shard");
    await choose(page, position("select[name=from]"), "AFTER_SEQUENCE_NUMBER");
    await read(page);
    await untilKeys(page, "a", "after it");
    await choose(page, position("select[name=from]"), "TRIM_HORIZON");
    await choose(page, position("select[name=shard]"), String(rows[1].shard));
    await read(page);
    await untilKeys(page, "b", "one shard alone");
  });
}

async function refusalsAreExplained(browser) {
  const wrong = "?place=streams&stream=access-log&tab=records&from=AT_SEQUENCE_NUMBER&sequence=12";
  await served(browser, wrong, async (page) => {
    const notice = await until("the engine's refusal is shown", () =>
      textAt(page, inRecords("mill-notice >>> section")),
    );
    assert(notice.includes("InvalidArgumentException"), `the notice says ${notice}`);
    await choose(page, position("select[name=from]"), "TRIM_HORIZON");
    await read(page);
    await until("records are shown", async () => (await rowsShown(page)).length > 0);
  });
}

async function tailFollows(browser) {
  await served(
    browser,
    "?place=streams&stream=access-log&tab=records&from=LATEST",
    async (page) => {
      await press(page, inRecords("#tail"));
      await until("records come", async () => (await fetched(page)) > 100);
      const box = await find(page, list(".box"));
      await box.evaluate((element) => {
        element.scrollTop = 0;
      });
      await until("new ones are counted, not jumped to", async () =>
        /^[\d,]+ new$/.test(await textAt(page, list(".pill"))),
      );
      const top = await box.evaluate((element) => element.scrollTop);
      assert(top === 0, `the list jumped to ${top}`);
      await press(page, list(".pill"));
      await until("the list is at its end", () =>
        box.evaluate(
          (element) => element.scrollHeight - element.scrollTop - element.clientHeight < 60,
        ),
      );
      await press(page, inRecords("#hold"));
      const held = await fetched(page);
      await until("records wait", async () => /new$/.test(await textAt(page, list(".pill"))));
      assert((await fetched(page)) === held, "the list grew while paused");
      await press(page, inRecords("#tail"));
      await until("it has stopped", async () =>
        (await textAt(page, inRecords("#tail"))).includes("Live tail"),
      );
      const kept = await fetched(page);
      assert(kept >= held, `${held} records became ${kept} by stopping`);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      assert((await fetched(page)) === kept, "records still came after the stop");
      const drawn = (await rowsShown(page)).length;
      assert(drawn < 60 && drawn > 5, `${drawn} rows are drawn of ${kept}`);
    },
  );
}

async function pagesGoOn(browser) {
  await served(browser, "?rate=2000", async (page) => {
    await untilAcknowledged(page, 2500);
    await press(page, "millrace-app >>> mill-live >>> #pause");
    await page.evaluate(() => {
      const link = document.createElement("a");
      link.href = "./?place=streams&stream=access-log&tab=records";
      document.querySelector("millrace-app").append(link);
      link.click();
    });
    await until("a page is there", async () => (await fetched(page)) === 500);
    await read(page);
    await until("the next page follows", async () => (await fetched(page)) === 1000);
    const box = await find(page, list(".box"));
    await box.focus();
    await page.keyboard.press("End");
    await until("the last row is drawn", () => page.$(list('[aria-rowindex="1001"]')));
    await page.keyboard.press("Enter");
    await until("it is looked at", () =>
      page.$(list('[aria-rowindex="1001"][aria-selected=true]')),
    );
    const numbers = await rowsShown(page);
    assert(new Set(numbers.map(({ record }) => record)).size === numbers.length, "rows repeat");
    await type(page, inRecords(".filter input"), "no such text anywhere");
    await until("the filter leaves none", async () => (await rowsShown(page)).length === 0);
    assert((await query(page, "filter")) !== null, "the filter is not in the address");
  });
}

async function linkOpensTheSameRecord(browser) {
  await served(browser, "?place=streams", async (page, server) => {
    await openWithRecords(page);
    await read(page);
    await untilKeys(page, "a,b,a", "all records");
    const [, second] = await rowsShown(page);
    await press(page, list(`[data-record="${second.shard}:${second.record}"]`));
    await until(
      "it is shown",
      async () => (await textAt(page, inspector(".sequence"))) === second.record,
    );
    const json = await page.$eval(inspector("pre.json"), (pre) => pre.textContent);
    assert(json === '{\n  "n": 2\n}', `the JSON is ${json}`);
    await press(page, inspector("[role=group] button:nth-of-type(3)"));
    const hex = await until("bytes are shown", () =>
      page.$eval(inspector("pre.hex"), (pre) => pre.textContent),
    );
    assert(hex.startsWith("00000000  7b 22 6e 22"), `the bytes are ${hex}`);
    const link = await page.$eval(inspector(".bar a"), (anchor) => anchor.search);
    await page.goto(`${server.address}${link}`);
    await until("the same record is shown", async () => {
      return (await textAt(page, inspector(".sequence"))) === second.record;
    });
    assert((await query(page, "from")) === "AT_SEQUENCE_NUMBER", "the link begins elsewhere");
    assert((await query(page, "form")) === "hex", "the form is not linked");
  });
}

/** Scenarios of the records view. */
export const recordsScenarios = [
  { name: "records are read from each starting position", run: everyStartingPosition },
  { name: "a position that cannot be read says why", run: refusalsAreExplained },
  { name: "the live tail counts what is new, holds it, and keeps it", run: tailFollows },
  { name: "pages go on, rows are virtual, and can be filtered", run: pagesGoOn },
  { name: "a link opens the same record", run: linkOpensTheSameRecord },
];
