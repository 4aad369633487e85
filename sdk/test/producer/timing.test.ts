/** When calls are made and what they hold, in virtual time over a stream behind a network. */
import { BackpressureError, StoreFullError, ThroughputExceededError } from "millrace";
import { decodeAggregate } from "millrace/aggregation";
import type { Producer } from "millrace/producer";
import { describe, expect, it } from "vitest";
import { failureOf } from "../support.ts";
import { HALVES, numbersByKey, openRemote } from "./support.ts";

const [LOW, HIGH] = HALVES;
const DAY_MS = 86_400_000;

function putAll(producer: Producer, count: number, dataBytes = 0): Promise<unknown>[] {
  const padding = " ".repeat(dataBytes);
  return Array.from({ length: count }, (_, i) =>
    producer.put({ partitionKey: `key-${i}`, data: `${i}${padding}` }),
  );
}

describe("user records wait", () => {
  it("for 100 ms, and not a moment longer", async () => {
    const { clock, remote, producer } = await openRemote();
    const first = producer.put({ partitionKey: "k", data: "1" });
    await clock.advance(60);
    const second = producer.put({ partitionKey: "k", data: "2" });
    await clock.advance(39);
    expect(remote.calls).toEqual([]);
    await clock.advance(1);
    await Promise.all([first, second]);
    expect(remote.calls.map(({ atMs, records }) => [atMs, records.length])).toEqual([[100, 1]]);
    expect(producer.metrics().bufferingMs).toEqual({ count: 2, min: 40, mean: 70, max: 100 });
    const third = producer.put({ partitionKey: "k", data: "3" });
    await clock.advance(100);
    await third;
    expect(remote.calls[1]?.atMs).toBe(200);
  });

  it("not at all when there is no time to wait, those of one task together", async () => {
    const { clock, remote, producer } = await openRemote({ maxBufferedMs: 0 });
    const puts = putAll(producer, 3);
    await clock.advance(0);
    await Promise.all(puts);
    expect(remote.calls).toHaveLength(1);
    expect(decodeAggregate(remote.calls[0]?.records[0]?.data ?? new Uint8Array())).toHaveLength(3);
  });

  it("only as long as theirs is not full: 500 records, 5 MiB, or 256 KiB of one shard", async () => {
    const settings = { aggregation: false, maxBufferedMs: 20_000 };
    const byCount = await openRemote(settings);
    void putAll(byCount.producer, 1001);
    await byCount.clock.advance(10);
    expect(byCount.remote.calls.map(({ records }) => records.length)).toEqual([500, 500]);

    const byShard = await openRemote(settings);
    void putAll(byShard.producer, 26, 10_240);
    await byShard.clock.advance(10);
    expect(byShard.remote.calls.map(({ records }) => records.length)).toEqual([26]);

    const byBytes = await openRemote({ ...settings, collectionMaxBytes: 52_224 }, 2);
    void putAll(byBytes.producer, 11, 10_240);
    await byBytes.clock.advance(10);
    const counts = byBytes.remote.calls.map(({ records }) => records.length);
    expect(counts).toEqual([5, 5]);
  });

  it("in aggregates of at most 51,200 bytes, which go when there are enough of them", async () => {
    const { clock, remote, producer } = await openRemote({ maxBufferedMs: 20_000 });
    const puts = putAll(producer, 400, 1000);
    await clock.advance(10);
    const sizes = remote.stored.map(({ data }) => data.byteLength);
    expect(sizes.length).toBeGreaterThanOrEqual(5);
    for (const size of sizes) {
      expect(size).toBeLessThanOrEqual(51_200);
      expect(size).toBeGreaterThan(50_000);
    }
    await clock.advance(20_000);
    await Promise.all(puts);
    expect(numbersByKey(remote.consumed()).size).toBe(400);
  });

  it("by themselves when their shard's oldest is due, not because another shard's is", async () => {
    const { clock, remote, producer } = await openRemote({}, 2);
    void producer.put({ partitionKey: LOW, data: "1" });
    await clock.advance(50);
    void producer.put({ partitionKey: HIGH, data: "2" });
    await clock.advance(49);
    void producer.put({ partitionKey: LOW, data: "3" });
    await clock.advance(60);
    expect(remote.calls.map(({ atMs, records }) => [atMs, records.length])).toEqual([
      [100, 1],
      [150, 1],
    ]);
    expect(remote.stored.map(({ partitionKey }) => partitionKey)).toEqual(["a", HIGH]);
    expect(decodeAggregate(remote.stored[0]?.data ?? new Uint8Array())).toHaveLength(2);
  });

  it("for no more calls than may be under way", async () => {
    const { clock, remote, producer } = await openRemote({
      ...{ aggregation: false, maxCallsInFlight: 3, collectionMaxCount: 10 },
    });
    remote.fate = () => ({ delayMs: 40 });
    const puts = putAll(producer, 100);
    await clock.advance(39);
    expect(remote.calls).toHaveLength(3);
    await clock.advance(1000);
    await Promise.all(puts);
    expect(remote.calls).toHaveLength(10);
    expect(remote.callsInFlightMax).toBe(3);
    expect(producer.metrics().requestMs).toEqual({ count: 10, min: 40, mean: 40, max: 40 });
  });
});

