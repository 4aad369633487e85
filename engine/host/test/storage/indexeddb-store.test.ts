/** The IndexedDB store in Node, over fake-indexeddb; a browser runs the same contract for real. */
import "fake-indexeddb/auto";
import { assert } from "chai";
import { deleteDB, openDB } from "idb";
import { UnsupportedFormatError } from "../../src/errors/engine-errors.ts";
import {
  FrameExistsError,
  OutcomeUnknownError,
  StorageUnavailableError,
  StoreFailedError,
  StoreFullError,
} from "../../src/errors/store-errors.ts";
import { dataLossOf, IndexedDbConnection } from "../../src/storage/indexeddb-connection.ts";
import { classifyStoreError, explainUnavailable } from "../../src/storage/indexeddb-errors.ts";
import { databaseNameOf, IndexedDbLogStore } from "../../src/storage/indexeddb-store.ts";
import type { LogStore, SegmentKey } from "../../src/storage/log-store.ts";
import { logStoreContract, noise, rejection } from "./log-store-contract.ts";

let engines = 0;

logStoreContract("IndexedDB (fake-indexeddb)", async () => {
  engines += 1;
  const engineName = `contract-${engines}`;
  const opened: LogStore[] = [];
  const openAgain = async (): Promise<LogStore> => {
    const store = await IndexedDbLogStore.open(engineName);
    opened.push(store);
    return store;
  };
  return {
    store: await openAgain(),
    openAgain,
    dispose: async () => {
      for (const store of opened) await store.close();
      await deleteDB(databaseNameOf(engineName));
    },
  };
});

describe("a store that is closed while it is opened anew", () => {
  it("stays closed, and keeps no connection", async () => {
    const store = await IndexedDbLogStore.open("closed-meanwhile");
    const refused = rejection(store.reopen(), OutcomeUnknownError);
    await store.close();
    await refused;
    await rejection(store.readFrame(1), OutcomeUnknownError);
    await deleteDB(databaseNameOf("closed-meanwhile"), {
      blocked: () => assert.fail("a connection is still there"),
    });
  });
});

describe("a database that the browser began anew", () => {
  const lost = { dataLoss: "total", dataLossMessage: "CURRENT is missing" };

  it("is told from one that is new, by the event that creates it", () => {
    assert.include(dataLossOf(Object.assign(new Event("upgradeneeded"), lost)), "CURRENT");
    const silent = { dataLoss: "total", dataLossMessage: "" };
    assert.include(dataLossOf(Object.assign(new Event("upgradeneeded"), silent)), "corrupt");
    const none = { dataLoss: "none", dataLossMessage: "" };
    assert.isUndefined(dataLossOf(Object.assign(new Event("upgradeneeded"), none)));
    assert.isUndefined(dataLossOf(new Event("upgradeneeded")));
  });

  it("is what the store says of its opening, also after it was opened anew", async () => {
    const name = "began-anew";
    Object.defineProperties(IDBVersionChangeEvent.prototype, {
      dataLoss: { value: lost.dataLoss, configurable: true },
      dataLossMessage: { value: lost.dataLossMessage, configurable: true },
    });
    try {
      const store = await IndexedDbLogStore.open(name);
      assert.include(store.lossAtOpening, "CURRENT is missing");
      await store.reopen();
      assert.include(store.lossAtOpening, "CURRENT is missing");
      await store.close();
      const again = await IndexedDbLogStore.open(name);
      assert.isUndefined(again.lossAtOpening);
      await again.close();
    } finally {
      Reflect.deleteProperty(IDBVersionChangeEvent.prototype, "dataLoss");
      Reflect.deleteProperty(IDBVersionChangeEvent.prototype, "dataLossMessage");
      await deleteDB(databaseNameOf(name));
    }
    const fresh = await IndexedDbLogStore.open(name);
    assert.isUndefined(fresh.lossAtOpening);
    await fresh.close();
    await deleteDB(databaseNameOf(name));
  });
});

