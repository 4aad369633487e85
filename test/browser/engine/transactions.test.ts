/** What the engine does to IndexedDB: few transactions, and none that reads before it writes. */
import { assert } from "chai";
import { deleteDB } from "idb";
import { databaseNameOf } from "../../../engine/host/src/storage/indexeddb-store.ts";
import { openNoting } from "./noting-engine.ts";
import { type NotedTransaction, READ_METHODS } from "./store-log.ts";

const SINGLE_PUTS = 500;
const SMALL_BUDGET_BYTES = 16_777_216;
const RANDOM_CALL_BYTES = 65_536;
const BATCHES = 12;
const BUSY_BATCHES = 40;
const BATCH_RECORDS = 100;
const RECORD_BYTES = 10_000;

function writing(noted: readonly NotedTransaction[]): NotedTransaction[] {
  return noted.filter(({ mode }) => mode !== "readonly");
}

function readsIn({ requests }: NotedTransaction): string[] {
  return requests.filter((method) => READ_METHODS.has(method));
}

function noise(byteLength: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(byteLength);
  for (let at = 0; at < byteLength; at += RANDOM_CALL_BYTES) {
    crypto.getRandomValues(bytes.subarray(at, at + RANDOM_CALL_BYTES));
  }
  return bytes;
}

describe("the engine's transactions", () => {
  const name = `transactions-${performance.timeOrigin}`;
  after(() => deleteDB(databaseNameOf(name)));

  it("are at most two for 500 single puts of one task, strict and without a read", async () => {
    const { millrace, notedSince } = await openNoting({ name });
    const stream = await millrace.streams.ensure("singles", { shards: 4 });
    assert.isNotEmpty(
      writing(await notedSince()),
      "opening wrote its fence where the test can see",
    );
    const puts = Array.from({ length: SINGLE_PUTS }, (_, i) =>
      stream.putRecord({ partitionKey: `key-${i}`, data: `record ${i}` }),
    );
    const results = await Promise.all(puts);
    const noted = writing(await notedSince());
    const { commits } = await millrace.storage();
    await millrace.close();
    assert.lengthOf(new Set(results.map((result) => result.sequenceNumber)), SINGLE_PUTS);
    assert.isAtLeast(commits, 1);
    assert.isAtLeast(noted.length, 1);
    assert.isAtMost(noted.length, 2);
    for (const transaction of noted) {
      assert.deepEqual(transaction.stores, ["wal"]);
      assert.deepEqual(transaction.requests, ["add"]);
      assert.equal(transaction.durability, "strict");
    }
  });

  it("never read and write at once, from recovery through sealing to trimming", async () => {
    const all: NotedTransaction[] = [];
    const has = (store: string, method: string): boolean =>
      all.some(({ stores, requests }) => stores.includes(store) && requests.includes(method));
    for (let visit = 1; visit <= 2; visit++) {
      const { millrace, notedSince } = await openNoting({
        name,
        memoryBudgetBytes: SMALL_BUDGET_BYTES,
      });
      const stream = await millrace.streams.ensure("large", { shards: 2 });
      const records = Array.from({ length: BATCH_RECORDS }, (_, i) => ({
        partitionKey: `key-${i}`,
        data: noise(RECORD_BYTES),
      }));
      for (let batch = 0; batch < BATCHES; batch++) await stream.putRecords(records);
      let read = 0;
      for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
        if (record.data.byteLength === RECORD_BYTES) read++;
      }
      assert.equal(read, BATCHES * BATCH_RECORDS * visit);
      do all.push(...(await notedSince()));
      while (!has("wal", "delete"));
      await millrace.close();
    }
    assert.isTrue(has("segments", "add"), "segments were sealed");
    assert.isTrue(has("segments", "get"), "segments were read");
    assert.isTrue(has("wal", "get"), "the WAL was recovered");
    assert.deepEqual(writing(all).flatMap(readsIn), []);
  });

  // Chromium with LevelDB, killed while two are unfinished, takes the locks that they left on the disk
  // for corruption and deletes all that the origin has stored.
  it("never write to one database while another one still does", async () => {
    const { millrace, notedSince } = await openNoting({
      name,
      memoryBudgetBytes: SMALL_BUDGET_BYTES,
    });
    const stream = await millrace.streams.ensure("busy", { shards: 4 });
    const records = Array.from({ length: BATCH_RECORDS }, (_, i) => ({
      partitionKey: `key-${i}`,
      data: noise(RECORD_BYTES),
    }));
    let left = BUSY_BATCHES;
    const lane = async (): Promise<void> => {
      for (; left > 0; left--) await stream.putRecords(records);
    };
    await Promise.all(Array.from({ length: 4 }, lane));
    const noted = writing(await notedSince());
    await millrace.close();
    assert.isTrue(
      noted.some(({ stores }) => stores.includes("segments")),
      "segments were sealed",
    );
    assert.isAbove(noted.length, 20);
    assert.lengthOf(
      noted.filter((transaction) => transaction.unfinishedWrites > 0),
      0,
    );
  });
});
