import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { framePrincipal } from "../../../src/access/principals.ts";
import { parseIterator } from "../../../src/model/iterator-token.ts";
import type { InputOf } from "../../../src/model/shapes.ts";
import { formatSequenceNumber } from "../../../src/sequence/sequence-number.ts";
import { iteratorOperations } from "../../../src/service/operations/iterators.ts";
import { retentionOperations } from "../../../src/service/operations/retention.ts";
import { shardOperations } from "../../../src/service/operations/shards.ts";
import { streamOperations } from "../../../src/service/operations/streams.ts";
import { hashKeyOf, middleOf, splitsAt } from "../../../src/streams/hash-ranges.ts";
import { isOpen, openShardsOf } from "../../../src/streams/lineage.ts";
import { failureOf } from "../../support/failures.ts";
import { openContext, type TestContext } from "../../support/operations.ts";

const table = {
  ...streamOperations,
  ...shardOperations,
  ...retentionOperations,
  ...iteratorOperations,
};
const StreamName = "clicks";
const ShardId = "shardId-000000000000";
const HOUR_MS = 3_600_000;

type Seek = Omit<InputOf<"GetShardIterator">, "StreamName">;

async function open(transitionMs = 0): Promise<TestContext> {
  const test = await openContext({ transitionMs });
  await test.invoke(table, "CreateStream", { StreamName, ShardCount: 1 });
  await test.advance(transitionMs);
  return test;
}

async function iteratorOf(test: TestContext, input: Seek): Promise<string> {
  const output = await test.invoke(table, "GetShardIterator", { StreamName, ...input });
  return output.ShardIterator ?? "";
}

/** Numbers that the records after an iterator hold. */
async function seek(test: TestContext, input: Seek): Promise<number[]> {
  const { shardIndex, nextIndex } = parseIterator(await iteratorOf(test, input));
  const part = await test.read(test.context.catalogue.get(StreamName), shardIndex, nextIndex);
  return part.records.map(({ data }) => data[0] ?? -1);
}

async function put(test: TestContext, ...numbers: number[]): Promise<string[]> {
  const stream = test.context.catalogue.get(StreamName);
  const records = numbers.map((number) => ({ key: "k", data: new Uint8Array([number]) }));
  const rows = await test.put(stream, records);
  return rows.map(({ shardIndex, index }) => {
    const shard = stream.shards.find((one) => one.shardIndex === shardIndex);
    return formatSequenceNumber({
      createdSeconds: shard?.createdSeconds ?? 0,
      sequenceIndex: index,
      arrivalSeconds: Math.floor(test.platform.clock.nowMs() / 1000),
      shardIndex,
    });
  });
}

