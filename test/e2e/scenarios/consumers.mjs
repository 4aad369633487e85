/** The Consumers place: leases and workers of one tab and of two, and what a closed tab leaves behind. */
import { assert, startServer } from "../harness.mjs";
import { expectNoComplaints, served, until } from "../live-page.mjs";
import { choose, find, press, textAt, type } from "../streams-page.mjs";
import { inProducer, putCount, untilPut } from "./producer.mjs";

/**
 * How soon another tab must go on with what a closed one left, in ms. On a machine that does nothing else it takes
 * less than 2 s, which the long runs of tabs show.
 */
const TAKE_OVER_MS = 6000;

/** What is counted too often would be shown by then. */
const SETTLED_MS = 2000;

/** Of the slider: 5 ms per record, so that a batch of 1,000 takes 5 s. */
const WORK_STEP = 3;

/** Selector of a part of the place. */
export const inConsumers = (part) => `millrace-app >>> mill-consumers >>> ${part}`;

const inWorkers = (part) => inConsumers(`mill-workers-panel >>> ${part}`);

const numberIn = (text) => Number(text.replaceAll(",", ""));

/** The leases as the table shows them. */
export async function leasesShown(page) {
  return await page.$$eval(inConsumers("mill-lease-table >>> tbody tr"), (rows) =>
    rows.map((row) => {
      const number = (label) =>
        Number(row.querySelector(`[data-label="${label}"]`).textContent.replaceAll(",", "").trim());
      return {
        shard: Number(row.dataset.shard),
        status: row.dataset.status,
        here: row.dataset.here === "yes",
        owner: row.querySelector(".owner")?.textContent.trim() ?? "",
        counter: number("Counter"),
        lag: number("Lag in records"),
        inHand: number("In hand"),
        counted: Number(row.querySelector("[data-records]").dataset.records),
      };
    }),
  );
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

const counted = (leases) => sum(leases.map((lease) => lease.counted));

/** Waits until all leases are owned in this tab. */
export async function untilAllHere(page) {
  return await until("all leases are owned here", async () => {
    const leases = await leasesShown(page);
    return leases.length > 0 && leases.every(({ here }) => here) && leases;
  });
}

async function untilCounted(page, count) {
  await until(
    `${count} records are counted`,
    async () => counted(await leasesShown(page)) >= count,
  );
}

/** Moves the slider of the work per record to its step. */
async function setWork(page, step) {
  await page.$eval(
    inWorkers("mill-slider >>> input"),
    (input, value) => {
      input.value = value;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    },
    String(step),
  );
}

async function createGroup(page, name, stream) {
  const inDialog = (part) => inConsumers(`mill-create-group >>> ${part}`);
  await press(page, inConsumers("#create"));
  await type(page, inDialog("input[name=group]"), name);
  await find(page, inDialog(`option[value=${stream}]`));
  await choose(page, inDialog("select[name=stream]"), stream);
  await press(page, inDialog("button[type=submit]"));
  await until(
    `${name} is shown`,
    async () =>
      (await textAt(page, inConsumers("mill-panel:nth-of-type(2)"))).length >= 0 &&
      (await page.$eval(inConsumers("mill-group-table >>> [aria-current=true]"), (link) =>
        link.textContent.trim(),
      )) === name,
  );
}

async function demoIsAtWork(browser) {
  await served(browser, "?place=consumers", async (page) => {
    await untilAllHere(page);
    await untilCounted(page, 200);
    const owners = new Set((await leasesShown(page)).map(({ owner }) => owner));
    assert(owners.size === 2, `the leases are owned by ${[...owners]}`);
    const [killed] = owners;
    await press(page, inWorkers(`li[data-worker="${killed}"] [data-act=kill]`));
    const after = await until("the other worker has all leases", async () => {
      const leases = await leasesShown(page);
      return leases.every(({ here, owner }) => here && owner !== killed) && leases;
    });
    await untilCounted(page, counted(after) + 200);
    const [left] = owners.size === 2 ? [...owners].filter((owner) => owner !== killed) : [];
    await press(page, inWorkers(`li[data-worker="${left}"] [data-act=stop]`));
    await until("nobody works", async () =>
      (await leasesShown(page)).every(({ status }) => status === "available"),
    );
  });
}

async function groupsAreIndependent(browser) {
  await served(browser, "?place=consumers&group=demo", async (page) => {
    await untilAllHere(page);
    await createGroup(page, "failing", "access-log");
    await press(page, inWorkers("input[name=throwing]"));
    await press(page, inWorkers("#start"));
    await until("deliveries fail", async () =>
      (await textAt(page, inConsumers("mill-crew-events >>> ol"))).includes("set to throw"),
    );
    assert(counted(await leasesShown(page)) === 0, "a delivery that threw was counted");
    await press(page, inConsumers("mill-group-table >>> [data-group=demo] a"));
    const [before] = [counted(await untilAllHere(page))];
    await untilCounted(page, before + 300);
    await press(page, inConsumers("mill-group-table >>> [data-group=failing] a"));
    await press(page, inWorkers("input[name=throwing]"));
    await untilCounted(page, 300);
    await press(page, inConsumers("mill-replay-panel >>> #replay"));
    await until("records come again", async () => {
      const again = inConsumers('mill-reading[label="Delivered again"] >>> .value');
      return numberIn(await textAt(page, again)) >= 300;
    });
    await press(page, inConsumers("mill-replay-panel >>> #delete"));
    const inQuestion = (part) => inConsumers(`mill-start-over >>> ${part}`);
    await type(page, inQuestion("input"), "failing");
    await press(page, inQuestion("button[type=submit]:not(:disabled)"));
    await until(
      "the group is gone",
      async () => (await page.$$(inConsumers("mill-group-table >>> tbody tr"))).length === 1,
    );
  });
}

/** Puts records through the Producer place; resolves with how many. */
async function produce(page, count) {
  await press(page, inProducer("#start"));
  await untilPut(page, "aggregated", count);
  await press(page, inProducer("#stop"));
  await find(page, inProducer("#start"));
  return await putCount(page, "aggregated", "user");
}

async function closedTab(browser, leaves) {
  const server = await startServer();
  try {
    const search = "?place=producer&persecond=5000&data={{counter}}-{{uuid}}";
    const { page: first, complaints } = await browser.open(`${server.address}${search}`);
    const put = await produce(first, 10_000);
    await press(first, "millrace-app >>> nav a[href*='place=consumers']");
    await createGroup(first, "pair", "playground");
    await setWork(first, WORK_STEP);
    await press(first, inWorkers("#start"));
    await untilAllHere(first);
    const { page: second, complaints: more } = await browser.open(
      `${server.address}?place=consumers&group=pair`,
    );
    await setWorkWhenThere(second, WORK_STEP);
    await press(second, inWorkers("#start"));
    await until(
      "each tab has a lease",
      async () => (await leasesShown(second)).filter(({ here }) => here).length === 1,
    );
    const [closed, kept] = leaves === "first" ? [first, second] : [second, first];
    // A tab out of sight draws nothing.
    await closed.bringToFront();
    const lost = await until("the tab is in mid-batch", async () =>
      (await leasesShown(closed)).find(({ here, inHand }) => here && inHand > 0),
    );
    await expectNoComplaints(closed, leaves === "first" ? complaints : more);
    const closedMs = Date.now();
    await closed.close();
    await kept.bringToFront();
    const began = await until("the other tab goes on", () =>
      beganAfter(kept, lost.shard, closedMs),
    );
    const tookMs = began.atMs - closedMs;
    assert(tookMs <= TAKE_OVER_MS, `it went on after ${tookMs} ms`);
    await setWork(kept, 0);
    await until("everything is read", async () =>
      (await leasesShown(kept)).every(({ here, lag }) => here && lag === 0),
    );
    // The leader may tell of a checkpoint before its worker has heard of it.
    await until(`${put} records are counted`, async () => counted(await leasesShown(kept)) >= put);
    await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
    const done = counted(await leasesShown(kept));
    assert(done === put, `${done} of ${put} records were counted`);
    await expectNoComplaints(kept, leaves === "first" ? more : complaints);
    process.stdout.write(`        went on after ${tookMs} ms; ${began.text}; ${put} counted\n`);
  } finally {
    await server.stop();
  }
}

async function setWorkWhenThere(page, step) {
  await find(page, inWorkers("mill-slider >>> input"));
  await setWork(page, step);
}

/** The moment at which a tab went on with a shard after another one. */
async function beganAfter(page, shard, afterMs) {
  const events = await page.$$eval(
    inConsumers("mill-crew-events >>> li[data-kind=began]"),
    (items) =>
      items.map((item) => ({
        atMs: Number(item.dataset.at),
        shard: Number(item.dataset.shard.split("-")[1]),
        text: item.lastElementChild.textContent,
      })),
  );
  return events.find((event) => event.shard === shard && event.atMs >= afterMs);
}

/** Scenarios of the Consumers place. */
export const consumersScenarios = [
  { name: "consumers: a newcomer finds a group at work, and kills a worker", run: demoIsAtWork },
  { name: "consumers: a group that fails leaves another alone", run: groupsAreIndependent },
  {
    name: "consumers: a tab that leads is closed in mid-batch, the other goes on and nothing is lost",
    run: (browser) => closedTab(browser, "first"),
  },
  {
    name: "consumers: a tab that follows is closed in mid-batch, the other goes on and nothing is lost",
    run: (browser) => closedTab(browser, "second"),
  },
];