describe("errors of IndexedDB", () => {
  const cases: [name: string | null, expected: new (...args: never[]) => Error][] = [
    ["ConstraintError", FrameExistsError],
    ["QuotaExceededError", StoreFullError],
    ["DataCloneError", StoreFailedError],
    ["NotReadableError", StoreFailedError],
    ["AbortError", OutcomeUnknownError],
    ["UnknownError", OutcomeUnknownError],
    ["InvalidStateError", OutcomeUnknownError],
    ["TimeoutError", OutcomeUnknownError],
    ["TransactionInactiveError", OutcomeUnknownError],
    [null, OutcomeUnknownError],
  ];
  for (const [name, expected] of cases) {
    it(`${name ?? "an abort without a reason"} is told as ${expected.name}`, () => {
      const error = name === null ? null : new DOMException("as the browser says", name);
      const told = classifyStoreError({ what: "appendFrame 3", error, lostReason: undefined });
      assert.strictEqual(told.constructor, expected);
      assert.include(told.message, "appendFrame 3");
      if (name !== null) assert.include(told.message, name);
    });
  }

  it("leaves the outcome open when the connection was lost meanwhile", () => {
    const error = new DOMException("gone", "DataError");
    const told = classifyStoreError({ what: "appendFrame 3", error, lostReason: "data cleared" });
    assert.instanceOf(told, OutcomeUnknownError);
    assert.include(told.message, "data cleared");
  });

  it("names the cause when a database does not open", () => {
    const told = explainUnavailable("millrace:x", new DOMException("denied", "SecurityError"));
    assert.include(told.message, "millrace:x");
    assert.include(told.message, "private mode");
    assert.include(told.message, "SecurityError: denied");
    assert.strictEqual(told.argument, "storage");
  });
});

describe("the IndexedDB store", () => {
  it("commits a frame in one burst: one add, no read, commit, with the durability asked for", async () => {
    const store = await IndexedDbLogStore.open("burst");
    const calls: string[] = [];
    const restore = spyOnRequests(calls);
    try {
      await store.appendFrame(1, noise(100), "strict");
      await store.appendFrame(2, noise(100), "relaxed");
    } finally {
      restore();
    }
    assert.deepEqual(calls, [
      "transaction wal readwrite strict",
      "add",
      "commit",
      "transaction wal readwrite relaxed",
      "add",
      "commit",
    ]);
    await store.close();
  });

  it("gives way to an upgrade by a newer build, and is of too old a build for it from then on", async () => {
    const store = await IndexedDbLogStore.open("upgraded");
    const reasons: string[] = [];
    store.onLost((reason) => reasons.push(reason));
    const frame = noise(100);
    const last = store.appendFrame(1, frame, "strict");
    const newer = await openDB(databaseNameOf("upgraded"), 2);
    await last;
    assert.deepEqual(reasons, ["another context upgrades the database"]);
    assert.deepEqual(new Uint8Array(await newer.get("wal", 1)), frame);
    const refused = await rejection(store.reopen(), UnsupportedFormatError);
    assert.include(refused.message, "newer build");
    await rejection(IndexedDbLogStore.open("upgraded"), UnsupportedFormatError);
    newer.close();
    await deleteDB(databaseNameOf("upgraded"));
  });

  it("gives way to a deletion elsewhere, says so, and finishes what it had begun", async () => {
    const store = await IndexedDbLogStore.open("deleted-elsewhere");
    const reasons: string[] = [];
    store.onLost((reason) => reasons.push(reason));
    const appended = store.appendFrame(1, noise(10), "strict");
    await deleteDB(databaseNameOf("deleted-elsewhere"));
    await appended;
    assert.deepEqual(reasons, ["another context deletes the database"]);
    await rejection(store.appendFrame(2, noise(10), "strict"), OutcomeUnknownError);
    await store.reopen();
    assert.deepEqual(await store.frameNumbers(), []);
    await store.close();
  });

  it("is of too old a build where a newer schema is on the device", async () => {
    const name = databaseNameOf("from-the-future");
    await new Promise<void>((resolve, reject) => {
      const request = indexedDB.open(name, 9);
      request.onsuccess = () => {
        request.result.close();
        resolve();
      };
      request.onerror = () => reject(request.error);
    });
    const error = await rejection(
      IndexedDbLogStore.open("from-the-future"),
      UnsupportedFormatError,
    );
    assert.include(error.message, "newer build");
    await deleteDB(name);
  });

  it("is unavailable where opening is refused, as in a private window", async () => {
    const open = IDBFactory.prototype.open;
    IDBFactory.prototype.open = () => {
      throw new DOMException("The operation is insecure.", "SecurityError");
    };
    try {
      const error = await rejection(IndexedDbLogStore.open("private"), StorageUnavailableError);
      assert.include(error.message, "private mode");
    } finally {
      IDBFactory.prototype.open = open;
    }
  });
});

