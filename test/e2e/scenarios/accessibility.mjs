/** axe finds nothing, in both themes and at both widths, also with the drawer open and an error shown. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { assert, startServer, VIEWPORTS } from "../harness.mjs";
import { click, expectNoComplaints, until, untilAcknowledged } from "../live-page.mjs";

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

async function lookAtPage(browser, theme, viewport) {
  const server = await startServer();
  try {
    const { page, complaints } = await browser.open(`${server.address}?rate=3000&hot=80&shard=1`, {
      theme,
      viewport,
    });
    await untilAcknowledged(page, 1000);
    await expectAccessible(page, "the page");
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    assert(overflow <= 0, `the page is ${overflow} px wider than the window`);
    await click(page, "#show-code");
    await until("the drawer is open", () =>
      page.$("millrace-app >>> mill-live >>> mill-code-drawer >>> dialog[open]"),
    );
    await expectAccessible(page, "the drawer");
    const second = await browser.open(server.address, { theme, viewport });
    await until("the error is shown", () => second.page.$("millrace-app >>> mill-notice"));
    await expectAccessible(second.page, "the error");
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
  Object.entries(VIEWPORTS).map(([width, viewport]) => ({
    name: `axe finds nothing, ${theme}, ${width}`,
    run: (browser) => lookAtPage(browser, theme, viewport),
  })),
);

/** Scenarios of accessibility. */
export const accessibilityScenarios = [
  ...looks,
  { name: "the theme can be switched and is kept", run: themeCanBeSwitched },
];
