/**
 * The filter of repeats against a set: shards split and merge, senders crash and send again from where they stood,
 * consumers crash and begin again from their checkpoints; each record is let through once, in every lineage.
 */
import { formatSequenceNumber } from "@millrace/engine";
import { describe, expect, it } from "vitest";
import { hashKeyFrom } from "../../src/aggregation/hash-key.ts";
import type { StateValue } from "../../src/groups/group-types.ts";
import { commonRange, sourceOf } from "../../src/replication/mark.ts";
import { type FilteredRecord, RepeatFilter } from "../../src/replication/repeat-filter.ts";
import { type Random, randomOf } from "./random.ts";

const RING_END = (1n << 128n) - 1n;
const INCARNATION = "ab".repeat(16);

/** A shard of the far side in this model, with what is stored in it and who consumes it. */
interface Shard {
  readonly index: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly records: FilteredRecord[];
  /** The consumer's lease state. */
  readonly state: Record<string, StateValue>;
  filter: RepeatFilter | undefined;
  /** Records that were consumed, and that were checkpointed. */
  consumed: number;
  checkpointed: number;
  /** Per consumer's life, what was let through since the checkpoint. */
  uncommitted: string[];
}

/** A record of the source. */
interface Source {
  readonly origin: number;
  readonly index: number;
  readonly hashKey: bigint;
}

class Model {
  readonly random: Random;
  readonly open: Shard[] = [];
  /** What came through to the consumers, for good. */
  readonly delivered: string[] = [];
  shards = 0;

  constructor(seed: number) {
    this.random = randomOf(seed);
    this.add(0n, RING_END);
  }

  add(start: bigint, end: bigint): Shard {
    const shard: Shard = {
      ...{ index: this.shards++, start, end, records: [], state: {}, filter: undefined },
      ...{ consumed: 0, checkpointed: 0, uncommitted: [] },
    };
    this.open.push(shard);
    return shard;
  }

  /** Stores a record, sent for a lane of these hash keys. */
  store({ origin, index, hashKey }: Source, lane: Pick<Shard, "start" | "end">): void {
    const shard = this.open.find(({ start, end }) => start <= hashKey && hashKey <= end);
    if (shard === undefined) throw new Error("the ring has no gap");
    const range = { start: hashKeyFrom(lane.start), end: hashKeyFrom(lane.end) };
    const log = { incarnation: INCARNATION, streamUid: 1 };
    const source = sourceOf(log, origin, "0123456789abcdef", range);
    shard.records.push({
      partitionKey: `${origin}/${index}`,
      explicitHashKey: hashKey.toString(),
      sequenceNumber: formatSequenceNumber({
        ...{ createdSeconds: 1, arrivalSeconds: 2, shardIndex: shard.index },
        sequenceIndex: shard.records.length,
      }),
      subSequenceNumber: 0,
      mark: { source, index, subSequenceNumber: 0 },
    });
  }

  filterOf(shard: Shard): RepeatFilter {
    shard.filter ??= new RepeatFilter({ shard: described(shard), state: shard.state });
    return shard.filter;
  }

  consume(shard: Shard, count: number): void {
    const filter = this.filterOf(shard);
    const upTo = Math.min(shard.records.length, shard.consumed + count);
    for (const record of shard.records.slice(shard.consumed, upTo)) {
      for (const { partitionKey } of filter.sift([record])) shard.uncommitted.push(partitionKey);
    }
    shard.consumed = upTo;
  }

  /** Checkpoints some of what was consumed. */
  checkpoint(shard: Shard): void {
    if (shard.consumed === shard.checkpointed) return;
    const span = shard.consumed - shard.checkpointed;
    const at = shard.checkpointed + 1 + this.random.below(span);
    this.commit(shard, { index: at - 1, subSequenceNumber: 0 });
    const keys = new Set(
      shard.records.slice(shard.checkpointed, at).map(({ partitionKey }) => partitionKey),
    );
    const kept = shard.uncommitted.filter((key) => !keys.has(key));
    this.delivered.push(...shard.uncommitted.filter((key) => keys.has(key)));
    shard.uncommitted = kept;
    shard.checkpointed = at;
  }