describe("a shard iterator", () => {
  it("stands where its type says, in a shard that grows", async () => {
    const test = await open();
    const startMs = test.platform.clock.nowMs();
    const [first = ""] = await put(test, 1);
    await test.advance(1000);
    const [second = "", third = ""] = await put(test, 2, 3);
    await test.advance(1000);
    const at = (type: Seek["ShardIteratorType"], more: Partial<Seek> = {}) =>
      seek(test, { ShardId, ShardIteratorType: type, ...more });
    expect(await at("TRIM_HORIZON")).toEqual([1, 2, 3]);
    expect(await at("LATEST")).toEqual([]);
    expect(await at("AT_SEQUENCE_NUMBER", { StartingSequenceNumber: second })).toEqual([2, 3]);
    expect(await at("AFTER_SEQUENCE_NUMBER", { StartingSequenceNumber: first })).toEqual([2, 3]);
    expect(await at("AFTER_SEQUENCE_NUMBER", { StartingSequenceNumber: third })).toEqual([]);
    const timed = async (ms: number) => at("AT_TIMESTAMP", { Timestamp: new Date(startMs + ms) });
    expect(await timed(-1)).toEqual([1, 2, 3]);
    expect(await timed(0)).toEqual([1, 2, 3]);
    expect(await timed(1)).toEqual([2, 3]);
    expect(await timed(1000)).toEqual([2, 3]);
    expect(await timed(1001)).toEqual([]);
    expect(await timed(2000)).toEqual([]);
    const latest = parseIterator(await iteratorOf(test, { ShardId, ShardIteratorType: "LATEST" }));
    await put(test, 4);
    const stream = test.context.catalogue.get(StreamName);
    const part = await test.read(stream, 0, latest.nextIndex);
    expect(part.records.map(({ data }) => data[0])).toEqual([4]);
    await test.close();
  });

  it("stands at the end of an empty shard, whatever its type, and at once", async () => {
    const test = await open();
    const Timestamp = new Date(test.platform.clock.nowMs());
    const output = await test.invoke(table, "ListShards", { StreamName });
    const range = output.Shards?.[0]?.SequenceNumberRange;
    const seeks: Seek[] = [
      { ShardId, ShardIteratorType: "TRIM_HORIZON" },
      { ShardId, ShardIteratorType: "LATEST" },
      { ShardId, ShardIteratorType: "AT_TIMESTAMP", Timestamp },
      {
        ShardId,
        ShardIteratorType: "AT_SEQUENCE_NUMBER",
        StartingSequenceNumber: range?.StartingSequenceNumber,
      },
    ];
    const iterators = await Promise.all(seeks.map((one) => iteratorOf(test, one)));
    await put(test, 7);
    const stream = test.context.catalogue.get(StreamName);
    for (const iterator of iterators) {
      const part = await test.read(stream, 0, parseIterator(iterator).nextIndex);
      expect(part.records.map(({ data }) => data[0])).toEqual([7]);
    }
    await test.close();
  });

  it("says who it is for, and when it was given out", async () => {
    const test = await open();
    const stream = test.context.catalogue.get(StreamName);
    const iterator = await iteratorOf(test, { ShardId: "0", ShardIteratorType: "LATEST" });
    expect(parseIterator(iterator)).toEqual({
      streamUid: stream.uid,
      shardIndex: 0,
      createdSeconds: stream.shards[0]?.createdSeconds,
      nextIndex: 1,
      issuedMs: test.platform.clock.nowMs(),
    });
    await test.close();
  });

  it("skips nothing after the shard's own starting sequence number", async () => {
    const test = await open();
    await put(test, 1, 2);
    const { Shards } = await test.invoke(table, "ListShards", { StreamName });
    const StartingSequenceNumber = Shards?.[0]?.SequenceNumberRange.StartingSequenceNumber;
    for (const type of ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"] as const) {
      const input = { ShardId, ShardIteratorType: type, StartingSequenceNumber };
      expect(await seek(test, input)).toEqual([1, 2]);
    }
    await test.close();
  });

  it("ends a closed shard at its ending sequence number", async () => {
    const test = await open();
    await put(test, 1, 2);
    const at = String(1n << 127n);
    await test.invoke(table, "SplitShard", {
      StreamName,
      ShardToSplit: ShardId,
      NewStartingHashKey: at,
    });
    const { Shards } = await test.invoke(table, "ListShards", { StreamName });
    const StartingSequenceNumber = Shards?.[0]?.SequenceNumberRange.EndingSequenceNumber;
    for (const type of ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"] as const) {
      const input = { ShardId, ShardIteratorType: type, StartingSequenceNumber };
      expect(await seek(test, input)).toEqual([]);
      expect(parseIterator(await iteratorOf(test, input)).nextIndex).toBe(3);
    }
    expect(await seek(test, { ShardId, ShardIteratorType: "TRIM_HORIZON" })).toEqual([1, 2]);
    expect(await seek(test, { ShardId, ShardIteratorType: "LATEST" })).toEqual([]);
    await test.close();
  });

  it("passes over what retention no longer keeps", async () => {
    const test = await open();
    const [first = ""] = await put(test, 1);
    const startMs = test.platform.clock.nowMs();
    test.platform.clock.advanceBy(HOUR_MS);
    await put(test, 2);
    test.platform.clock.advanceBy(23 * HOUR_MS + 1);
    const seeks: Seek[] = [
      { ShardId, ShardIteratorType: "TRIM_HORIZON" },
      { ShardId, ShardIteratorType: "AT_SEQUENCE_NUMBER", StartingSequenceNumber: first },
      { ShardId, ShardIteratorType: "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber: first },
      { ShardId, ShardIteratorType: "AT_TIMESTAMP", Timestamp: new Date(startMs) },
    ];
    for (const one of seeks) expect(await seek(test, one)).toEqual([2]);
    await test.close();
  });

  it.each([
    [
      "AT_SEQUENCE_NUMBER",
      {},
      /Request specified AT_SEQUENCE_NUMBER and no StartingSequenceNumber\.$/,
    ],
    ["AFTER_SEQUENCE_NUMBER", {}, /Request specified AFTER_SEQUENCE_NUMBER and no Starting/],
    ["LATEST", { StartingSequenceNumber: "1" }, /Request specified LATEST and also a Starting/],
    ["TRIM_HORIZON", { StartingSequenceNumber: "1" }, /TRIM_HORIZON and also a Starting/],
    ["AT_TIMESTAMP", { StartingSequenceNumber: "1" }, /AT_TIMESTAMP and also a Starting/],
    [
      "AT_TIMESTAMP",
      {},
      /^Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP\./,
    ],
    ["LATEST", { Timestamp: new Date(0) }, /^Must not specify timestampInMillis/],
    [
      "AT_TIMESTAMP",
      { Timestamp: new Date(Date.UTC(2026, 0, 1) + 1) },
      /^The timestampInMillis parameter cannot be greater than the currentTimestampInMillis\. timestampInMillis: 1767225600001, currentTimestampInMillis: 1767225600000$/,
    ],
    [
      "AT_SEQUENCE_NUMBER",
      { StartingSequenceNumber: "0" },
      /because it did not come from this stream\.$/,
    ],
    [
      "AT_SEQUENCE_NUMBER",
      { StartingSequenceNumber: "5" },
      /^Invalid StartingSequenceNumber\. It encodes shardId-000000000005, while it was used in a call to a shard with shardId-000000000000$/,
    ],
    [
      "AT_SEQUENCE_NUMBER",
      { StartingSequenceNumber: "9".repeat(60) },
      /under account 000000000000 is invalid\.$/,
    ],
  ] as const)("of type %s is refused with %o", async (type, more, message) => {
    const test = await open();
    const input = { ShardId, ShardIteratorType: type, ...more };
    const failure = await failureOf(iteratorOf(test, input));
    expect(failure.code).toBe("InvalidArgumentException");
    expect(failure.message).toMatch(message);
    await test.close();
  });

  it("is refused with a number of a deleted stream of the same name, or of a version long gone", async () => {
    const test = await open();
    const [number = ""] = await put(test, 1);
    await test.invoke(table, "DeleteStream", { StreamName });
    await test.invoke(table, "CreateStream", { StreamName, ShardCount: 1 });
    const created = (1_400_000_000).toString(16).padStart(9, "0");
    const version1 = BigInt(`0x2${created}${"0".repeat(28)}000000001`).toString();
    for (const StartingSequenceNumber of [number, version1]) {
      const input = {
        ShardId,
        ShardIteratorType: "AT_SEQUENCE_NUMBER",
        StartingSequenceNumber,
      } as const;
      const failure = await failureOf(iteratorOf(test, input));
      expect(failure.message).toMatch(/is invalid because it did not come from this stream\.$/);
    }
    await test.close();
  });

  it("is refused for what is not there, or not for everybody, and in a dry run", async () => {
    const test = await open();
    const missing = await failureOf(
      iteratorOf(test, { ShardId: "shardId-000000000001", ShardIteratorType: "LATEST" }),
    );
    expect(missing.code).toBe("ResourceNotFoundException");
    const dry = await failureOf(
      iteratorOf(test, { ShardId, ShardIteratorType: "LATEST", DryRun: true }),
    );
    expect(dry.code).toBe("DryRunOperationException");
    const input = { StreamName, ShardId, ShardIteratorType: "LATEST" } as const;
    const stranger = framePrincipal("https://shop.example");
    const denied = await failureOf(test.invoke(table, "GetShardIterator", input, stranger));
    expect(denied.code).toBe("AccessDeniedException");
    await test.close();
  });

  it("is refused for a stream that is CREATING or DELETING as if there were none", async () => {
    const test = await openContext({ transitionMs: 1000 });
    await test.invoke(table, "CreateStream", { StreamName, ShardCount: 1 });
    const input = { ShardId, ShardIteratorType: "LATEST" } as const;
    expect((await failureOf(iteratorOf(test, input))).code).toBe("ResourceNotFoundException");
    await test.advance(1000);
    await iteratorOf(test, input);
    await test.invoke(table, "DeleteStream", { StreamName });
    expect((await failureOf(iteratorOf(test, input))).code).toBe("ResourceNotFoundException");
    await test.close();
  });
});

/** What a stream should hold: a list of records per shard, and nothing else. */
interface ModelRecord {
  readonly number: string;
  readonly value: number;
  readonly arrivalMs: number;
}

/** A step of a stream's life. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("put" as const),
      count: fc.integer({ min: 1, max: 5 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      ms: fc.constantFrom(1, 999, 1000, 30_000, 20 * 60_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("split" as const), shard: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("merge" as const), shard: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("checkpoint" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("retention" as const),
      hours: fc.constantFrom(24, 48),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("day" as const), hours: fc.constantFrom(7, 25, 49) }),
  },
);

type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;

/** A stream beside its model. */
class Pair {
  readonly test: TestContext;
  readonly shards = new Map<number, ModelRecord[]>();
  #values = 0;

  constructor(test: TestContext) {
    this.test = test;
  }

  get stream() {
    return this.test.context.catalogue.get(StreamName);
  }

  async take(one: Step): Promise<void> {
    switch (one.kind) {
      case "put":
        return await this.#put(one.count);
      case "wait":
        return await this.test.advance(one.ms);
      case "checkpoint":
        return await this.test.context.log.checkpoint();
      case "day":
        // At one blow, without a sweep every minute; then sweeps get their turn.
        this.test.platform.clock.advanceBy(one.hours * HOUR_MS);
        return await this.test.advance(120_000);
      case "retention": {
        const { retentionHours } = this.stream;
        // What expired may or may not be gone for good by now: a model cannot know.
        const expired = [...this.shards].some(
          ([shardIndex, records]) => this.#readable(shardIndex).length < records.length,
        );
        if (expired && one.hours > retentionHours) return;
        const name = one.hours < retentionHours ? "Decrease" : "Increase";
        const input = { StreamName, RetentionPeriodHours: one.hours };
        await this.test.invoke(table, `${name}StreamRetentionPeriod`, input);
        return;
      }
      case "split":
        return await this.#split(one.shard);
      case "merge":
        return await this.#merge(one.shard);
    }
  }

  async #put(count: number): Promise<void> {
    const { stream } = this;
    const records = Array.from({ length: count }, () => {
      this.#values++;
      const data = new Uint8Array(4);
      new DataView(data.buffer).setUint32(0, this.#values);
      return { key: `key-${this.#values % 13}`, data };
    });
    const arrivalMs = this.test.platform.clock.nowMs();
    const rows = await this.test.put(stream, records);
    for (const [i, { shardIndex, index }] of rows.entries()) {
      const shard = stream.shards.find((candidate) => candidate.shardIndex === shardIndex);
      const number = formatSequenceNumber({
        createdSeconds: shard?.createdSeconds ?? 0,
        sequenceIndex: index,
        arrivalSeconds: Math.floor(arrivalMs / 1000),
        shardIndex,
      });
      const value = this.#values - count + 1 + i;
      this.shards.set(shardIndex, [
        ...(this.shards.get(shardIndex) ?? []),
        { number, value, arrivalMs },
      ]);
    }
  }

  async #split(pick: number): Promise<void> {
    const open = openShardsOf(this.stream);
    const shard = open[pick % open.length];
    if (shard === undefined || open.length > 6 || !splitsAt(shard, middleOf(shard))) return;
    await this.test.invoke(table, "SplitShard", {
      StreamName,
      ShardToSplit: `shardId-${shard.shardIndex}`,
      NewStartingHashKey: String(middleOf(shard)),
    });
  }

  async #merge(pick: number): Promise<void> {
    const open = openShardsOf(this.stream);
    const at = pick % open.length;
    const [lower, upper] = [open[at], open[at + 1]];
    if (lower === undefined || upper === undefined) return;
    expect(hashKeyOf(upper.startingHashKey)).toBe(hashKeyOf(lower.endingHashKey) + 1n);
    await this.test.invoke(table, "MergeShards", {
      StreamName,
      ShardToMerge: `shardId-${lower.shardIndex}`,
      AdjacentShardToMerge: `shardId-${upper.shardIndex}`,
    });
  }

  /** Whether retention dropped records of a shard. */
  trimmed(shardIndex: number): boolean {
    const { log } = this.test.context;
    const shard = this.stream.shards.find((one) => one.shardIndex === shardIndex);
    return (log.control.shard(shard?.uid ?? 0)?.trimmedBefore ?? 0) > 0;
  }

  /** What is readable in a shard by the model. */
  #readable(shardIndex: number): ModelRecord[] {
    const horizonMs = this.test.platform.clock.nowMs() - this.stream.retentionHours * HOUR_MS;
    return (this.shards.get(shardIndex) ?? []).filter(({ arrivalMs }) => arrivalMs >= horizonMs);
  }

  /** Compares every type of iterator at every place of a shard with the model. */
  async check(shardIndex: number): Promise<void> {
    const nowMs = this.test.platform.clock.nowMs();
    const all = this.shards.get(shardIndex) ?? [];
    const readable = this.#readable(shardIndex);
    const shard = `shardId-${shardIndex}`;
    const seeks: [Seek, readonly ModelRecord[]][] = [
      [{ ShardId: shard, ShardIteratorType: "TRIM_HORIZON" }, readable],
      [{ ShardId: shard, ShardIteratorType: "LATEST" }, []],
    ];
    for (const { number, value, arrivalMs } of all) {
      const at = readable.filter((record) => record.value >= value);
      const StartingSequenceNumber = number;
      seeks.push(
        [{ ShardId: shard, ShardIteratorType: "AT_SEQUENCE_NUMBER", StartingSequenceNumber }, at],
        [
          { ShardId: shard, ShardIteratorType: "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber },
          at.filter((record) => record.value > value),
        ],
      );
      for (const ms of [arrivalMs - 1, arrivalMs, arrivalMs + 1]) {
        if (ms > nowMs) continue;
        const Timestamp = new Date(ms);
        const from = readable.filter((record) => record.arrivalMs >= ms);
        seeks.push([{ ShardId: shard, ShardIteratorType: "AT_TIMESTAMP", Timestamp }, from]);
      }
    }
    for (const [input, expected] of seeks) {
      const { nextIndex } = parseIterator(await iteratorOf(this.test, input));
      const values = await this.#readAll(shardIndex, nextIndex);
      expect({ input, values }).toEqual({ input, values: expected.map(({ value }) => value) });
    }
  }

  async #readAll(shardIndex: number, nextIndex: number): Promise<number[]> {
    const values: number[] = [];
    let at = nextIndex;
    for (;;) {
      const part = await this.test.read(this.stream, shardIndex, at);
      if (part.records.length === 0 && part.nextIndex <= at) return values;
      for (const { data } of part.records) {
        values.push(new DataView(data.buffer, data.byteOffset).getUint32(0));
      }
      at = Math.max(part.nextIndex, at);
      if (part.records.length === 0) return values;
    }
  }
}

describe("every type of iterator", () => {
  it("is exact in empty, growing, closed and trimmed shards, against a naive model", async () => {
    let seen = { closed: 0, trimmed: 0, empty: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 20 }), async (steps) => {
        const pair = new Pair(await open());
        for (const one of steps) await pair.take(one);
        for (const shard of pair.stream.shards) {
          const count = pair.shards.get(shard.shardIndex)?.length ?? 0;
          seen = {
            closed: seen.closed + (isOpen(shard) ? 0 : 1),
            empty: seen.empty + (count === 0 ? 1 : 0),
            trimmed: seen.trimmed + (pair.trimmed(shard.shardIndex) ? 1 : 0),
          };
          await pair.check(shard.shardIndex);
        }
        await pair.test.close();
      }),
      { numRuns: 150 },
    );
    expect(seen.closed).toBeGreaterThan(0);
    expect(seen.empty).toBeGreaterThan(0);
    expect(seen.trimmed).toBeGreaterThan(0);
  });
});
