/** The IndexedDB store in Node, over fake-indexeddb; a browser runs the same contract for real. */
import "fake-indexeddb/auto";
import { assert } from "chai";
import { deleteDB } from "idb";
import {
  FrameExistsError,
  OutcomeUnknownError,
  StorageUnavailableError,
  StoreFailedError,
  StoreFullError,
} from "../../src/errors/store-errors.ts";
import { dataLossOf } from "../../src/storage/indexeddb-connection.ts";
import { classifyStoreError, explainUnavailable } from "../../src/storage/indexeddb-errors.ts";
import { databaseNameOf, IndexedDbLogStore } from "../../src/storage/indexeddb-store.ts";
import type { LogStore } from "../../src/storage/log-store.ts";
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

  it("is unavailable, with the reason, where a newer schema is on the device", async () => {
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
      StorageUnavailableError,
    );
    assert.include(error.message, "newer schema");
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
