/** Pages of the fault tests: their script does everything and puts what a test may call into `faultPage`. */

/** Opens a page that is ready to be called, with what its scripts threw. */
export async function openFaultPage(browser, url) {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(url);
  await untilReady(page);
  return { page, errors };
}

/** Resolves when a page can be called, also after a reload. */
export async function untilReady(page) {
  await page.waitForFunction("globalThis.faultPage !== undefined");
}
