/** The IndexedDB store over a real IndexedDB: its contract, its limits, and losing the connection. */
import { assert } from "chai";
import { deleteDB } from "idb";
import { OutcomeUnknownError } from "../../../engine/host/src/errors/store-errors.ts";
import {
  databaseNameOf,
  IndexedDbLogStore,
} from "../../../engine/host/src/storage/indexeddb-store.ts";
import type { LogStore, SegmentKey } from "../../../engine/host/src/storage/log-store.ts";
import {
  logStoreContract,
  noise,
  rejection,
  type StoreUnderTest,
} from "../../../engine/host/test/storage/log-store-contract.ts";
import { itNeeding } from "../features.ts";

const itWithEstimates = await itNeeding("storage estimates");
let engines = 0;

async function openFresh(): Promise<StoreUnderTest & { engineName: string }> {
  engines += 1;
  const engineName = `test-${performance.timeOrigin}-${engines}`;
  const opened: LogStore[] = [];
  const openAgain = async (): Promise<LogStore> => {
    const store = await IndexedDbLogStore.open(engineName);
    opened.push(store);
    return store;
  };
  return {
    engineName,
    store: await openAgain(),
    openAgain,
    dispose: async () => {
      for (const store of opened) await store.close();
      await deleteDB(databaseNameOf(engineName));
    },
  };
}

logStoreContract("IndexedDB", openFresh);

describe("the IndexedDB store in a browser", () => {
  let subject: Awaited<ReturnType<typeof openFresh>>;
  beforeEach(async () => {
    subject = await openFresh();
  });
  afterEach(async () => {
    await subject.dispose();
  });

  it("clones only the bytes of a frame out of a large Wasm memory", async () => {
    const memory = new WebAssembly.Memory({ initial: 1024 });
    const view = new Uint8Array(memory.buffer, 4096, 2000);
    view.set(noise(2000));
    await subject.store.appendFrame(1, view, "strict");
    const stored = await subject.store.readFrame(1);
    assert.strictEqual(stored?.buffer.byteLength, 2000);
    assert.deepEqual(stored, view.slice());
  });

  it("keeps small segments as Blobs in Chromium, and all else as plain buffers", async () => {
    const keys: SegmentKey[] = [10, 131_072].map((size): SegmentKey => [1, 1, size, 0, 0, 1]);
    for (const key of keys) {
      await subject.store.addSegments([{ key, image: noise(key[2]).buffer }]);
    }
    await subject.store.appendFrame(1, noise(10), "strict");
    const values = await rawValues(databaseNameOf(subject.engineName));
    const small = "userAgentData" in navigator ? "Blob 10" : "ArrayBuffer 10";
    assert.deepEqual(values, ["ArrayBuffer 10", small, "ArrayBuffer 131072"]);
  });

  it("says that the connection was lost when another context deletes the database", async () => {
    const reasons: string[] = [];
    subject.store.onLost((reason) => reasons.push(reason));
    await subject.store.appendFrame(1, noise(10), "strict");
    await deleteDB(databaseNameOf(subject.engineName));
    assert.deepEqual(reasons, ["another context deletes the database"]);
    await rejection(subject.store.appendFrame(2, noise(10), "strict"), OutcomeUnknownError);
    await subject.store.reopen();
    assert.deepEqual(await subject.store.frameNumbers(), []);
  });

  itWithEstimates("tells usage and quota", async () => {
    await subject.store.appendFrame(1, noise(500_000), "strict");
    const { usageBytes, quotaBytes } = await subject.store.usage();
    assert.isAbove(usageBytes ?? 0, 0);
    assert.isAbove(quotaBytes ?? 0, usageBytes ?? 0);
  });

  it("works in a dedicated worker", async () => {
    const worker = new Worker(new URL("./store-worker.js", import.meta.url), { type: "module" });
    try {
      const answer = await new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = (event) => reject(new Error(event.message || "the worker did not load"));
        worker.postMessage({ engineName: subject.engineName, frame: noise(1234) });
      });
      assert.deepEqual(answer, { frameNumbers: [1] });
    } finally {
      worker.terminate();
    }
    assert.strictEqual((await subject.store.readFrame(1))?.byteLength, 1234);
  });
});

/** Kind and size of every value, frames first. */
async function rawValues(databaseName: string): Promise<string[]> {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(databaseName);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const described: string[] = [];
  for (const name of ["wal", "segments"]) {
    const values = await new Promise<unknown[]>((resolve, reject) => {
      const request = database.transaction(name).objectStore(name).getAll();
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    for (const value of values) {
      if (value instanceof Blob) described.push(`Blob ${value.size}`);
      if (value instanceof ArrayBuffer) described.push(`ArrayBuffer ${value.byteLength}`);
    }
  }
  database.close();
  return described;
}
