/** Shards that are polled while the service throttles, in virtual time. */
import { systemRandom, ThroughputExceededError } from "@millrace/engine";
import type { InputOf, OutputOf } from "@millrace/engine/model";
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../engine/host/src/platform/virtual-clock.ts";
import { HeldBytes } from "../../src/groups/shard-source.ts";
import { LeaseSource } from "../../src/remote/groups/lease-source.ts";
import { ReadNumbers } from "../../src/remote/groups/read-numbers.ts";
import { PolledShard } from "../../src/remote/polled-shard.ts";
import { RemoteCalls } from "../../src/remote/remote-calls.ts";

const BEGUN_MS = 1_700_000_000_000;
const SECOND_MS = 1000;
const FIRST = 49590338271490256608559692538361571095921575989136588900n;
/** Of the iterator that stands where the shard ended when the reading began. */
const MARK = "mark";

/** What a shard does with a call to GetRecords. */
interface Behaviour {
  readonly records: number;
  readonly recordsAtOnce: number;
  readonly toEnd: boolean;
  readonly throttles: (iterator: string, atMs: number) => boolean;
}

/** A shard of records whose data are their numbers; calls to it are made again for a second. */
function polled(clock: VirtualClock, behaviour: Behaviour) {
  const { records, recordsAtOnce, toEnd, throttles } = behaviour;
  const stamps: number[] = [];
  const getRecords = (iterator: string): OutputOf<"GetRecords"> => {
    stamps.push(clock.monotonicMs());
    if (throttles(iterator, clock.monotonicMs())) throw new ThroughputExceededError("slow down");
    const first = iterator === MARK ? records : Number(iterator);
    const count = Math.min(recordsAtOnce, records - first);
    const Records = Array.from({ length: count }, (_, i) => ({
      SequenceNumber: `${FIRST + BigInt(first + i)}`,
      PartitionKey: "k",
      Data: Uint8Array.of(first + i),
    }));
    const MillisBehindLatest = first + count < records ? 500 : 0;
    const NextShardIterator = iterator === MARK ? MARK : `${first + count}`;
    return { Records, NextShardIterator, MillisBehindLatest };
  };
  const send = async (operation: string, input: unknown): Promise<unknown> => {
    if (operation === "GetRecords") {
      return getRecords((input as InputOf<"GetRecords">).ShardIterator);
    }
    const { ShardIteratorType } = input as InputOf<"GetShardIterator">;
    return { ShardIterator: ShardIteratorType === "LATEST" ? MARK : "0" };
  };
  const client = { send, close: () => undefined };
  const surroundings = { clock, random: systemRandom, deadlineMs: SECOND_MS, place: "there" };
  const calls = new RemoteCalls({ ...client, another: async () => client }, surroundings);
  const shard = new PolledShard({
    ...{ calls, streamName: "clicks", pollMs: 200, toEnd },
    ...{ shard: { shardId: "shardId-000000000000" }, start: { type: "TRIM_HORIZON" } },
  });
  return { shard, calls, stamps };
}

/** Reads to the end; gives the data. */
async function readAll(clock: VirtualClock, shard: PolledShard): Promise<number[]> {
  const { signal } = new AbortController();
  const read: number[] = [];
  const reading = async (): Promise<void> => {
    await shard.begin(signal, false);
    for (let done = false; !done; ) {
      const answer = await shard.next(signal);
      for (let i = 0; i < answer.batch.length; i++) read.push(answer.batch.data(i)[0] ?? -1);
      ({ done } = answer);
    }
  };
  const ended = reading();
  await clock.advance(120 * SECOND_MS);
  await ended;
  return read;
}

describe("a polled shard", () => {
  it("loses nothing and repeats nothing while only the look for its end is throttled", async () => {
    const clock = new VirtualClock(BEGUN_MS);
    const { shard } = polled(clock, {
      ...{ records: 30, recordsAtOnce: 10, toEnd: true },
      throttles: (iterator, atMs) => iterator === MARK && atMs < 20 * SECOND_MS,
    });
    const read = await readAll(clock, shard);
    expect(read).toEqual(Array.from({ length: 30 }, (_, i) => i));
  });

  it("is read five times a second at most, also where its end is looked for", async () => {
    const clock = new VirtualClock(BEGUN_MS);
    const { shard, stamps } = polled(clock, {
      ...{ records: 40, recordsAtOnce: 1, toEnd: true, throttles: () => false },
    });
    await readAll(clock, shard);
    const inSecondAfter = (fromMs: number) =>
      stamps.filter((atMs) => atMs >= fromMs && atMs < fromMs + SECOND_MS).length;
    // Each answer, and the look for the end after it.
    expect(stamps.length).toBeGreaterThanOrEqual(80);
    expect(Math.max(...stamps.map(inSecondAfter))).toBe(5);
  });

  it("of a lease is told to be throttled, and read when that is over", async () => {
    const clock = new VirtualClock(BEGUN_MS);
    const { shard, calls } = polled(clock, {
      ...{ records: 5, recordsAtOnce: 10, toEnd: false },
      throttles: (_iterator, atMs) => atMs < 10 * SECOND_MS,
    });
    const failures: unknown[] = [];
    const source = new LeaseSource({
      ...{ calls, shardIndex: 0, polled: shard },
      ...{ numbers: new ReadNumbers(undefined), held: new HeldBytes() },
      onFailure: (shards, { attempt, error }) => failures.push({ shards, attempt, error }),
      ...{ onClosed: () => undefined, onGone: () => undefined },
    });
    const next = source.next();
    await clock.advance(60 * SECOND_MS);
    expect((await next).batch.length).toBe(5);
    expect(failures.length).toBeGreaterThan(1);
    expect(failures[0]).toMatchObject({ shards: [0], attempt: 1 });
    expect(failures).toSatisfy((all: { error: unknown }[]) =>
      all.every(({ error }) => error instanceof ThroughputExceededError),
    );
    source.close();
  });
});
