/** Commands for browser tests about what the browser has. */
import { writeFileSync } from "node:fs";

/** Whether a browser of @web/test-runner can be asked for what only Chromium's protocol can do. */
async function hasDevToolsProtocol({ browser, id }) {
  if (browser.type !== "puppeteer") return false;
  try {
    const connection = await browser.getPage(id).createCDPSession();
    await connection.detach();
    return true;
  } catch {
    return false;
  }
}

/**
 * A plugin for @web/test-runner. `has-devtools-protocol` answers whether the other commands have one;
 * `note-features` writes what was found to `path`, if there is one.
 */
export function featureCommands(path) {
  return {
    name: "feature-commands",
    async executeCommand({ command, payload, session }) {
      if (command === "has-devtools-protocol") return await hasDevToolsProtocol(session);
      if (command !== "note-features") return undefined;
      if (path !== undefined) writeFileSync(path, JSON.stringify(payload));
      return true;
    },
  };
}