describe("a shard's rate", () => {
  const shardRate = { recordsPerSecond: 1000, bytesPerSecond: 1_048_576 };

  it("is kept in records: 1,500 at once, then 1,500 a second", async () => {
    const { clock, remote, producer } = await openRemote({ aggregation: false }, 1, 1, {
      shardRate,
    });
    const puts = putAll(producer, 4500);
    await clock.advance(0);
    expect(remote.stored).toHaveLength(1500);
    for (const [ms, count] of [
      [1000, 3000],
      [500, 3750],
      [500, 4500],
    ] as const) {
      await clock.advance(ms);
      expect(Math.abs(remote.stored.length - count)).toBeLessThanOrEqual(2);
    }
    await clock.advance(5);
    await Promise.all(puts);
  });

  it("is kept in bytes, also for records that are larger than it", async () => {
    const traits = { shardRate, recordBytesMax: 10_485_760 };
    const { clock, remote, producer } = await openRemote({ rateLimitPercent: 100 }, 1, 1, traits);
    void producer.put({ partitionKey: "k", data: new Uint8Array(3 * 1_048_576 - 1) });
    const second = producer.put({ partitionKey: "k", data: "small" });
    await clock.advance(1999);
    expect(remote.stored).toHaveLength(1);
    await clock.advance(102);
    await second;
    expect(remote.calls.map(({ atMs }) => Math.round(atMs))).toEqual([0, 2000]);
  });

  it("holds nobody else's records back", async () => {
    const { clock, remote, producer } = await openRemote({ aggregation: false }, 2, 1, {
      shardRate: { recordsPerSecond: 1, bytesPerSecond: 1_048_576 },
    });
    for (let i = 0; i < 5; i++) void producer.put({ partitionKey: LOW, data: `${i}` });
    await clock.advance(100);
    void producer.put({ partitionKey: HIGH, data: "x" });
    await clock.advance(100);
    expect(remote.stored.map(({ partitionKey }) => partitionKey)).toEqual([LOW, HIGH]);
    await clock.advance(5000);
    expect(remote.stored).toHaveLength(6);
  });

  it("does not wake the producer in vain", async () => {
    const { clock, remote, producer } = await openRemote(
      { aggregation: false, collectionMaxCount: 2, recordTtlMs: DAY_MS },
      2,
      1,
      { shardRate: { recordsPerSecond: 0.01, bytesPerSecond: 1_048_576 } },
    );
    for (let i = 0; i < 9; i++) void producer.put({ partitionKey: LOW, data: "x" });
    void producer.put({ partitionKey: HIGH, data: "x" });
    await clock.advance(1000);
    let wakes = 0;
    const after = clock.after.bind(clock);
    clock.after = (delayMs, callback) => {
      wakes += 1;
      return after(delayMs, callback);
    };
    await clock.advance(60_000);
    expect(wakes).toBeLessThan(5);
    expect(remote.stored).toHaveLength(2);
  });
});

