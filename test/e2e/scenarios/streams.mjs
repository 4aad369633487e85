/** Streams are made, resharded by keyboard and pointer, scaled, kept longer and deleted. */
import { assert } from "../harness.mjs";
import { served, until, untilAcknowledged } from "../live-page.mjs";
import {
  createStream,
  find,
  inPlace,
  inShards,
  inStream,
  press,
  query,
  textAt,
  type,
} from "../streams-page.mjs";

const answer = (page) => textAt(page, inShards(".answer"));

const lineage = (page) =>
  page.$$eval(inShards("mill-lineage >>> tr[data-shard]"), (rows) =>
    rows.map((row) => [...row.cells].map((cell) => cell.textContent.trim())),
  );

const arcs = (page) =>
  page.$$eval(inShards("mill-reshard-ring >>> .arc"), (found) =>
    found.map((arc) => Number(arc.dataset.shard)),
  );

async function untilArcs(page, expected) {
  await until(`the ring has the shards ${expected}`, async () => {
    return (await arcs(page)).join() === expected.join();
  });
}

async function reshardByKeyboard(browser) {
  await served(browser, "?place=streams", async (page) => {
    await createStream(page, "clicks");
    const ring = await find(page, inShards("mill-reshard-ring >>> svg"));
    await ring.evaluate((svg) => svg.focus());
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("s");
    await find(page, inShards("mill-split-form >>> mill-slider >>> input"));
    await until("the slider has the keyboard", () =>
      page.$(inShards("mill-split-form >>> mill-slider >>> input:focus")),
    );
    await page.keyboard.press("ArrowLeft");
    const place = await textAt(page, inShards("mill-split-form >>> mill-slider >>> output"));
    assert(place === "49.9% | 50.1%", `the place is ${place}`);
    await page.keyboard.press("Enter");
    await until("the split is told", async () => (await answer(page)).includes("into 2 and 3"));
    await untilArcs(page, [2, 3, 1]);
    await until("the keyboard is on the ring again", () =>
      page.$(inShards("mill-reshard-ring >>> svg:focus")),
    );
    assert((await query(page, "shard")) === "2", "the lower child is not looked at");
    await page.keyboard.press("m");
    await until("the border has the keyboard", () =>
      page.$(inShards("mill-merge-form >>> input:focus")),
    );
    await page.keyboard.press("Enter");
    await until("the merge is told", async () => (await answer(page)).includes("merged into 4"));
    await untilArcs(page, [4, 1]);
    const rows = await lineage(page);
    const told = rows.map(([shard, state, origin]) => `${shard}: ${state}, ${origin}`);
    assert(
      told.join("; ") ===
        "Shard 0: closed, created with the stream; Shard 1: open, created with the stream; " +
          "Shard 2: closed, split from 0; Shard 3: closed, split from 0; " +
          "Shard 4: open, merged from 2 and 3",
      `the lineage is ${told.join("; ")}`,
    );
    const edges = await page.$$(inShards("mill-lineage >>> .edge"));
    assert(edges.length === 4, `the lineage draws ${edges.length} edges`);
  });
}

async function splitByPointer(browser) {
  await served(browser, "?place=streams", async (page) => {
    await createStream(page, "clicks", { shards: "1" });
    await press(page, inShards("mill-reshard-ring >>> #arc-0 text"));
    await press(page, inShards("#split"));
    const grip = await find(page, inShards("mill-reshard-ring >>> .cut .grip"));
    const from = await grip.boundingBox();
    const ring = await (await find(page, inShards("mill-reshard-ring >>> svg"))).boundingBox();
    await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
    await page.mouse.down();
    // A quarter of the turn: to the right of the centre.
    await page.mouse.move(ring.x + ring.width * 0.9, ring.y + ring.height / 2, { steps: 8 });
    await page.mouse.up();
    const place = await textAt(page, inShards("mill-split-form >>> mill-slider >>> output"));
    assert(place === "25% | 75%", `the place is ${place}`);
    await press(page, inShards("mill-split-form >>> button[type=submit]"));
    await untilArcs(page, [1, 2]);
    await press(page, inShards("mill-reshard-ring >>> [data-border='1-2'] .target"));
    await press(page, inShards("mill-merge-form >>> button[type=submit]"));
    await untilArcs(page, [3]);
  });
}

async function settingsChange(browser) {
  await served(browser, "?place=streams", async (page) => {
    await createStream(page, "clicks");
    const settings = (part) => inShards(`mill-stream-settings >>> ${part}`);
    await type(page, settings("input[name=shards]"), "4");
    await press(page, settings("form:first-of-type button[type=submit]"));
    await until("there are four shards", async () => (await arcs(page)).length === 4);
    await type(page, settings("input[name=hours]"), "168");
    await press(page, settings("form:nth-of-type(2) button[type=submit]"));
    await until("the strip says so", async () =>
      (await textAt(page, inStream(".facts"))).includes("7 days"),
    );
    await type(page, settings("input[name=shards]"), "9");
    await press(page, settings("form:first-of-type button[type=submit]"));
    const notice = await until("the engine's refusal is shown", () =>
      textAt(page, settings("mill-notice >>> section")),
    );
    assert(/Exception/.test(notice) && notice.includes("9"), `the notice says ${notice}`);
    await press(page, settings("form:first-of-type button[aria-label]"));
    const code = await until("the code is shown", () =>
      textAt(page, inPlace("mill-act-code >>> mill-code-block >>> code")),
    );
    assert(code === "await stream.scale(9);", `the code is ${code}`);
  });
}

