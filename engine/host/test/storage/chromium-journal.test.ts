/** The database that is made and deleted for the sake of Chromium's journal, over fake-indexeddb. */
import "fake-indexeddb/auto";
import { afterEach, describe, expect, it } from "vitest";
import { beginNewJournal } from "../../src/storage/chromium-journal.ts";

/** What was asked of IndexedDB. */
async function asked(work: () => Promise<void>): Promise<string[]> {
  const calls: string[] = [];
  const { open, deleteDatabase } = indexedDB;
  indexedDB.open = (name, version) => {
    calls.push(`open ${name}`);
    return open.call(indexedDB, name, version);
  };
  indexedDB.deleteDatabase = (name) => {
    calls.push(`delete ${name}`);
    return deleteDatabase.call(indexedDB, name);
  };
  await work();
  Object.assign(indexedDB, { open, deleteDatabase });
  return calls;
}

function tellsOfLosses(): void {
  Object.defineProperty(IDBVersionChangeEvent.prototype, "dataLoss", {
    value: "none",
    configurable: true,
  });
}

const pause = (): Promise<void> => Promise.resolve();

describe("a new journal", () => {
  afterEach(() => {
    Reflect.deleteProperty(IDBVersionChangeEvent.prototype, "dataLoss");
  });

  it("is had by making and deleting a database, of which nothing is left", async () => {
    tellsOfLosses();
    const calls = await asked(() => beginNewJournal("journal-1", pause));
    expect(calls).toEqual(["open journal-1", "delete journal-1"]);
    expect((await indexedDB.databases()).map(({ name }) => name)).not.toContain("journal-1");
  });

  it("is not asked for where a browser never takes a store for corrupt", async () => {
    expect(await asked(() => beginNewJournal("journal-2", pause))).toEqual([]);
  });

  it("can be begun by several at once", async () => {
    tellsOfLosses();
    await Promise.all([beginNewJournal("journal-3", pause), beginNewJournal("journal-3", pause)]);
    expect((await indexedDB.databases()).map(({ name }) => name)).not.toContain("journal-3");
  });

  it("does without when there is no IndexedDB", async () => {
    tellsOfLosses();
    const there = globalThis.indexedDB;
    Reflect.deleteProperty(globalThis, "indexedDB");
    await beginNewJournal("journal-4", pause);
    Object.defineProperty(globalThis, "indexedDB", {
      value: there,
      configurable: true,
      writable: true,
    });
    expect(there).toBeDefined();
  });
});
