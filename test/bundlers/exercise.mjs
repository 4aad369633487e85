/** Drives an application in Chromium: puts, reads back, reloads, and a second tab beside it. */
import { strict as assert } from "node:assert";

const RECORDS = 1000;
const LATER_RECORDS = 10;
const PAGE_MS = 60_000;

function isReachable() {
  return globalThis.application !== undefined;
}

async function openTab(context, url) {
  const page = await context.newPage();
  const broken = new Promise((_resolve, reject) => page.once("pageerror", reject));
  broken.catch(() => undefined);
  await page.evaluateOnNewDocument(() => {
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => {
      globalThis.violations.push(`${event.effectiveDirective} ${event.blockedURI}`);
    });
  });
  await page.goto(url, { waitUntil: "load", timeout: PAGE_MS });
  await Promise.race([page.waitForFunction(isReachable, { timeout: PAGE_MS }), broken]);
  return page;
}

const put = (page, count) => page.evaluate((records) => globalThis.application.put(records), count);
const read = (page) => page.evaluate(() => globalThis.application.read());
const memberOf = (page) => page.evaluate(() => globalThis.application.member());
const violationsOf = (page) => page.evaluate(() => globalThis.violations);

function assertSame(found, expected) {
  assert.deepEqual([...found].sort(), [...expected].sort());
}

/** The application works. Resolves with how the tabs share the engine and what the policy forbade. */
export async function worksIn(browser, url) {
  const context = await browser.createBrowserContext();
  try {
    const first = await openTab(context, url);
    const records = await put(first, RECORDS);
    assertSame(await read(first), records);
    await first.reload({ waitUntil: "load" });
    await first.waitForFunction(isReachable, { timeout: PAGE_MS });
    assertSame(await read(first), records);
    const second = await openTab(context, url);
    assertSame(await read(second), records);
    const later = await put(second, LATER_RECORDS);
    assertSame(await read(first), [...records, ...later]);
    const roles = [await memberOf(first), await memberOf(second)];
    assert.deepEqual(roles.map(({ role }) => role).sort(), ["follower", "leader"]);
    const { transport } = roles.find(({ role }) => role === "follower");
    const violations = [...(await violationsOf(first)), ...(await violationsOf(second))];
    return { transport, violations: [...new Set(violations)] };
  } finally {
    await context.close();
  }
}

/** Opening fails. Resolves with the error and how long it took. */
export async function failureIn(browser, url) {
  const context = await browser.createBrowserContext();
  try {
    const page = await openTab(context, url);
    return await page.evaluate(() => globalThis.application.failure());
  } finally {
    await context.close();
  }
}