  commit(shard: Shard, checkpoint: Parameters<RepeatFilter["stateAt"]>[0], all = this.open): void {
    const filter = this.filterOf(shard);
    const changes = filter.stateAt(checkpoint);
    // Now and then the commit fails, and is made again later.
    if (this.random.below(5) === 0) filter.stateAt(checkpoint);
    for (const { shardIndex, key, value } of changes) {
      const owner =
        shardIndex === shard.index ? shard : all.find((one) => one.index === shardIndex);
      if (owner === undefined) throw new Error("state of a shard that there is");
      if (value === null) delete owner.state[key];
      else owner.state[key] = JSON.parse(JSON.stringify(value)) as StateValue;
    }
    filter.committed();
  }

  /** The consumer begins again at its checkpoint. */
  crash(shard: Shard): void {
    shard.filter = undefined;
    shard.consumed = shard.checkpointed;
    shard.uncommitted = [];
  }

  /** Reads shards to their end and hands what they know to their children. */
  replace(parents: readonly Shard[], ranges: readonly (readonly [bigint, bigint])[]): void {
    for (const parent of parents) this.open.splice(this.open.indexOf(parent), 1);
    const children = ranges.map(([start, end]) => this.add(start, end));
    for (const parent of parents) {
      this.consume(parent, parent.records.length);
      this.filterOf(parent).children = children.map(described);
      this.commit(parent, { at: "SHARD_END" }, children);
      this.delivered.push(...parent.uncommitted);
    }
  }

  split(): void {
    const shard = this.any();
    if (shard.end === shard.start) return;
    const width = shard.end - shard.start;
    const cut =
      this.random.below(2) === 0 ? width / 2n : (width * BigInt(this.random.below(97))) / 97n;
    const middle = shard.start + cut;
    if (middle >= shard.end) return;
    this.replace(
      [shard],
      [
        [shard.start, middle],
        [middle + 1n, shard.end],
      ],
    );
  }

  merge(): void {
    const left = this.any();
    const right = this.open.find(({ start }) => start === left.end + 1n);
    if (right !== undefined) this.replace([left, right], [[left.start, right.end]]);
  }

  any(): Shard {
    const shard = this.open[this.random.below(this.open.length)];
    if (shard === undefined) throw new Error("one is always open");
    return shard;
  }
}

function described({ index, start, end }: Shard) {
  return {
    ...{ shardIndex: index, startingHashKey: start.toString() },
    endingHashKey: end.toString(),
  };
}

/** Sends as a shipper does: per lane in order, one at a time; a stale one knows the shards of before. */
class Sender {
  readonly #model: Model;
  readonly #lanes: { readonly start: bigint; readonly end: bigint; readonly queue: Source[] }[];

