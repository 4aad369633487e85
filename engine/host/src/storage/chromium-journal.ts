/**
 * Has Chromium begin a new journal for what an origin keeps in IndexedDB.
 *
 * A power cut, or the death of the browser, may leave half an entry at the end of LevelDB's journal. Chromium
 * opens such a store without a word and writes on behind the half entry; the next time it opens it, it takes
 * that for corruption and deletes all that the origin has stored. Deleting a database has it compact, which
 * begins a new journal and does away with the old one. This must come before anything is acknowledged.
 */

/**
 * Time in ms between the two. Chromium tidies up behind the creation on another thread, and LevelDB begins no
 * new journal while that writes.
 */
const SETTLING_MS = 20;

/** Waits for so many ms. */
export type Pause = (delayMs: number) => Promise<void>;

/** Whether the platform may find a whole storage corrupt: the only one that may also tells of it. */
function mayFindCorrupt(): boolean {
  const { IDBVersionChangeEvent: events } = globalThis;
  return typeof events === "function" && "dataLoss" in events.prototype;
}

/** Resolves when a request has come to an end, whichever. What it opens is closed. */
function settled(request: IDBOpenDBRequest): Promise<void> {
  return new Promise((resolve) => {
    request.onsuccess = () => {
      const { result } = request as { readonly result: IDBDatabase | undefined };
      result?.close();
      resolve();
    };
    request.onerror = () => resolve();
    // It is done as soon as whoever else does the same has closed it.
    request.onblocked = () => resolve();
  });
}

/**
 * Begins a new journal where that is of use; `databaseName` is a database that nobody else has, and that does
 * not exist. Never rejects: a store that does not allow it is as good as before.
 */
export async function beginNewJournal(databaseName: string, pause: Pause): Promise<void> {
  if (!mayFindCorrupt()) return;
  try {
    await settled(indexedDB.open(databaseName));
    await pause(SETTLING_MS);
    await settled(indexedDB.deleteDatabase(databaseName));
  } catch {
    // Without IndexedDB there is no journal, and the store itself says so.
  }
}
