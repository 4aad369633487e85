/** Puts and reads over an engine that fails in ways that a real one does only in disaster. */
import {
  IndeterminateError,
  type PutRecord,
  StoreFullError,
  ThreadCrashError,
  ThroughputExceededError,
} from "millrace";
import { describe, expect, it } from "vitest";
import type { EngineService } from "../../engine/host/src/service/engine-service.ts";
import { never, type Opened, openDouble } from "../../engine/host/test/rpc/double.ts";
import { Millrace } from "../src/millrace.ts";
import type { Stream } from "../src/stream.ts";
import { failureOf } from "./support.ts";

const DESCRIPTION = {
  name: "clicks",
  uid: 1,
  shards: 1,
  retentionHours: 24,
  recordKibMax: 1024,
  arn: "arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
  mode: "PROVISIONED",
  distribution: "USER_PARTITION_KEY",
  status: "ACTIVE",
  createdMs: 0,
  openShards: [],
  closedShards: [],
} as const;

/** A result in which every record of the batch is stored. */
function stored(batch: ArrayBuffer): ArrayBuffer {
  const count = new DataView(batch).getUint32(8, true);
  const view = new DataView(new ArrayBuffer(32 + 16 + count * 16));
  view.setUint32(0, 0x3141524d, true);
  view.setUint16(4, 1, true);
  view.setUint32(8, count, true);
  view.setUint32(24, 1, true);
  return view.buffer;
}

interface Failing extends Opened {
  readonly millrace: Millrace;
  readonly stream: Stream;
}

async function openFailing(parts: Partial<EngineService>, limits = {}): Promise<Failing> {
  const call = async (): Promise<never> => DESCRIPTION as never;
  const opened = await openDouble({ call, ...parts }, { limits });
  const millrace = new Millrace(opened.client, false);
  return { ...opened, millrace, stream: await millrace.streams.get("clicks") };
}

/** Enough for three batches. */
const RECORDS: PutRecord[] = Array.from({ length: 25_000 }, () => ({
  partitionKey: "k",
  data: "",
}));

describe("a putRecords call of three batches", () => {
  it.each([
    ["the first", 1, 0, 9999],
    ["the second", 2, 10_000, 19_999],
    ["the last", 3, 20_000, 24_999],
  ])(
    "of which %s is refused for certain tells so for its records",
    async (_what, which, from, to) => {
      let batches = 0;
      const { millrace, stream } = await openFailing({
        put: async (batch) => {
          batches += 1;
          if (batches === which) throw new StoreFullError("no space left", { retryAfterMs: 50 });
          return stored(batch);
        },
      });
      const result = await stream.putRecords(RECORDS);
      expect(batches).toBe(3);
      expect(result).toMatchObject({ length: 25_000, failedRecordCount: to - from + 1 });
      const failed = {
        errorCode: "StoreFullException",
        errorMessage: "no space left",
        retryAfterMs: 50,
      };
      for (const i of [from, to]) expect(result.get(i)).toEqual(failed);
      for (const i of [from - 1, to + 1]) {
        if (i >= 0 && i < 25_000) expect(result.get(i)).toHaveProperty("sequenceNumber");
      }
      await millrace.close();
    },
  );

  it("of which one is uncertain rejects, for its records must not look as if they were not stored", async () => {
    let batches = 0;
    const { millrace, stream } = await openFailing({
      put: async (batch) => {
        batches += 1;
        if (new DataView(batch).getBigUint64(32, true) === 2n)
          throw new IndeterminateError("who knows");
        return stored(batch);
      },
    });
    const failure = await failureOf(stream.putRecords(RECORDS));
    expect(failure).toBeInstanceOf(IndeterminateError);
    expect(failure).toMatchObject({ message: "who knows", indeterminate: true });
    expect(batches).toBe(4);
    await millrace.close();
  });

  it("of which all are refused rejects", async () => {
    const { millrace, stream } = await openFailing({
      put: () => Promise.reject(new StoreFullError("no space left")),
    });
    expect(await failureOf(stream.putRecords(RECORDS))).toBeInstanceOf(StoreFullError);
    await millrace.close();
  });
});

describe("a crash", () => {
  it("leaves puts under way indeterminate, and later ones certainly not stored", async () => {
    const { millrace, stream, thread } = await openFailing({ put: () => never });
    const failure = failureOf(stream.putRecord({ partitionKey: "k", data: "x" }));
    await stream.describe();
    thread.fail("gone");
    expect(await failure).toBeInstanceOf(ThreadCrashError);
    expect(await failure).toMatchObject({ indeterminate: true });
    const later = await failureOf(stream.putRecord({ partitionKey: "k", data: "x" }));
    expect(later).toMatchObject({ indeterminate: false });
    expect(millrace.closed).toBe(true);
    await millrace.close();
  });
});

describe("an aborted put", () => {
  it("that waits for room is never sent, and what others wait for is", async () => {
    const sent: number[] = [];
    let answer: () => void = () => undefined;
    const parts: Partial<EngineService> = {
      put: (batch) => {
        sent.push(new DataView(batch).getUint32(8, true));
        return new Promise((resolve) => {
          answer = () => resolve(stored(batch));
        });
      },
    };
    const { millrace, stream } = await openFailing(parts, { outboxBytesMax: 100 });
    const record = { partitionKey: "k", data: "x".repeat(100) };
    const first = stream.putRecord(record);
    await stream.describe();
    const alone = new AbortController();
    const given = failureOf(stream.putRecords([record, record], { signal: alone.signal }));
    await stream.describe();
    const shared = new AbortController();
    const left = failureOf(stream.putRecord(record, { signal: shared.signal }));
    const kept = stream.putRecords([record, record]);
    await stream.describe();
    alone.abort(new Error("alone"));
    shared.abort(new Error("shared"));
    expect(await given).toMatchObject({ message: "alone" });
    expect(await left).toMatchObject({ message: "shared" });
    expect(sent).toEqual([1]);
    answer();
    await first;
    await stream.describe();
    expect(sent).toEqual([1, 3]);
    answer();
    expect(await kept).toMatchObject({ length: 2, failedRecordCount: 0 });
    await millrace.close();
  });
});

describe("a read over its quota", () => {
  it("waits as long as the engine says, and goes on", async () => {
    let reads = 0;
    const { millrace, stream, clock } = await openFailing({
      call: async (operation) =>
        (operation === "resolvePosition"
          ? [{ shardIndex: 0, nextIndex: 0, endIndex: 5 }]
          : DESCRIPTION) as never,
      read: async () => {
        reads += 1;
        if (reads === 1) throw new ThroughputExceededError("slow down", { retryAfterMs: 700 });
        const view = new DataView(new ArrayBuffer(32 + 40));
        view.setUint32(0, 0x3152524d, true);
        view.setUint16(4, 1, true);
        view.setUint32(8, 1, true);
        view.setUint32(32 + 4, 1, true);
        view.setUint32(32 + 16, 5, true);
        return view.buffer;
      },
    });
    const next = stream.read({ from: "TRIM_HORIZON", until: "end" }).next();
    while (reads === 0) await stream.describe();
    await stream.describe();
    await clock.advance(699);
    expect(reads).toBe(1);
    await clock.advance(1);
    expect(await next).toEqual({ done: true, value: undefined });
    expect(reads).toBe(2);
    await millrace.close();
  });
});
