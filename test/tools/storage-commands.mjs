/** Commands for browser tests that only the browser's debugging protocol can carry out. */

/**
 * A plugin for @web/test-runner. `limit-storage` sets the quota of the tests' origin in bytes, or the
 * usual one when the payload is null; `clear-storage` deletes its IndexedDB, as a user does who clears
 * site data.
 */
export function storageCommands() {
  /** A limit lasts as long as the connection that set it; a second one on it would not count. */
  const limits = new Map();

  async function limitStorage(page, session, origin, quotaBytes) {
    await limits.get(session.id)?.detach();
    limits.delete(session.id);
    if (quotaBytes === null) return;
    const connection = await page.createCDPSession();
    limits.set(session.id, connection);
    await connection.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: quotaBytes });
  }

  async function clearStorage(page, origin) {
    const connection = await page.createCDPSession();
    await connection.send("Storage.clearDataForOrigin", { origin, storageTypes: "indexeddb" });
    await connection.detach();
  }

  return {
    name: "storage-commands",
    async executeCommand({ command, payload, session }) {
      if (command !== "limit-storage" && command !== "clear-storage") return undefined;
      const page = session.browser.getPage(session.id);
      const { origin } = new URL(page.url());
      if (command === "clear-storage") await clearStorage(page, origin);
      else await limitStorage(page, session, origin, payload);
      return true;
    },
  };
}