  constructor(model: Model, records: readonly Source[]) {
    this.#model = model;
    this.#lanes = model.open.map(({ start, end }) => ({
      ...{ start, end },
      queue: records.filter(({ hashKey }) => start <= hashKey && hashKey <= end),
    }));
  }

  /** One lane has one record stored; says whether there was one. */
  step(): boolean {
    const waiting = this.#lanes.filter(({ queue }) => queue.length > 0);
    const lane = waiting[this.#model.random.below(waiting.length)];
    const record = lane?.queue.shift();
    if (lane === undefined || record === undefined) return false;
    this.#model.store(record, lane);
    // The answer was lost.
    if (this.#model.random.below(4) === 0) lane.queue.unshift(record);
    return true;
  }
}

function runModel(seed: number): void {
  const model = new Model(seed);
  const { random } = model;
  const total = 120;
  const senders: Sender[] = [];
  for (let origin = 0; origin < 2; origin++) {
    const records = Array.from({ length: total }, (_, index) => ({
      ...{ origin, index, hashKey: random.hashKey() },
    }));
    // Each begins again from the front some times, as after crashes, beside the one before it.
    for (let life = 0; life < 3; life++) senders.push(new Sender(model, records));
    for (let step = 0; step < 200; step++) {
      const sender = senders[random.below(senders.length)];
      sender?.step();
      if (random.below(40) === 0) model.split();
      if (random.below(40) === 0) model.merge();
      if (random.below(60) === 0) senders.push(new Sender(model, records));
      const shard = model.any();
      const act = random.below(6);
      if (act < 3) model.consume(shard, random.below(12));
      else if (act === 3) model.checkpoint(shard);
      else if (act === 4 && random.below(4) === 0) model.crash(shard);
    }
    const last = new Sender(model, records);
    while (last.step()) if (random.below(30) === 0) model.split();
  }
  for (const shard of model.open) {
    model.consume(shard, shard.records.length);
    model.delivered.push(...shard.uncommitted);
  }
  const once = new Set(model.delivered);
  expect(once.size).toBe(2 * total);
  expect(model.delivered.length).toBe(once.size);
}

describe("the filter of repeats", () => {
  it("lets every record through once, whatever splits, merges, crashes and repeats there are", () => {
    for (let seed = 1; seed <= 25; seed++) runModel(seed);
  });

  const whole = { shardIndex: 0, startingHashKey: "0", endingHashKey: RING_END.toString() };
  const range = { start: hashKeyFrom(0n), end: hashKeyFrom(RING_END) };

  function record(origin: string, index: number, at = index): FilteredRecord {
    const source = { origin, incarnation: INCARNATION, streamUid: 1, via: [], range };
    return {
      ...{ partitionKey: "key", explicitHashKey: undefined, subSequenceNumber: 0 },
      sequenceNumber: formatSequenceNumber({
        ...{ createdSeconds: 1, arrivalSeconds: 2, shardIndex: 0, sequenceIndex: at },
      }),
      mark: { source, index, subSequenceNumber: 0 },
    };
  }

  it("hands on records without a mark as they are, and writes nothing for them", () => {
    const filter = new RepeatFilter({ shard: whole });
    const plain = [{ ...record("x", 1), mark: undefined }];
    expect(filter.sift(plain)).toBe(plain);
    expect(filter.stateAt({ index: 9, subSequenceNumber: 0 })).toEqual([]);
    expect(filter.empty).toBe(true);
  });

  it("drops what was put first into the stream itself", () => {
    const own = { incarnation: INCARNATION, streamUid: 1 };
    const here = new RepeatFilter({ shard: whole, own });
    expect(here.sift([record("x", 1)])).toEqual([]);
    const elsewhere = new RepeatFilter({ shard: whole, own: { ...own, streamUid: 2 } });
    expect(elsewhere.sift([record("x", 1)])).toHaveLength(1);
  });

  it("knows at a checkpoint what was before it, and nothing of what came after", () => {
    const filter = new RepeatFilter({ shard: whole });
    for (let i = 0; i < 10; i++) filter.sift([record("x", i)]);
    const written = filter.stateAt({ index: 4, subSequenceNumber: 0 });
    const state = Object.fromEntries(written.map(({ key, value }) => [key, value]));
    const next = new RepeatFilter({ shard: whole, state });
    const again = Array.from({ length: 10 }, (_, i) => record("x", i));
    expect(next.sift(again).map(({ mark }) => mark?.index)).toEqual([5, 6, 7, 8, 9]);
  });

  it("forgets the origins that were not heard of for longest, and stays within its room", () => {
    const filter = new RepeatFilter({ shard: whole });
    for (let i = 0; i < 5000; i++) filter.sift([record(`origin-${i}`, 1, i)]);
    const state = filter.stateAt({ index: 5000, subSequenceNumber: 0 });
    for (const { value } of state) expect(JSON.stringify(value).length).toBeLessThan(65_536);
    expect(filter.sift([record("origin-4999", 1)])).toEqual([]);
    expect(filter.sift([record("origin-0", 1)])).toHaveLength(1);
  });
});

describe("commonRange", () => {
  it("is nothing where ranges do not meet", () => {
    const [low, high] = [hashKeyFrom(5n), hashKeyFrom(9n)];
    expect(commonRange({ start: low, end: low }, { start: high, end: high })).toBeUndefined();
  });
});