describe("retries", () => {
  it("pause at random, longer and longer, and begin anew after a success", async () => {
    const longest: number[] = [];
    for (let seed = 1; seed <= 40; seed++) {
      const { clock, remote, producer } = await openRemote({ backoffMaxMs: 300 }, 1, seed);
      const refused = { refuses: () => true };
      remote.fates = [refused, refused, refused, refused, refused, {}, refused];
      const put = producer.put({ partitionKey: "k", data: "1" });
      await clock.advance(5000);
      expect((await put).attempts).toHaveLength(6);
      void producer.put({ partitionKey: "k", data: "2" });
      await clock.advance(5000);
      const times = remote.calls.map(({ atMs }) => atMs);
      expect(times).toHaveLength(8);
      for (const [i, limitMs] of [50, 100, 200, 300, 300].entries()) {
        const pauseMs = (times[i + 1] ?? 0) - (times[i] ?? 0);
        expect(pauseMs).toBeGreaterThanOrEqual(0);
        expect(pauseMs).toBeLessThanOrEqual(limitMs);
        longest[i] = Math.max(longest[i] ?? 0, pauseMs / limitMs);
      }
      expect((times[7] ?? 0) - (times[6] ?? 0)).toBeLessThanOrEqual(50);
    }
    for (const part of longest) expect(part).toBeGreaterThan(0.8);
  });

  it("pause at least as long as the service says", async () => {
    const { clock, remote, producer } = await openRemote({ backoffBaseMs: 1, backoffMaxMs: 1 });
    remote.fates = [{ refuses: () => true, retryAfterMs: 700 }];
    const put = producer.put({ partitionKey: "k", data: "1" });
    await clock.advance(799);
    expect(remote.calls).toHaveLength(1);
    await clock.advance(2);
    expect((await put).attempts).toHaveLength(2);
  });

  it("are made of the refused records alone, and hold back no other shard", async () => {
    const { clock, remote, producer } = await openRemote({ aggregation: false }, 2);
    remote.fates = [{ refuses: ({ partitionKey }) => partitionKey === LOW, retryAfterMs: 500 }];
    const low = producer.put({ partitionKey: LOW, data: "1" });
    const high = producer.put({ partitionKey: HIGH, data: "2" });
    await clock.advance(100);
    expect((await high).attempts).toHaveLength(1);
    const later = producer.put({ partitionKey: HIGH, data: "3" });
    await clock.advance(100);
    await later;
    await clock.advance(1000);
    expect((await low).attempts).toHaveLength(2);
    expect(remote.stored.map(({ partitionKey }) => partitionKey)).toEqual([HIGH, HIGH, LOW]);
    expect(producer.metrics()).toMatchObject({ retries: 1, userRecordsPut: 3 });
  });

  it("follow calls that failed as a whole when the error says so", async () => {
    const { clock, remote, producer } = await openRemote();
    remote.fates = [{ throws: new StoreFullError("full") }];
    const put = producer.put({ partitionKey: "k", data: "1" });
    await clock.advance(500);
    expect((await put).attempts.map(({ error }) => error?.code)).toEqual([
      "StoreFullException",
      undefined,
    ]);
    remote.fates = [{ throws: new Error("a defect") }];
    const failing = failureOf(producer.put({ partitionKey: "k", data: "2" }));
    await clock.advance(500);
    expect(await failing).toMatchObject({ code: "InternalFailureException" });
    const strict = await openRemote({ failIfThrottled: true });
    strict.remote.fates = [{ throws: new ThroughputExceededError("slow down") }];
    const throttled = failureOf(strict.producer.put({ partitionKey: "k", data: "3" }));
    await strict.clock.advance(500);
    expect(await throttled).toMatchObject({ code: "ProvisionedThroughputExceededException" });
  });

  it("end at the time to live, to the millisecond, also of members of one aggregate apart", async () => {
    const { clock, remote, producer } = await openRemote({ recordTtlMs: 1000 });
    const times: number[] = [];
    const note = (): number => times.push(clock.monotonicMs());
    remote.fate = () => ({ refuses: () => true, retryAfterMs: 90 });
    producer.put({ partitionKey: "k", data: "1" }).catch(note);
    await clock.advance(50);
    producer.put({ partitionKey: "k", data: "2" }).catch(note);
    await clock.advance(2000);
    expect(times).toEqual([1000, 1050]);
    expect(producer.outstandingRecords).toBe(0);
    expect(producer.metrics()).toMatchObject({ userRecordsFailed: 2, userRecordsPending: 0 });
    expect(clock.pendingTimers).toBe(0);
  });
});

