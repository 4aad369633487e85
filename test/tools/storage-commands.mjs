/** Commands for browser tests that only the browser's debugging protocol can carry out. */

/**
 * A plugin for @web/test-runner. `limit-storage` sets the quota of the tests' origin in bytes, or the
 * usual one when the payload is null; `clear-storage` deletes its IndexedDB, as a user does who clears
 * site data.
 */
export function storageCommands() {
  /** An override lasts as long as the connection that made it, so there is one per test page. */
  const connections = new Map();

  async function connectionOf(session, page) {
    const connection = connections.get(session.id) ?? (await page.createCDPSession());
    connections.set(session.id, connection);
    return connection;
  }

  return {
    name: "storage-commands",
    async executeCommand({ command, payload, session }) {
      if (command !== "limit-storage" && command !== "clear-storage") return undefined;
      const page = session.browser.getPage(session.id);
      const { origin } = new URL(page.url());
      const connection = await connectionOf(session, page);
      if (command === "clear-storage") {
        const storageTypes = "indexeddb";
        await connection.send("Storage.clearDataForOrigin", { origin, storageTypes });
      } else {
        const quota = payload === null ? {} : { quotaSize: payload };
        await connection.send("Storage.overrideQuotaForOrigin", { origin, ...quota });
      }
      return true;
    },
  };
}
