/** The Sync place: records that are put while the network is away arrive when it is back, each once. */
import { assert } from "../harness.mjs";
import { served, until } from "../live-page.mjs";
import { find, press, textAt } from "../streams-page.mjs";

/** Whoever counts what arrives looks again within this time, in ms. */
const COUNTED_MS = 1500;

/** Selector of a part of the place. */
export const inSync = (part) => `millrace-app >>> mill-sync >>> ${part}`;

/** A number of the place, by its label. */
async function count(page, label) {
  const text = await textAt(page, inSync(`mill-reading[label="${label}"] >>> .value`));
  return Number(text.replaceAll(",", ""));
}

const stateOf = (page) => page.$eval(inSync("p[data-state]"), (element) => element.dataset.state);

const untilState = (page, state) =>
  until(`the replication is ${state}`, async () => (await stateOf(page)) === state);

/** Starts the sync and waits until so many records have arrived. */
export async function untilArrived(page, records) {
  await press(page, inSync("#start:not(:disabled)"));
  await until(`${records} records have arrived`, async () => {
    return (await count(page, "Arrived")) >= records;
  });
}

/** Waits until nothing more arrives; resolves with how many records have. */
async function untilStill(page) {
  let arrived;
  await until("nothing arrives any more", async () => {
    arrived = await count(page, "Arrived");
    await new Promise((resolve) => setTimeout(resolve, COUNTED_MS));
    return arrived === (await count(page, "Arrived"));
  });
  return arrived;
}

async function untilEqual(page) {
  await until("both sides are equal", async () => {
    const [made, arrived] = [await count(page, "Put here"), await count(page, "Arrived")];
    return made > 0 && made === arrived && (await count(page, "Unsent")) === 0;
  });
  for (const label of ["Seen twice", "Out of order"]) {
    assert((await count(page, label)) === 0, `${label}: ${await count(page, label)}`);
  }
}

async function keptAndForwarded(browser) {
  await served(browser, "?place=sync", async (page) => {
    await untilArrived(page, 20);
    await untilState(page, "running");
    await press(page, inSync("input[value=gone]"));
    await untilState(page, "waiting-offline");
    const arrived = await untilStill(page);
    await until("records wait", async () => (await count(page, "Unsent")) > 50);
    assert((await count(page, "Arrived")) === arrived, "records arrived without a network");
    // Other places may be looked at meanwhile.
    await press(page, "millrace-app >>> nav a[href*='place=storage']");
    await find(page, "millrace-app >>> mill-storage >>> mill-log-panel");
    await press(page, "millrace-app >>> nav a[href*='place=sync']");
    await press(page, inSync("input[value=faulty]"));
    await until("calls are made again", async () => (await count(page, "Retries")) > 1);
    await until("records are sent twice", async () => (await count(page, "Sent twice")) > 0);
    const error = await textAt(page, inSync("#last-error"));
    assert(error.includes("cannot be reached for PutRecords"), error);
    await press(page, inSync("input[value=there]"));
    await press(page, inSync("#put"));
    await untilEqual(page);
    const text = await textAt(page, inSync("#far mill-lamp"));
    assert(/^All \d+ records are there: in order, none twice$/.test(text), text);
  });
}

async function offlineAndPaused(browser) {
  await served(browser, "?place=sync", async (page) => {
    await untilArrived(page, 10);
    await page.setOfflineMode(true);
    await untilState(page, "waiting-offline");
    await until("records wait", async () => (await count(page, "Unsent")) > 30);
    await page.setOfflineMode(false);
    await untilState(page, "running");
    await press(page, inSync("#hold"));
    await untilState(page, "paused");
    await until("records wait", async () => (await count(page, "Unsent")) > 30);
    await press(page, inSync("#hold:not(:disabled)"));
    await press(page, inSync("#put"));
    await untilEqual(page);
    await press(page, inSync("#stop:not(:disabled)"));
    await untilState(page, "none");
    await press(page, inSync("#show-code"));
    await find(page, inSync("mill-drawer >>> dialog[open]"));
    const code = await page.$$eval(inSync("mill-code-block >>> code"), (blocks) =>
      blocks.map((block) => block.textContent),
    );
    assert(code[0].includes("near.replicateTo("), code[0]);
  });
}

/** Scenarios of the Sync place. */
export const syncScenarios = [
  {
    name: "sync: what is put without a network arrives when it is back, each record once",
    run: keptAndForwarded,
  },
  {
    name: "sync: the browser's own word and a pause hold it up, and nothing is lost",
    run: offlineAndPaused,
  },
];