it("the time to live ends for each when it is due, also when shards were merged", async () => {
  const { clock, remote, producer } = await openRemote(
    { recordTtlMs: 1000, aggregation: false, maxBufferedMs: 0 },
    2,
  );
  remote.fate = () => ({ refuses: () => true, retryAfterMs: 5000 });
  const times: number[] = [];
  for (const partitionKey of [LOW, HIGH, LOW, HIGH]) {
    producer.put({ partitionKey, data: "x" }).catch(() => times.push(clock.monotonicMs()));
    await clock.advance(50);
  }
  remote.merge(0);
  // Too large for what is known of the stream, so that it is asked about anew.
  await failureOf(producer.put({ partitionKey: LOW, data: new Uint8Array(1_048_576) }));
  await clock.advance(2000);
  expect(times).toEqual([1000, 1050, 1100, 1150]);
  expect(remote.listings).toBe(2);
});

describe("back-pressure", () => {
  it("lets no more in than the buffers hold, and in the order of the puts", async () => {
    const { clock, remote, producer } = await openRemote({
      ...{ bufferMaxBytes: 65_536, orderedBy: "partitionKey" },
    });
    remote.fate = () => ({ delayMs: 10 });
    const puts = Array.from({ length: 300 }, (_, i) =>
      producer.put({ partitionKey: "k", data: String(i).padStart(1000, "0") }),
    );
    let readyMs: number | undefined;
    void producer.ready().then(() => {
      readyMs = clock.monotonicMs();
    });
    expect(producer.outstandingRecords).toBe(300);
    while (producer.outstandingRecords > 0) {
      expect(producer.bufferedBytes).toBeLessThanOrEqual(65_536);
      await clock.advance(5);
    }
    await Promise.all(puts);
    expect(numbersByKey(remote.consumed()).get("k")).toEqual(
      Array.from({ length: 300 }, (_, i) => i),
    );
    expect(readyMs).toBeGreaterThan(30);
    await producer.ready();
  });

  it("refuses who waited in line for a whole life", async () => {
    const { clock, remote, producer } = await openRemote({
      ...{ bufferMaxBytes: 65_536, recordTtlMs: 400 },
    });
    remote.fate = () => ({ delayMs: 10_000 });
    const first = producer.put({ partitionKey: "k", data: new Uint8Array(65_535) });
    await clock.advance(100);
    let refusedMs: number | undefined;
    const second = failureOf(producer.put({ partitionKey: "k", data: "2" })).then((error) => {
      refusedMs = clock.monotonicMs();
      return error;
    });
    await clock.advance(1000);
    expect(await second).toBeInstanceOf(BackpressureError);
    expect(refusedMs).toBe(500);
    await clock.advance(10_000);
    await first;
    expect(remote.stored).toHaveLength(1);
    expect(producer.outstandingRecords).toBe(0);
  });

  it("lets one in that is larger than all buffers", async () => {
    const { clock, producer } = await openRemote({ bufferMaxBytes: 65_536 });
    const put = producer.put({ partitionKey: "k", data: new Uint8Array(1_000_000) });
    await clock.advance(100);
    expect((await put).subSequenceNumber).toBe(0);
  });
});

describe("an answer that lacks outcomes", () => {
  it("leaves open what came of their records, and puts them once", async () => {
    const { clock, remote, producer } = await openRemote({ aggregation: false });
    remote.fates = [{ told: 1 }];
    const [first, ...rest] = putAll(producer, 3);
    const failures = Promise.all(rest.map(failureOf));
    await clock.advance(5000);
    await first;
    for (const failure of await failures) {
      expect(failure).toMatchObject({ code: "InternalFailureException", indeterminate: true });
    }
    expect(remote.stored).toHaveLength(3);
  });
});

