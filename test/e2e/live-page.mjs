/** The Live page as a person has it before them: what it shows, and what can be done there. */
import { PATIENCE_MS, startServer } from "./harness.mjs";

/** Finds an element through all shadow roots, by puppeteer's deep combinator. */
const LIVE = "millrace-app >>> mill-live";

const number = (text) => Number(text.replaceAll(",", ""));

/** Value of a reading of a panel, by its label. */
export async function reading(page, panel, label) {
  const value = await page.$eval(
    `${LIVE} >>> ${panel} >>> mill-reading[label="${label}"] >>> .value`,
    (element) => element.textContent.trim(),
  );
  return number(value);
}

/** Records acknowledged since the engine opened. */
export const acknowledged = (page) => reading(page, "mill-producer-panel", "Acknowledged");

/** Waits until a check of the page holds; fails with what was waited for. */
export async function until(description, check) {
  const deadline = Date.now() + PATIENCE_MS;
  let last;
  for (;;) {
    try {
      last = await check();
      if (last) return last;
    } catch (error) {
      // An element that is not there yet is as good as a check that does not hold yet.
      last = error.message;
    }
    if (Date.now() > deadline)
      throw new Error(`waited in vain until ${description}; last: ${last}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Waits until at least this many records are acknowledged. */
export const untilAcknowledged = (page, count) =>
  until(`${count} records are acknowledged`, async () => (await acknowledged(page)) >= count);

/** Text of an element of the view. */
export async function textOf(page, selector) {
  return page.$eval(`${LIVE} >>> ${selector}`, (element) => element.textContent.trim());
}

/** Clicks a button of the view. */
export async function click(page, selector) {
  const button = await page.$(`${LIVE} >>> ${selector}`);
  if (button === null) throw new Error(`there is no ${selector}`);
  await button.click();
}

/** Waits until the whole site is in the service worker's cache. */
export async function untilOffline(page) {
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
  });
}

/** Selector of a part of the ring. */
export const ring = (part) => `${LIVE} >>> mill-ring >>> ${part}`;

/** A server, and a page of it at this query for `body(page, server, complaints)`, which must not complain. */
export async function served(browser, search, body, options) {
  const server = await startServer();
  try {
    const { page, complaints } = await browser.open(`${server.address}${search}`, options);
    await body(page, server, complaints);
    await expectNoComplaints(page, complaints);
  } finally {
    await server.stop();
  }
}

/** Fails when the page complained: errors in its console, of its scripts, or of the policy. */
export async function expectNoComplaints(page, complaints) {
  const violations = await page.evaluate(() => window.violations);
  const all = [...complaints, ...violations];
  if (all.length > 0) throw new Error(`the page complained: ${all.join("; ")}`);
}