async function refusedNamesAreExplained(browser) {
  await served(browser, "?place=streams", async (page) => {
    const dialog = (part) => inPlace(`mill-stream-list >>> mill-create-stream >>> ${part}`);
    await press(page, inPlace("mill-stream-list >>> #create"));
    await type(page, dialog("input[name=stream]"), "access-log");
    await press(page, dialog("button[type=submit]"));
    const notice = await until("the engine's refusal is shown", () =>
      textAt(page, dialog("mill-notice >>> section")),
    );
    assert(notice.includes("ResourceInUseException"), `the notice says ${notice}`);
  });
}

async function unknownStreamIsExplained(browser) {
  await served(browser, "?place=streams&stream=nowhere&tab=records", async (page) => {
    const notice = await until("the engine says that there is none", () =>
      textAt(page, inStream("mill-notice >>> section")),
    );
    assert(notice.includes("ResourceNotFoundException"), `the notice says ${notice}`);
    await press(page, inStream("header a"));
    await find(page, inPlace("mill-stream-list >>> mill-stream-table"));
  });
}

async function deletedByTyping(browser) {
  await served(browser, "?place=streams", async (page) => {
    await createStream(page, "clicks");
    await press(page, inStream("header button.danger"));
    const dialog = (part) => inPlace(`mill-start-over >>> ${part}`);
    const confirm = await find(page, dialog("button.danger"));
    assert(await confirm.evaluate((button) => button.disabled), "it can be deleted untyped");
    await type(page, dialog("input"), "clicks");
    await confirm.click();
    await until("the list is shown without it", async () => {
      const names = await page.$$eval(
        inPlace("mill-stream-list >>> mill-stream-table >>> [data-stream]"),
        (rows) => rows.map((row) => row.dataset.stream),
      );
      return names.join() === "access-log";
    });
  });
}

async function historyGoesThroughPlaces(browser) {
  await served(browser, "?rate=50", async (page) => {
    await untilAcknowledged(page, 1);
    await press(page, "millrace-app >>> nav a:nth-of-type(3)");
    await press(page, inPlace("mill-stream-list >>> mill-stream-table >>> a.name"));
    await press(page, inStream(".tabs a:nth-of-type(2)"));
    await until("records are shown", async () => (await query(page, "tab")) === "records");
    assert((await page.title()) === "Records of access-log · Millrace", await page.title());
    await page.goBack();
    await find(page, inShards("mill-reshard-ring >>> svg"));
    await page.goBack();
    await find(page, inPlace("mill-stream-list >>> mill-stream-table"));
    await page.goBack();
    await until("Live is back as it was", async () => (await query(page, "rate")) === "50");
    assert((await page.title()) === "Live · Millrace", await page.title());
    await page.goForward();
    await find(page, inPlace("mill-stream-list >>> mill-stream-table"));
    await press(page, "millrace-app >>> nav a:nth-of-type(2)");
    await until("Live has its settings", async () => (await query(page, "rate")) === "50");
  });
}

async function liveFollowsItsReshard(browser) {
  await served(browser, "?place=streams&stream=access-log&tab=shards&shard=1", async (page) => {
    await find(page, inShards("mill-reshard-ring >>> .arc.selected"));
    await press(page, inShards("#split"));
    await press(page, inShards("mill-split-form >>> button[type=submit]"));
    await untilArcs(page, [0, 4, 5, 2, 3]);
    await press(page, "millrace-app >>> nav a:nth-of-type(2)");
    const read = () =>
      page.$$eval("millrace-app >>> mill-live >>> mill-shard-table >>> tbody tr", (rows) =>
        rows.map((row) => [
          row.cells[0].textContent.trim(),
          Number(row.cells[4].textContent.replaceAll(",", "")),
        ]),
      );
    await until("records flow out of the children", async () => {
      const out = Object.fromEntries(await read());
      return out["Shard 4"] + out["Shard 5"] > 0 && out["Shard 1"] === undefined;
    });
    await page.reload();
    await until("the resharded stream opens again", async () => (await read()).length === 5);
  });
}

/** Scenarios of the Streams place. */
export const streamsScenarios = [
  { name: "a stream is created, split and merged by keyboard", run: reshardByKeyboard },
  { name: "a shard is split by dragging, and merged at a border", run: splitByPointer },
  { name: "shards are scaled and retention is changed, or why not", run: settingsChange },
  { name: "a stream that cannot be created says why", run: refusedNamesAreExplained },
  { name: "a link to a stream that there is not says so", run: unknownStreamIsExplained },
  { name: "a stream is deleted by typing its name", run: deletedByTyping },
  { name: "back and forward go through the places", run: historyGoesThroughPlaces },
  { name: "the Live stream is resharded, and its consumer follows", run: liveFollowsItsReshard },
];