describe("a transaction that the browser completes although one of its requests failed", () => {
  const name = "completed-in-part";
  const add = IDBObjectStore.prototype.add;
  let store: IndexedDbLogStore;

  beforeEach(async () => {
    store = await IndexedDbLogStore.open(name);
    // An error that is prevented aborts nothing: what Firefox and WebKit do by themselves after a commit.
    IDBObjectStore.prototype.add = function (...values) {
      const request = add.apply(this, values);
      request.addEventListener("error", (event) => event.preventDefault());
      return request;
    };
  });

  afterEach(async () => {
    IDBObjectStore.prototype.add = add;
    await store.close();
    await deleteDB(databaseNameOf(name));
  });

  it("is a refusal all the same", async () => {
    await store.appendFrame(1, noise(10), "strict");
    await rejection(store.appendFrame(1, noise(20), "strict"), FrameExistsError);
    assert.strictEqual((await store.readFrame(1))?.byteLength, 10);
  });

  it("leaves none of its segments, and those that were there before", async () => {
    const keys = [1, 2, 3].map((ordinal): SegmentKey => [1, ordinal, 0, 0, 0, 1]);
    const writesOf = (...ordinals: number[]) =>
      ordinals.map((ordinal) => ({
        key: keys[ordinal - 1] ?? assert.fail(),
        image: noise(10).buffer,
      }));
    await store.addSegments(writesOf(2));
    await rejection(store.addSegments(writesOf(1, 2, 3)), FrameExistsError);
    assert.deepEqual(await store.segmentKeys(), [keys[1]]);
  });
});

describe("a connection of WebKit's", () => {
  it("has one transaction at a time, and commits none before its requests are answered", async () => {
    const name = databaseNameOf("one-at-a-time");
    const connection = await IndexedDbConnection.open(name, () => undefined, true);
    const { prototype } = IDBDatabase;
    const open = new Set<IDBTransaction>();
    let most = 0;
    const calls: string[] = [];
    const restore = spyOnRequests(calls);
    const begin = prototype.transaction;
    prototype.transaction = function (...values) {
      const begun = begin.apply(this, values);
      open.add(begun);
      most = Math.max(most, open.size);
      begun.addEventListener("complete", () => open.delete(begun));
      begun.addEventListener("abort", () => open.delete(begun));
      return begun;
    };
    try {
      const add = (key: number) =>
        connection.write("add", "wal", "strict", (wal) => wal.add(noise(10).buffer, key));
      const count = () => connection.read("count", "wal", (wal) => wal.count());
      const everything = IDBKeyRange.lowerBound(0);
      const outcomes = await Promise.allSettled([
        ...[add(1), count(), connection.readRange("range", "wal", everything), add(1), count()],
        ...[add(2), connection.read("count", "segments", (segments) => segments.count()), count()],
      ]);
      assert.deepEqual(
        outcomes.map((outcome) => (outcome.status === "fulfilled" ? "done" : outcome.reason.name)),
        ["done", "done", "done", FrameExistsError.name, "done", "done", "done", "done"],
      );
      const [, first, , , second, , , third] = outcomes;
      const counts = [first, second, third].map((one) => one?.status === "fulfilled" && one.value);
      assert.deepEqual(counts, [1, 1, 2]);
      assert.strictEqual(most, 1);
      assert.notInclude(calls, "commit");
    } finally {
      prototype.transaction = begin;
      restore();
      connection.close();
      await deleteDB(name);
    }
  });
});

/** Notes every transaction, request and commit; returns how to stop. */
function spyOnRequests(calls: string[]): () => void {
  const { transaction } = IDBDatabase.prototype;
  const { commit } = IDBTransaction.prototype;
  const methods = ["add", "put", "get", "getKey", "getAll", "openCursor", "count"] as const;
  const originals = methods.map((method) => [method, IDBObjectStore.prototype[method]] as const);
  IDBDatabase.prototype.transaction = function (names, mode, options) {
    calls.push(`transaction ${String(names)} ${mode} ${options?.durability}`);
    return transaction.call(this, names, mode, options);
  };
  IDBTransaction.prototype.commit = function () {
    calls.push("commit");
    commit.call(this);
  };
  for (const [method, original] of originals) {
    Object.assign(IDBObjectStore.prototype, {
      [method](this: IDBObjectStore, ...args: never[]) {
        calls.push(method);
        return Reflect.apply(original, this, args);
      },
    });
  }
  return () => {
    IDBDatabase.prototype.transaction = transaction;
    IDBTransaction.prototype.commit = commit;
    Object.assign(IDBObjectStore.prototype, Object.fromEntries(originals));
  };
}