describe("shards that nobody knows", () => {
  async function stray(listings: Error[]) {
    const opened = await openRemote({ recordTtlMs: 3000 });
    opened.remote.split(0);
    opened.remote.hidden.add("shardId-000000000001");
    opened.remote.listingFailures = listings;
    const puts = [LOW, HIGH].map((partitionKey) =>
      opened.producer.put({ partitionKey, data: "1" }),
    );
    return { ...opened, puts };
  }

  it("are asked for until they are known; nothing is put meanwhile", async () => {
    const { clock, remote, producer, puts } = await stray([new StoreFullError("not now")]);
    await clock.advance(1000);
    expect(remote.listings).toBeGreaterThan(2);
    const later = producer.put({ partitionKey: HIGH, data: "2" });
    await clock.advance(500);
    expect(remote.calls).toHaveLength(1);
    remote.hidden.clear();
    await clock.advance(2000);
    await Promise.all([...puts, later]);
    expect(numbersByKey(remote.consumed())).toEqual(
      new Map([
        [LOW, [1]],
        [HIGH, [1, 2]],
      ]),
    );
  });

  it("leave it open what came of the records when they stay unknown", async () => {
    const { clock, puts } = await stray([]);
    const failures = Promise.all(puts.map(failureOf));
    await clock.advance(6000);
    for (const failure of await failures) {
      expect(failure).toMatchObject({ code: "WrongShardException", indeterminate: true });
    }
  });

  it("fail what is open when they cannot be asked for", async () => {
    const { clock, producer, puts } = await stray([new Error("gone")]);
    const failures = Promise.all(puts.map(failureOf));
    await clock.advance(100);
    const later = producer.put({ partitionKey: LOW, data: "2" });
    await clock.advance(6000);
    for (const failure of await failures) expect(failure).toMatchObject({ indeterminate: true });
    // There is a stream, after all: one by itself is nobody's aggregate.
    expect((await later).shardId).toBe("shardId-000000000001");
  });
});

describe("strays that come when the shards were just learned", () => {
  it("are settled as well, whenever that is", async () => {
    // Which turn of the queue is the bad one, depends on how the calls wait for each other.
    for (let turns = 0; turns < 24; turns++) {
      const { clock, remote, producer } = await openRemote({ maxBufferedMs: 0 });
      remote.split(0);
      let listed = (): void => undefined;
      const listing = new Promise<void>((resolve) => {
        listed = resolve;
      });
      const { listShards, putRecords } = remote;
      remote.listShards = async () => {
        const answer = await listShards.call(remote);
        clock.after(50, listed);
        await listing;
        return answer;
      };
      let calls = 0;
      remote.putRecords = async (records) => {
        calls += 1;
        const second = calls === 2;
        const outcomes = await putRecords.call(remote, records);
        if (second) {
          await listing;
          for (let turn = 0; turn < turns; turn++) await Promise.resolve();
        }
        return outcomes;
      };
      const puts: Promise<unknown>[] = [];
      for (const data of ["1", "2"]) {
        puts.push(...[LOW, HIGH].map((partitionKey) => producer.put({ partitionKey, data })));
        // The first two go in a call of their own.
        await Promise.resolve();
      }
      let settled = 0;
      for (const put of puts) void put.then(() => (settled += 1));
      await clock.advance(5000);
      expect([turns, settled]).toEqual([turns, 4]);
    }
  });
});

describe("order by key", () => {
  it("has one record of a shard under way where the stream promises no order", async () => {
    const { clock, remote, producer } = await openRemote(
      { orderedBy: "partitionKey", aggregation: false, maxBufferedMs: 0 },
      2,
    );
    remote.fate = () => ({ delayMs: 10 });
    for (let i = 0; i < 3; i++) {
      for (const partitionKey of HALVES) void producer.put({ partitionKey, data: `${i}` });
    }
    await clock.advance(100);
    expect(
      remote.calls.map(({ records }) => records.map(({ partitionKey }) => partitionKey).sort()),
    ).toEqual([
      [LOW, HIGH],
      [LOW, HIGH],
      [LOW, HIGH],
    ]);
  });
});

it("is over when its page is: everything goes at once", async () => {
  const { remote, producer } = await openRemote({ aggregation: false, maxCallsInFlight: 1 }, 2, 1, {
    shardRate: { recordsPerSecond: 1, bytesPerSecond: 1000 },
  });
  void putAll(producer, 1200);
  producer.leave();
  expect(remote.calls.map(({ records }) => records.length)).toEqual([500, 500, 200]);
});
