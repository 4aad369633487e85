/** What is acknowledged stays: over reloads, without the server, with a second tab. */
import { assert, startServer } from "../harness.mjs";
import {
  acknowledged,
  click,
  expectNoComplaints,
  reading,
  textOf,
  until,
  untilAcknowledged,
  untilOffline,
} from "../live-page.mjs";

const verdict = (page) => textOf(page, "mill-disk-panel >>> .verdict");

const foundAtOpening = (page) => reading(page, "mill-disk-panel", "Found at opening");

async function reloadKeepsEverything(browser) {
  const server = await startServer();
  try {
    const { page, complaints } = await browser.open(`${server.address}?rate=1000`);
    await untilAcknowledged(page, 1500);
    // Read while records still flow: the reload cuts in wherever the engine happens to be.
    const before = await acknowledged(page);
    await page.reload();
    await until("earlier records are counted", async () =>
      (await textOf(page, "mill-disk-panel >>> mill-panel")).includes("none is missing"),
    );
    const found = await foundAtOpening(page);
    assert(found >= before, `${before} were acknowledged, ${found} are found after the reload`);
    await untilAcknowledged(page, 100);
    assert((await verdict(page)).includes("is on disk"), `the verdict is ${await verdict(page)}`);
    await expectNoComplaints(page, complaints);
  } finally {
    await server.stop();
  }
}

async function fullReadFindsEverything(browser) {
  const server = await startServer();
  try {
    const { page } = await browser.open(`${server.address}?rate=500`);
    await untilAcknowledged(page, 500);
    const before = await acknowledged(page);
    await click(page, "mill-disk-panel >>> button");
    const text = await until("everything has been read again", async () => {
      const panel = await textOf(page, "mill-disk-panel >>> mill-panel");
      return /([\d,]+) records read, ([\d,]+) had been acknowledged/.exec(panel);
    });
    const [read, expected] = text.slice(1).map((part) => Number(part.replaceAll(",", "")));
    assert(expected >= before, `the read expected ${expected}, ${before} were acknowledged`);
    assert(read >= expected, `${read} records were read, ${expected} were expected`);
  } finally {
    await server.stop();
  }
}

async function worksWithoutServer(browser) {
  const server = await startServer();
  const { page, complaints } = await browser.open(server.address);
  try {
    await untilAcknowledged(page, 100);
    await untilOffline(page);
  } finally {
    await server.stop();
  }
  const gone = await fetch(server.address).then(
    () => false,
    () => true,
  );
  assert(gone, "the server still answers");
  await page.reload();
  await until("earlier records are counted", async () => (await foundAtOpening(page)) >= 100);
  await untilAcknowledged(page, 100);
  await expectNoComplaints(page, complaints);
}

async function secondTabShares(browser) {
  const server = await startServer();
  try {
    const { page: first, complaints } = await browser.open(`${server.address}?rate=200`);
    await untilAcknowledged(first, 100);
    const { page: second, complaints: more } = await browser.open(`${server.address}?rate=200`);
    await untilAcknowledged(second, 100);
    assert((await foundAtOpening(second)) >= 100, "the second tab does not see the first one's");
    await first.bringToFront();
    const before = await acknowledged(first);
    await untilAcknowledged(first, before + 100);
    for (const page of [first, second]) {
      assert((await verdict(page)).includes("is on disk"), `the verdict is ${await verdict(page)}`);
    }
    await expectNoComplaints(first, complaints);
    await first.close();
    await second.bringToFront();
    const earlier = await acknowledged(second);
    await untilAcknowledged(second, earlier + 500);
    assert((await verdict(second)).includes("is on disk"), `it is ${await verdict(second)}`);
    await expectNoComplaints(second, more);
  } finally {
    await server.stop();
  }
}

async function startingOverEmptiesTheLog(browser) {
  const server = await startServer();
  try {
    const { page, complaints } = await browser.open(server.address);
    await untilAcknowledged(page, 50);
    await page.reload();
    await until("earlier records are found", async () => (await foundAtOpening(page)) >= 50);
    await click(page, "mill-disk-panel >>> .line:last-of-type button");
    const dialog = "millrace-app >>> mill-live >>> mill-start-over >>>";
    const submit = await until("the question is asked", () =>
      page.$(`${dialog} button[type=submit]`),
    );
    const disabled = () => submit.evaluate((button) => button.disabled);
    assert(await disabled(), "the stream can be deleted without its name being typed");
    const input = await page.$(`${dialog} input`);
    await input.type("access-log");
    await until("the button can be pressed", async () => !(await disabled()));
    await submit.click();
    await until("the log was empty at opening", async () =>
      (await textOf(page, "mill-disk-panel >>> mill-panel")).includes(
        "The log was empty at opening",
      ),
    );
    await untilAcknowledged(page, 50);
    await expectNoComplaints(page, complaints);
  } finally {
    await server.stop();
  }
}

async function vanishedLogIsNoticed(browser) {
  const server = await startServer();
  try {
    const { page } = await browser.open(server.address);
    await untilAcknowledged(page, 100);
    // A page of the same origin without the engine, so that nothing holds the database.
    await page.goto(`${server.address}access-log/LICENSE.txt`);
    await page.evaluate(async () => {
      for (const { name } of await indexedDB.databases()) {
        await new Promise((resolve, reject) => {
          const request = indexedDB.deleteDatabase(name);
          request.onsuccess = resolve;
          request.onerror = () => reject(request.error);
        });
      }
    });
    await page.goto(server.address);
    await until("the page says that the log is gone", async () =>
      (await textOf(page, "mill-disk-panel >>> mill-panel")).includes("the log is gone"),
    );
    assert((await verdict(page)).includes("damaged"), `the verdict is ${await verdict(page)}`);
  } finally {
    await server.stop();
  }
}

/** Scenarios of durability. */
export const durabilityScenarios = [
  { name: "a reload finds every acknowledged record", run: reloadKeepsEverything },
  { name: "a full read finds every acknowledged record", run: fullReadFindsEverything },
  { name: "the page works after its server is gone", run: worksWithoutServer },
  {
    name: "a second tab shares the log, and goes on when the first is closed",
    run: secondTabShares,
  },
  { name: "a log that vanished is noticed", run: vanishedLogIsNoticed },
  { name: "starting over asks for the name, then empties the log", run: startingOverEmptiesTheLog },
];
