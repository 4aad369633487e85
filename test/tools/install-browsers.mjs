/** Finds or installs every browser that the tests use. One that is not to be had is told; its tests will say so too. */
import { requireChromium } from "./chromium.mjs";
import { requireFirefox } from "./firefox.mjs";
import { requireWebKit } from "./webkit.mjs";

for (const requireBrowser of [requireChromium, requireFirefox, requireWebKit]) {
  try {
    requireBrowser();
  } catch (error) {
    process.stdout.write(`${error.message}\n`);
  }
}
