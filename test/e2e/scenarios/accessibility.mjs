/** axe finds nothing, in both themes and at both widths, also with the drawer open and an error shown. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { assert, startServer, VIEWPORTS } from "../harness.mjs";
import { click, expectNoComplaints, until, untilAcknowledged } from "../live-page.mjs";
import {
  fetched,
  find,
  inPlace,
  inRecords,
  inShards,
  inStream,
  press,
  type,
} from "../streams-page.mjs";
import { inConsumers, untilAllHere } from "./consumers.mjs";
import { inFaults, untilRuns } from "./faults.mjs";
import { untilFlowing } from "./pipelines.mjs";
import { inProducer, untilPut } from "./producer.mjs";
import { inStorage } from "./storage.mjs";
import { inSync, untilArrived } from "./sync.mjs";

const axeSource = readFileSync(
  createRequire(import.meta.url).resolve("axe-core/axe.min.js"),
  "utf8",
);

/** Violations as lines of text. */
async function violationsOf(page) {
  // Through the debugger and not through a script element, which the page's policy rightly refuses.
  await page.evaluate(axeSource);
  return page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, nodes }) => {
      const places = nodes.map(
        ({ target, failureSummary }) => `${target.flat()} ${failureSummary}`,
      );
      return `${id}: ${places.join("; ")}`;
    });
  });
}

async function expectAccessible(page, where) {
  const violations = await violationsOf(page);
  assert(violations.length === 0, `${where}: ${violations.join("\n")}`);
}

async function expectNoOverflow(page, where) {
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  assert(overflow <= 0, `${where} is ${overflow} px wider than the window`);
}

async function expectNoSidewaysScroll(page, selector) {
  const overflow = await page.$eval(selector, (one) => one.scrollWidth - one.clientWidth);
  assert(overflow <= 0, `${selector} scrolls sideways by ${overflow} px`);
}

async function lookAtPage(browser, theme, viewport) {
  const server = await startServer();
  try {
    const { page, complaints } = await browser.open(`${server.address}?rate=3000&hot=80&shard=1`, {
      theme,
      viewport,
    });
    await untilAcknowledged(page, 1000);
    await expectAccessible(page, "the page");
    await expectNoOverflow(page, "the page");
    await click(page, "#show-code");
    await until("the drawer is open", () =>
      page.$("millrace-app >>> mill-live >>> mill-code-drawer >>> dialog[open]"),
    );
    await expectAccessible(page, "the drawer");
    await expectNoComplaints(page, complaints);
    await page.evaluateOnNewDocument(() => {
      window.Worker = class {
        constructor() {
          throw new Error("no workers today");
        }
      };
    });
    await page.reload();
    await until("the error is shown", () => page.$("millrace-app >>> mill-notice"));
    await expectAccessible(page, "the error");
  } finally {
    await server.stop();
  }
}

async function lookAtStreams(browser, theme, viewport) {
  const server = await startServer();
  try {
    const address = `${server.address}?place=streams`;
    const { page, complaints } = await browser.open(address, { theme, viewport });
    const list = (part) => inPlace(`mill-stream-list >>> ${part}`);
    const look = async (where) => {
      await expectAccessible(page, where);
      await expectNoOverflow(page, where);
    };
    await find(page, list("mill-stream-table"));
    await look("the list of streams");
    await expectNoSidewaysScroll(page, list("mill-stream-table >>> .scroll"));
    await press(page, list("#create"));
    await press(page, list("mill-create-stream >>> button[type=submit]"));
    await find(page, list("mill-create-stream >>> mill-notice"));
    await look("the dialog that creates a stream, with a refusal");
    await page.keyboard.press("Escape");
    await press(page, list("mill-stream-table >>> a.name"));
    await press(page, inShards("mill-reshard-ring >>> #arc-1 text"));
    await press(page, inShards("#split"));
    await find(page, inShards("mill-split-form >>> mill-slider"));
    await look("the shards, with a split");
    await press(page, inShards("mill-split-form >>> button[type=submit]"));
    await find(page, inShards("mill-reshard-ring >>> #arc-4"));
    await press(page, inShards("#merge"));
    await find(page, inShards("mill-merge-form >>> input"));
    await look("the shards, with a merge and a lineage");
    await press(page, inStream(".tabs a:nth-of-type(2)"));
    await until("records are there", async () => (await fetched(page)) > 50);
    await look("the records");
    await press(page, inRecords("mill-record-list >>> [data-record]"));
    await find(page, inRecords("mill-record-inspector >>> pre"));
    await look("a record");
    await expectNoComplaints(page, complaints);
  } finally {
    await server.stop();
  }
}

