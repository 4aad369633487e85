/** The reading behind the records view, over a real engine in memory. */
import type { ReactiveControllerHost } from "lit";
import { type Millrace, open, type Stream } from "millrace";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PAGE_RECORDS, RecordsController } from "../src/controllers/records-controller.ts";
import { type RecordsAddress, recordsOf } from "../src/places/address.ts";

let millrace: Millrace;
let stream: Stream;
let records: RecordsController;

const host: ReactiveControllerHost = {
  addController: () => undefined,
  removeController: () => undefined,
  requestUpdate: () => undefined,
  updateComplete: Promise.resolve(true),
};

const start: RecordsAddress = recordsOf("clicks");

beforeEach(async () => {
  millrace = await open({ name: "records-view", storage: "memory" });
  stream = await millrace.streams.create("clicks", { shards: 2 });
  records = new RecordsController(host);
});

afterEach(async () => {
  records.close();
  await millrace.close();
});

async function put(count: number, first = 0): Promise<void> {
  const input = Array.from({ length: count }, (_, i) => {
    return { partitionKey: `key-${i % 7}`, data: String(first + i) };
  });
  const { failedRecordCount } = await stream.putRecords(input);
  expect(failedRecordCount).toBe(0);
}

const numbers = (): number[] =>
  records.rows.map(({ data }) => Number(new TextDecoder().decode(data)));

describe("a reading by pages", () => {
  it("goes on where it stopped, over all shards, until it has everything once", async () => {
    await put(1200);
    const counts: number[] = [];
    for (let page = 0; page < 3; page += 1) {
      await records.readPage(stream, start);
      counts.push(records.rows.length);
    }
    expect(counts).toEqual([PAGE_RECORDS, 2 * PAGE_RECORDS, 1200]);
    expect(records.caughtUp).toBe(true);
    expect(numbers().sort((a, b) => a - b)).toEqual(Array.from({ length: 1200 }, (_, i) => i));
  });

  it("finds what came after it had reached the end", async () => {
    await put(3);
    await records.readPage(stream, start);
    await put(2, 3);
    await records.readPage(stream, start);
    expect(numbers()).toHaveLength(5);
    expect(records.error).toBeUndefined();
  });

  it("begins anew at another position, and after the newest there is nothing yet", async () => {
    await put(5);
    await records.readPage(stream, start);
    await records.readPage(stream, { ...start, from: "LATEST" });
    expect(records.rows).toEqual([]);
    await put(1, 9);
    await records.readPage(stream, { ...start, from: "LATEST" });
    expect(numbers()).toEqual([9]);
  });

  it("reads at and after a sequence number, one shard and a time", async () => {
    await put(40);
    await records.readPage(stream, start);
    const all = records.rows;
    const [one] = all.filter(({ shardIndex }) => shardIndex === 1);
    if (one === undefined) throw new Error("no key is in the second shard");
    const sequence = one.sequenceNumber;
    await records.readPage(stream, { ...start, from: "AT_SEQUENCE_NUMBER", sequence });
    expect(records.rows[0]).toEqual(one);
    const ofShard = records.rows.length;
    await records.readPage(stream, { ...start, from: "AFTER_SEQUENCE_NUMBER", sequence });
    expect(records.rows).toHaveLength(ofShard - 1);
    await records.readPage(stream, { ...start, shardIndex: 0 });
    expect(records.rows).toHaveLength(all.length - ofShard);
    await records.readPage(stream, { ...start, from: "AT_TIMESTAMP", atMs: one.arrivalMs });
    expect(records.rows).toHaveLength(all.length);
  });

  it("says the engine's reason when a position cannot be read, and can go on elsewhere", async () => {
    await put(1);
    await records.readPage(stream, { ...start, from: "AT_SEQUENCE_NUMBER", sequence: "12" });
    expect(records.error).toMatchObject({ code: "InvalidArgumentException" });
    await records.readPage(stream, start);
    expect(records.error).toBeUndefined();
    expect(records.rows).toHaveLength(1);
  });

  it("comes to the end of a closed shard, and over all shards goes on in the children", async () => {
    await put(10);
    await stream.split("shardId-000000000000");
    await put(10, 10);
    await records.readPage(stream, { ...start, shardIndex: 0 });
    await records.readPage(stream, { ...start, shardIndex: 0 });
    expect(records.ended).toBe(true);
    await records.readPage(stream, start);
    expect(records.rows).toHaveLength(20);
    expect(records.ended).toBe(false);
  });
});

describe("a live reading", () => {
  const until = async (check: () => void): Promise<void> =>
    await vi.waitFor(check, { timeout: 5000, interval: 20 });

  it("shows what comes, holds it back while paused, and keeps all when it is stopped", async () => {
    await put(2);
    const tail = records.tail(stream, start);
    await until(() => expect(numbers()).toHaveLength(2));
    records.togglePause();
    await put(3, 2);
    await until(() => expect(records.held).toBe(3));
    expect(records.rows).toHaveLength(2);
    records.togglePause();
    expect(numbers()).toHaveLength(5);
    records.stop();
    expect(records.phase).toBe("idle");
    await put(1, 5);
    await tail;
    expect(numbers()).toHaveLength(5);
    await records.readPage(stream, start);
    expect(numbers().sort()).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("that is stopped and begun again shows nothing twice", async () => {
    const first = records.tail(stream, start);
    records.stop();
    const second = records.tail(stream, start);
    await put(4);
    await until(() => expect(records.rows.length).toBeGreaterThanOrEqual(4));
    records.stop();
    await put(1, 4);
    await Promise.all([first, second]);
    expect(numbers().filter((number) => number < 4)).toHaveLength(4);
  });
});
