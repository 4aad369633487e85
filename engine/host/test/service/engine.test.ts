import { PART_TRIMMED, STATUS_RECORD_RATE } from "@millrace/core/layout";
import { describe, expect, it } from "vitest";
import { MillraceError } from "../../src/errors/errors.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { StreamDescription } from "../../src/service/engine-service.ts";
import { buildBatch, readResult, readSlice } from "../support/batches.ts";
import { numberOf, someRecords, TestEngine } from "../support/engines.ts";

const never = new AbortController().signal;

async function failureOf(promise: Promise<unknown>): Promise<MillraceError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
  throw new Error("the call succeeded");
}

function read(
  engine: TestEngine,
  stream: StreamDescription,
  nextIndex: number,
  waitMs: number,
): Promise<ArrayBuffer> {
  return engine.service.read(
    {
      streamUid: stream.uid,
      cursors: [{ shardIndex: 0, nextIndex }],
      recordsMax: 100,
      bytesMax: 1_048_576,
      waitMs,
    },
    never,
  );
}

describe("an engine", () => {
  it("gives back what was put, in order, and again after it was opened anew", async () => {
    const platform = virtualPlatform();
    const first = await TestEngine.open(platform);
    const stream = await first.createStream("clicks", 2);
    const rows = await first.put(stream, someRecords(200));
    expect(rows.every((row) => row.status === 0)).toBe(true);
    const before = await first.readAll(stream);
    expect(before).toHaveLength(200);
    for (const shard of [0, 1]) {
      const numbers = before.filter((one) => one.shardIndex === shard).map(numberOf);
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    }
    await first.service.close();

    const second = await TestEngine.open(platform);
    const [again] = await second.service.call("listStreams", {});
    expect(again).toEqual(stream);
    expect(await second.readAll(stream)).toEqual(before);
    await second.service.close();
  });

  it("keeps sequence indexes growing over reopenings, also when nothing was written between", async () => {
    const platform = virtualPlatform();
    let last = -1;
    for (let life = 0; life < 4; life++) {
      const engine = await TestEngine.open(platform);
      const stream =
        life === 0
          ? await engine.createStream()
          : await engine.service.call("describeStream", { name: "clicks" });
      const rows = life === 2 ? [] : await engine.put(stream, someRecords(3, 50, life * 3));
      for (const row of rows) {
        expect(row.index).toBeGreaterThan(last);
        last = row.index;
      }
      await engine.service.close();
      await platform.clock.advance(1000);
    }
  });

  it("wakes a waiting read at the commit", async () => {
    const engine = await TestEngine.open(virtualPlatform());
    const stream = await engine.createStream();
    const waiting = read(engine, stream, 0, 60_000);
    await engine.put(stream, someRecords(1));
    const [part] = readSlice(await waiting);
    expect(part?.records.map(numberOf)).toEqual([0]);
    await engine.service.close();
  });

  it("answers a waiting read with an empty slice when its time is up", async () => {
    const platform = virtualPlatform();
    const engine = await TestEngine.open(platform);
    const stream = await engine.createStream();
    const waiting = read(engine, stream, 0, 5000);
    await new Promise((resolve) => setImmediate(resolve));
    await platform.clock.advance(5001);
    const [part] = readSlice(await waiting);
    expect(part?.records).toEqual([]);
    await engine.service.close();
  });

  it("appends a batch that is sent twice once and answers alike, also after reopening", async () => {
    const platform = virtualPlatform();
    const engine = await TestEngine.open(platform);
    const stream = await engine.createStream("clicks", 3);
    const batch = { streamUid: stream.uid, batchNumber: 1, records: someRecords(50), producer: 77 };
    const [first, joined] = await Promise.all([
      engine.service.put(buildBatch(batch)),
      engine.service.put(buildBatch(batch)),
    ]);
    const later = await engine.service.put(buildBatch(batch));
    expect(readResult(joined)).toEqual(readResult(first));
    expect(readResult(later)).toEqual(readResult(first));
    await engine.service.close();
    const reopened = await TestEngine.open(platform);
    const repeated = await reopened.service.put(buildBatch(batch));
    expect(readResult(repeated)).toEqual(readResult(first));
    expect(await reopened.readAll(stream)).toHaveLength(50);
    await reopened.service.close();
  });

  it("says that it cannot tell for a batch of a producer it never met", async () => {
    const engine = await TestEngine.open(virtualPlatform());
    const stream = await engine.createStream();
    const batch = { streamUid: stream.uid, batchNumber: 9, records: someRecords(1), producer: 5 };
    const error = await failureOf(engine.service.put(buildBatch(batch)));
    expect(error.indeterminate).toBe(true);
    await engine.service.close();
  });

  it("throttles at 1,000 records per second and shard, and not without quotas", async () => {
    for (const quotas of ["aws", "unlimited"] as const) {
      const platform = virtualPlatform();
      const engine = await TestEngine.open(platform, { quotas });
      const stream = await engine.createStream();
      const rows = await engine.put(stream, someRecords(1500, 10));
      const accepted = rows.filter((row) => row.status === 0).length;
      expect(accepted).toBe(quotas === "aws" ? 1000 : 1500);
      if (quotas === "aws") {
        expect(rows[1000]?.status).toBe(STATUS_RECORD_RATE);
        const metrics = await engine.service.call("shardMetrics", { name: "clicks" });
        expect(metrics[0]).toMatchObject({ incomingRecords: 1000, throttledRecords: 500 });
        await platform.clock.advance(500);
        const more = await engine.put(stream, someRecords(1000, 10));
        expect(more.filter((row) => row.status === 0)).toHaveLength(500);
      }
      await engine.service.close();
    }
  });

  it("throttles the sixth read within a second, and pauses after 10 MiB", async () => {
    const platform = virtualPlatform();
    const engine = await TestEngine.open(platform, { quotas: "aws" });
    const stream = await engine.createStream();
    await engine.put(stream, someRecords(10, 100));
    for (let i = 0; i < 5; i++) await read(engine, stream, 0, 0);
    const error = await failureOf(read(engine, stream, 0, 0));
    expect(error.code).toBe("ProvisionedThroughputExceededException");
    expect(error.retryAfterMs).toBe(200);
    await platform.clock.advance(200);
    expect(readSlice(await read(engine, stream, 0, 0))[0]?.records).toHaveLength(10);
    await engine.service.close();
  });

  it("refuses a second engine of the same name, and lets it in after close", async () => {
    const platform = virtualPlatform();
    const first = await TestEngine.open(platform);
    const error = await failureOf(TestEngine.open(platform));
    expect(error).toMatchObject({ name: "EngineInUseError", argument: "name", value: "test" });
    await first.service.close();
    const second = await TestEngine.open(platform);
    await second.service.close();
  });

  it("deletes a stream with its records and takes a new one of the name with later numbers", async () => {
    const platform = virtualPlatform();
    const engine = await TestEngine.open(platform);
    const old = await engine.createStream();
    await engine.put(old, someRecords(5));
    await engine.service.call("deleteStream", { name: "clicks" });
    const error = await failureOf(engine.service.call("describeStream", { name: "clicks" }));
    expect(error.code).toBe("ResourceNotFoundException");
    const fresh = await engine.createStream();
    expect(fresh.uid).not.toBe(old.uid);
    const [oldShard, newShard] = [old.openShards[0], fresh.openShards[0]];
    expect(
      BigInt(newShard?.startingSequenceNumber ?? 0) > BigInt(oldShard?.startingSequenceNumber ?? 0),
    ).toBe(true);
    expect(await engine.readAll(fresh)).toEqual([]);
    await engine.service.close();
    const reopened = await TestEngine.open(platform);
    expect(await reopened.readAll(fresh)).toEqual([]);
    await reopened.service.close();
  });

  it("drops records after their retention, and tells a reader that was behind", async () => {
    const platform = virtualPlatform();
    const engine = await TestEngine.open(platform);
    const stream = await engine.createStream();
    await engine.put(stream, someRecords(5));
    await platform.clock.advance(26 * 3_600_000);
    const late = await engine.put(stream, someRecords(2, 100, 100));
    const all = await engine.readAll(stream);
    expect(all.map(numberOf)).toEqual([100, 101]);
    const [part] = readSlice(await read(engine, stream, 1, 0));
    expect((part?.flags ?? 0) & PART_TRIMMED).toBe(PART_TRIMMED);
    expect(part?.records[0]?.index).toBe(late[0]?.index);
    await engine.service.close();
    const reopened = await TestEngine.open(platform);
    expect((await reopened.readAll(stream)).map(numberOf)).toEqual([100, 101]);
    expect(await reopened.service.call("dataLoss", {})).toEqual([]);
    await reopened.service.close();
  });

  it("resolves every starting position", async () => {
    const platform = virtualPlatform();
    const engine = await TestEngine.open(platform);
    const stream = await engine.createStream();
    await engine.put(stream, someRecords(3));
    await platform.clock.advance(10_000);
    const middleMs = platform.clock.nowMs();
    await engine.put(stream, someRecords(3, 100, 3));
    const at = async (timestampMs: number): Promise<number[]> =>
      (await engine.readAll(stream, { type: "AT_TIMESTAMP", timestampMs })).map(numberOf);
    expect(await at(0)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await at(middleMs)).toEqual([3, 4, 5]);
    expect(await at(middleMs + 1)).toEqual([]);
    expect(await engine.readAll(stream, { type: "LATEST" })).toEqual([]);
    await engine.service.close();
  });

  it("reads at a time also in segments that left the memory", async () => {
    const platform = virtualPlatform();
    const engine = await TestEngine.open(platform, { memoryBudgetBytes: 16 * 1024 * 1024 });
    const stream = await engine.createStream();
    const times: number[] = [];
    for (let i = 0; i < 40; i++) {
      times.push(platform.clock.nowMs());
      await engine.put(stream, someRecords(500, 1000, i * 500));
      await platform.clock.advance(1000);
    }
    const all = await engine.readAll(stream);
    expect(all.map(numberOf)).toEqual(Array.from({ length: 20_000 }, (_, i) => i));
    const from = await engine.readAll(stream, { type: "AT_TIMESTAMP", timestampMs: times[3] ?? 0 });
    expect(numberOf(from[0] ?? { data: new Uint8Array(4) })).toBe(1500);
    await engine.service.close();
  });

  it("refuses what a stream or an engine cannot be, naming argument, value and limit", async () => {
    const engine = await TestEngine.open(virtualPlatform());
    const spec = { name: "s", shards: 1, retentionHours: 24, recordKibMax: 1024 };
    const bad: [Partial<typeof spec>, string][] = [
      [{ name: "" }, "name"],
      [{ name: "a b" }, "name"],
      [{ shards: 0 }, "shards"],
      [{ shards: 501 }, "shards"],
      [{ shards: 1.5 }, "shards"],
      [{ retentionHours: 23 }, "retentionHours"],
      [{ retentionHours: 8761 }, "retentionHours"],
      [{ recordKibMax: 10_241 }, "recordKibMax"],
    ];
    for (const [change, argument] of bad) {
      const error = await failureOf(engine.service.call("createStream", { ...spec, ...change }));
      expect(error).toMatchObject({ code: "InvalidArgumentException", argument });
      expect(error.limit).toBeDefined();
    }
    await engine.service.call("createStream", { ...spec, shards: 499 });
    const full = await failureOf(
      engine.service.call("createStream", { ...spec, name: "t", shards: 2 }),
    );
    expect(full).toMatchObject({ code: "LimitExceededException", limit: 1 });
    const twice = await failureOf(engine.service.call("createStream", spec));
    expect(twice.code).toBe("ResourceInUseException");
    await engine.service.close();
    const closed = await failureOf(engine.service.call("listStreams", {}));
    expect(closed.name).toBe("EngineClosedError");
  });
});