async function lookAtStorage(browser, theme, viewport) {
  const server = await startServer();
  try {
    const address = `${server.address}?place=storage`;
    const { page, complaints } = await browser.open(address, { theme, viewport });
    await find(page, inStorage("mill-log-panel"));
    await press(page, inStorage("mill-check-panel >>> #check"));
    await find(page, inStorage("mill-check-panel >>> mill-reading"));
    await expectAccessible(page, "the storage");
    await expectNoOverflow(page, "the storage");
    await press(page, inStorage("#show-code"));
    await find(page, inStorage("mill-storage-code >>> dialog[open]"));
    await expectAccessible(page, "the storage's code");
    await expectNoComplaints(page, complaints);
  } finally {
    await server.stop();
  }
}

async function lookAtFaults(browser, theme, viewport) {
  const server = await startServer();
  try {
    const address = `${server.address}?place=faults`;
    const { page, complaints } = await browser.open(address, { theme, viewport });
    await press(page, inFaults("mill-fault-card[data-fault=lead] >>> #strike"));
    await find(page, inFaults("mill-fault-trace >>> svg"));
    await expectAccessible(page, "the faults, while one is under way");
    await untilRuns(page, 1);
    await expectAccessible(page, "the faults");
    await expectNoOverflow(page, "the faults");
    await expectNoSidewaysScroll(page, inFaults("mill-run-table >>> .scroll"));
    await press(page, inFaults("#show-code"));
    await find(page, inFaults("mill-faults-code >>> dialog[open]"));
    await expectAccessible(page, "the faults' code");
    await expectNoComplaints(page, complaints);
  } finally {
    await server.stop();
  }
}

async function lookAtFlows(browser, theme, viewport) {
  const server = await startServer();
  try {
    const address = `${server.address}?place=producer`;
    const { page, complaints } = await browser.open(address, { theme, viewport });
    const look = async (where) => {
      await expectAccessible(page, where);
      await expectNoOverflow(page, where);
    };
    await press(page, inProducer("#start"));
    await untilPut(page, "aggregated", 50);
    await press(page, inProducer("mill-template-form >>> summary"));
    await look("the producer");
    await press(page, inProducer("#show-code"));
    await find(page, inProducer("mill-drawer >>> dialog[open]"));
    await expectAccessible(page, "the producer's code");
    await page.keyboard.press("Escape");
    await press(page, inProducer("#stop"));
    await type(page, inProducer("mill-template-form >>> textarea"), "{{");
    await find(page, inProducer("mill-template-form >>> .problem"));
    await look("the producer, with a template that does not read");
    await press(page, "millrace-app >>> nav a[href*='place=consumers']");
    await untilAllHere(page);
    await look("the consumers");
    await expectNoSidewaysScroll(page, inConsumers("mill-group-table >>> .scroll"));
    await press(page, inConsumers("#create"));
    await find(page, inConsumers("mill-create-group >>> mill-drawer >>> dialog[open]"));
    await expectAccessible(page, "the dialog that creates a group");
    await page.keyboard.press("Escape");
    await press(page, "millrace-app >>> nav a[href*='place=pipelines']");
    await untilFlowing(page);
    await look("the pipelines");
    await press(page, "millrace-app >>> nav a[href*='place=sync']");
    await find(page, inSync("#start:not(:disabled)"));
    await look("the sync, before it was started");
    await untilArrived(page, 10);
    await press(page, inSync("input[value=gone]"));
    await find(page, inSync("p[data-state=waiting-offline]"));
    await look("the sync, without a network");
    await expectNoComplaints(page, complaints);
  } finally {
    await server.stop();
  }
}

async function themeCanBeSwitched(browser) {
  const server = await startServer();
  try {
    const { page } = await browser.open(server.address, { theme: "light" });
    await untilAcknowledged(page, 1);
    const ground = () =>
      page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const button = await page.$("millrace-app >>> .theme");
    const light = await ground();
    await button.click();
    await button.click();
    await until("the page is dark", async () => (await ground()) !== light);
    const dark = await ground();
    await page.reload();
    await until("the page is dark again", async () => (await ground()) === dark);
  } finally {
    await server.stop();
  }
}

const looks = ["light", "dark"].flatMap((theme) =>
  Object.entries(VIEWPORTS).flatMap(([width, viewport]) => [
    {
      name: `axe finds nothing, ${theme}, ${width}`,
      run: (browser) => lookAtPage(browser, theme, viewport),
    },
    {
      name: `axe finds nothing in the streams, ${theme}, ${width}`,
      run: (browser) => lookAtStreams(browser, theme, viewport),
    },
    {
      name: `axe finds nothing in the storage, ${theme}, ${width}`,
      run: (browser) => lookAtStorage(browser, theme, viewport),
    },
    {
      name: `axe finds nothing in the faults, ${theme}, ${width}`,
      run: (browser) => lookAtFaults(browser, theme, viewport),
    },
    {
      name: `axe finds nothing from producer to sync, ${theme}, ${width}`,
      run: (browser) => lookAtFlows(browser, theme, viewport),
    },
  ]),
);

/** Scenarios of accessibility. */
export const accessibilityScenarios = [
  ...looks,
  { name: "the theme can be switched and is kept", run: themeCanBeSwitched },
];
