/** Records flow, can be stopped, steered and looked at. */
import { assert, startServer } from "../harness.mjs";
import {
  acknowledged,
  click,
  expectNoComplaints,
  reading,
  ring,
  textOf,
  until,
  untilAcknowledged,
} from "../live-page.mjs";

/** Runs a body over a served site; the server ends with it. */
async function served(body) {
  const server = await startServer();
  try {
    await body(server);
  } finally {
    await server.stop();
  }
}

const shownShard = (page) =>
  page.evaluate(() => new URL(location.href).searchParams.get("shard") ?? "none");

async function recordsFlow(browser) {
  await served(async ({ address }) => {
    const { page, complaints } = await browser.open(address);
    await untilAcknowledged(page, 300);
    await until("the consumer has counted responses", async () => {
      const table = await textOf(page, "mill-status-panel >>> table");
      return /200\s+OK/.test(table) && table.includes("304");
    });
    await until("the plot is drawn", () =>
      page.$("millrace-app >>> mill-status-plot >>> .uplot canvas"),
    );
    await until("every shard has taken records", async () => {
      const counts = await page.$$eval(
        "millrace-app >>> mill-live >>> mill-shard-table >>> tbody tr td:nth-child(6)",
        (cells) => cells.map((cell) => Number(cell.textContent.replaceAll(",", ""))),
      );
      return counts.length === 4 && counts.every((count) => count > 0);
    });
    await until("the disk panel says so", async () =>
      (await textOf(page, "mill-disk-panel >>> .verdict")).includes("is on disk"),
    );
    await expectNoComplaints(page, complaints);
  });
}

async function pauseStopsTheFlow(browser) {
  await served(async ({ address }) => {
    const { page } = await browser.open(address);
    await untilAcknowledged(page, 100);
    await click(page, "#pause");
    await until("nothing is on its way", async () => {
      return (await reading(page, "mill-producer-panel", "On their way")) === 0;
    });
    const before = await acknowledged(page);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const after = await acknowledged(page);
    assert(before === after, `${after - before} records were acknowledged while paused`);
    await click(page, "#pause");
    await untilAcknowledged(page, after + 50);
  });
}

async function quotaIsVisible(browser) {
  await served(async ({ address }) => {
    const { page, complaints } = await browser.open(`${address}?rate=4000&hot=100`);
    await until("a shard has refused records", async () => {
      return (await reading(page, "mill-producer-panel", "Refused")) > 500;
    });
    await until("the ring says so", async () => {
      const dial = await textOf(page, "mill-ring >>> .refused.hot");
      return /^[\d,]+ refused\/s$/.test(dial);
    });
    await expectNoComplaints(page, complaints);
  });
}

async function keyboardWalksTheRing(browser) {
  await served(async ({ address }) => {
    const { page } = await browser.open(address);
    await untilAcknowledged(page, 1);
    const listbox = await page.$(ring("svg"));
    await listbox.evaluate((svg) => svg.focus());
    const walk = [];
    for (const key of ["ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft", "Home", "End"]) {
      await page.keyboard.press(key);
      walk.push(await shownShard(page));
    }
    assert(walk.join() === "0,1,0,3,0,3", `the ring was walked as ${walk.join()}`);
    await until("the selected arc is announced", async () => {
      const active = await page.$eval(ring("svg"), (svg) =>
        svg.getAttribute("aria-activedescendant"),
      );
      const chosen = await page.$eval(ring(`#${active}`), (arc) =>
        arc.getAttribute("aria-selected"),
      );
      return active === "arc-3" && chosen === "true";
    });
    const details = await textOf(page, "mill-shard-inspector >>> h3");
    assert(details.includes("shardId-000000000003"), `the inspector shows ${details}`);
    await page.keyboard.press("Escape");
    assert((await shownShard(page)) === "none", "Escape keeps the selection");
  });
}

async function linkRestoresSettings(browser) {
  await served(async ({ address }) => {
    const { page } = await browser.open(`${address}?rate=50&hot=20&shard=2`);
    await untilAcknowledged(page, 1);
    const sliders = await page.$$eval(
      "millrace-app >>> mill-live >>> mill-producer-panel >>> mill-slider >>> output",
      (outputs) => outputs.map((output) => output.textContent.trim()),
    );
    assert(sliders.join() === "50 records/s,20% of records", `the sliders show ${sliders.join()}`);
    const details = await textOf(page, "mill-shard-inspector >>> h3");
    assert(details.includes("shardId-000000000002"), `the inspector shows ${details}`);
  });
}

async function codeCanBeShown(browser) {
  await served(async ({ address }) => {
    const { page, complaints } = await browser.open(`${address}?hot=20`);
    await untilAcknowledged(page, 1);
    await click(page, "#show-code");
    const code = await until("the drawer is open", () =>
      page.$eval("millrace-app >>> mill-live >>> mill-code-drawer >>> dialog[open]", () => "open"),
    );
    assert(code === "open", "the drawer is closed");
    const samples = await page.$$eval(
      "millrace-app >>> mill-live >>> mill-code-drawer >>> mill-code-block >>> code",
      (blocks) => blocks.map((block) => block.textContent),
    );
    for (const call of ["open({ name:", "putRecords", "readBatches", "storage()"]) {
      assert(
        samples.some((sample) => sample.includes(call)),
        `no sample shows ${call}`,
      );
    }
    const copy = await page.$("millrace-app >>> mill-code-drawer >>> mill-code-block >>> button");
    assert(await copy.isIntersectingViewport({ threshold: 1 }), "the copy button is out of sight");
    await copy.click();
    await until("copying is answered", async () => {
      const status = "millrace-app >>> mill-code-drawer >>> mill-code-block >>> [role=status]";
      return (await page.$eval(status, (element) => element.textContent)) === "Copied";
    });
    assert(samples.join("").includes("< 20"), "the samples do not follow the hot-key setting");
    await page.keyboard.press("Escape");
    await expectNoComplaints(page, complaints);
  });
}

/** Frames that the page asks for in two seconds of flow. */
async function framesWith(browser, address, motion) {
  const { page } = await browser.open(address, { motion });
  await untilAcknowledged(page, 50);
  const frames = await page.evaluate(async () => {
    const request = window.requestAnimationFrame.bind(window);
    let count = 0;
    window.requestAnimationFrame = (callback) => {
      count += 1;
      return request(callback);
    };
    await new Promise((resolve) => setTimeout(resolve, 2000));
    return count;
  });
  await page.close();
  return frames;
}

async function reducedMotionIsKept(browser) {
  await served(async ({ address }) => {
    const moving = await framesWith(browser, address, "no-preference");
    const still = await framesWith(browser, address, "reduce");
    assert(moving > 0, "with motion the ring asks for no frame");
    assert(still === 0, `with reduced motion the page still asked for ${still} frames`);
  });
}

/** Scenarios of the flow. */
export const flowScenarios = [
  { name: "records flow from the log over the ring to the consumer", run: recordsFlow },
  { name: "pause stops the flow and resume goes on", run: pauseStopsTheFlow },
  { name: "a hot key over the shard's quota is refused, visibly", run: quotaIsVisible },
  { name: "the keyboard walks the ring", run: keyboardWalksTheRing },
  { name: "an address restores rate, hot key and shard", run: linkRestoresSettings },
  { name: "the code behind the page can be shown", run: codeCanBeShown },
  { name: "nothing moves where reduced motion is asked for", run: reducedMotionIsKept },
];
