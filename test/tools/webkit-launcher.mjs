/** Runs the browser tests of @web/test-runner in WebKitGTK: a browser for each file of tests. */
import { startWebKit } from "./webkit.mjs";

/** A launcher for @web/test-runner. A browser's storage ends with it, so that no file finds another's. */
export function webkitLauncher() {
  /** The driver, or its start. */
  let webkit;
  const browsers = new Map();

  async function endSession(id) {
    const browser = browsers.get(id);
    browsers.delete(id);
    await browser?.end();
  }

  return {
    name: "WebKitGTK",
    type: "webdriver",
    concurrency: 1,
    async startSession(id, url) {
      webkit ??= startWebKit();
      const browser = await (await webkit).start();
      browsers.set(id, browser);
      await browser.goTo(url);
    },
    isActive: (id) => browsers.has(id),
    getBrowserUrl: async (id) => await browsers.get(id)?.url(),
    async stopSession(id) {
      await endSession(id);
      return {};
    },
    async startDebugSession() {
      throw new Error("WebKitGTK has no session to debug in here");
    },
    async stop() {
      for (const id of [...browsers.keys()]) await endSession(id);
      await (await webkit)?.stop();
    },
  };
}
