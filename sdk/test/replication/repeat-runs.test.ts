/**
 * The filter of repeats where runs of shipping begin in the middle and are reset, directly and by way of streams in
 * between: whatever it drops it had let through before.
 */
import { formatSequenceNumber } from "@millrace/engine";
import { describe, expect, it } from "vitest";
import { type HashKeyRange, hashKeyFrom } from "../../src/aggregation/hash-key.ts";
import type { StateValue } from "../../src/groups/group-types.ts";
import {
  joinRun,
  type MarkSource,
  marksOf,
  nameOfStream,
  relayed,
  sourceOf,
  tagOf,
} from "../../src/replication/mark.ts";
import { type FilteredRecord, RepeatFilter } from "../../src/replication/repeat-filter.ts";
import { type Random, randomOf } from "./random.ts";

const RING_END = (1n << 128n) - 1n;
const HALF = 1n << 127n;
const RING: HashKeyRange = { start: hashKeyFrom(0n), end: hashKeyFrom(RING_END) };
const WHOLE = { shardIndex: 0, startingHashKey: "0", endingHashKey: RING_END.toString() };

/** A stream of one shard. */
interface Log {
  readonly incarnation: string;
  readonly streamUid: number;
  readonly records: FilteredRecord[];
}

function logOf(digit: string): Log {
  return { incarnation: digit.repeat(32), streamUid: 1, records: [] };
}

function append(
  { records }: Log,
  record: Pick<FilteredRecord, "partitionKey" | "explicitHashKey" | "mark">,
): void {
  const place = { createdSeconds: 1, arrivalSeconds: 2, shardIndex: 0 };
  const sequenceNumber = formatSequenceNumber({ ...place, sequenceIndex: records.length });
  records.push({ ...record, sequenceNumber, subSequenceNumber: 0 });
}

/** A group that reads a log, and fails when its filter drops what was never let through. */
class Reader {
  readonly log: Log;
  protected readonly random: Random;
  #filter: RepeatFilter;
  #state: Record<string, StateValue> = {};
  #at = 0;
  #checkpointed = 0;
  #shown = new Set<string>();
  #kept = new Set<string>();

  constructor(log: Log, random: Random) {
    this.log = log;
    this.random = random;
    this.#filter = this.#open();
  }

  get shown(): ReadonlySet<string> {
    return this.#shown;
  }

  #open(): RepeatFilter {
    return new RepeatFilter({ shard: WHOLE, state: this.#state, own: this.log });
  }

  /** The next record, unless there is none or it was there before. */
  read(): { readonly record: FilteredRecord; readonly index: number } | undefined {
    const index = this.#at;
    const record = this.log.records[index];
    if (record === undefined) return undefined;
    this.#at += 1;
    if (this.#filter.sift([record]).length > 0) {
      this.#shown.add(record.partitionKey);
      return { record, index };
    }
    if (!this.#shown.has(record.partitionKey)) {
      throw new Error(`${record.partitionKey} was dropped, and never shown`);
    }
    return undefined;
  }

  get done(): boolean {
    return this.#at >= this.log.records.length;
  }

  checkpoint(): void {
    if (this.#at === this.#checkpointed) return;
    for (const { key, value } of this.#filter.stateAt({
      ...{ index: this.#at - 1, subSequenceNumber: 0 },
    })) {
      if (value === null) delete this.#state[key];
      else this.#state[key] = JSON.parse(JSON.stringify(value)) as StateValue;
    }
    this.#filter.committed();
    this.#checkpointed = this.#at;
    this.#kept = new Set(this.#shown);
  }

  crash(): void {
    this.#at = this.#checkpointed;
    this.#shown = new Set(this.#kept);
    this.#filter = this.#open();
  }

  reset(): void {
    this.#state = {};
    this.#checkpointed = this.random.below(this.log.records.length + 1);
    this.#kept.clear();
    this.crash();
  }
}

function runOf(random: Random): string {
  return random
    .below(2 ** 32)
    .toString(16)
    .padStart(16, "0");
}

/** A replica of a log in another one: copies each record once, unless something was gone before. */
class Copy {
  readonly #log: Log;
  readonly #target: Log;
  readonly #random: Random;
  #run: string;
  #at = 0;

  constructor(log: Log, target: Log, random: Random) {
    this.#log = log;
    this.#target = target;
    this.#random = random;
    this.#run = runOf(random);
  }

  ship(): void {
    const record = this.#log.records[this.#at];
    if (record === undefined) return;
    this.#at += 1;
    const { partitionKey, explicitHashKey, mark } = record;
    const tags = mark === undefined ? [] : [tagOf(mark, undefined)];
    const joined = joinRun([{ partitionKey, data: new Uint8Array(), tags }], this.#run);
    append(this.#target, { partitionKey, explicitHashKey, mark: marksOf(joined ?? [])?.[0] });
  }

  /** Goes on behind a gap, or is removed, and another one begins anywhere. */
  beginAnew(): void {
    const gap = this.#random.below(2) === 0;
    this.#at = gap ? this.#at + 3 : this.#random.below(this.#log.records.length + 1);
    this.#run = runOf(this.#random);
  }
}

/** A way from a log to another one. */
class Way extends Reader {
  readonly #target: Log;
  #run = "";

  constructor(log: Log, target: Log, random: Random) {
    super(log, random);
    this.#target = target;
    this.#begin();
  }

  #begin(): void {
    this.#run = runOf(this.random);
  }

  override reset(): void {
    super.reset();
    this.#begin();
  }

  ship(): void {
    const read = this.read();
    if (read === undefined) return;
    const { partitionKey, explicitHashKey, mark } = read.record;
    const low = BigInt(explicitHashKey ?? "0") < HALF;
    const half = {
      start: hashKeyFrom(low ? 0n : HALF),
      end: hashKeyFrom(low ? HALF - 1n : RING_END),
    };
    const range = this.random.below(2) === 0 || mark !== undefined ? half : RING;
    const source: MarkSource | undefined =
      mark === undefined
        ? sourceOf(this.log, 0, this.#run, range)
        : relayed(mark.source, this.#run, nameOfStream(this.log), range);
    if (source === undefined) throw new Error("too many streams in between");
    const { index, subSequenceNumber } = mark ?? { index: read.index, subSequenceNumber: 0 };
    append(this.#target, {
      ...{ partitionKey, explicitHashKey },
      mark: { source, index, subSequenceNumber },
    });
  }
}

function fill(log: Log, random: Random, count: number): void {
  for (let i = 0; i < count; i++) {
    append(log, {
      ...{ partitionKey: `${log.incarnation[0]}${log.records.length}`, mark: undefined },
      explicitHashKey: random.hashKey().toString(),
    });
  }
}

function act(reader: Reader, random: Random): void {
  const chance = random.below(40);
  if (chance < 6) reader.checkpoint();
  else if (chance < 8) reader.crash();
  else if (chance === 8) reader.reset();
}

describe("runs of shipping", () => {
  it("have nothing dropped that was never let through, wherever they begin and however often", () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = randomOf(seed);
      const [a, b, c] = [logOf("a"), logOf("b"), logOf("c")];
      const ways = [
        ...[new Way(a, b, random), new Way(a, b, random), new Way(a, c, random)],
        ...[new Way(b, c, random), new Way(b, c, random)],
      ];
      const readers = [new Reader(b, random), new Reader(c, random)];
      for (let step = 0; step < 1000; step++) {
        if (step % 20 === 0) fill(a, random, 2);
        const way = ways[random.below(ways.length)];
        for (let burst = random.below(12); burst > 0; burst--) way?.ship();
        if (way !== undefined) act(way, random);
        const reader = readers[random.below(2)];
        for (let burst = random.below(20); burst > 0; burst--) reader?.read();
        if (reader !== undefined && random.below(8) < 7) act(reader, random);
      }
      for (const log of [b, c]) {
        const whole = new Reader(log, random);
        while (!whole.done) whole.read();
        expect(whole.shown).toEqual(new Set(log.records.map(({ partitionKey }) => partitionKey)));
      }
    }
  });

  it("and copies, several into one stream and of one another, have nothing dropped either", () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = randomOf(100 + seed);
      const [a, b, c, d] = [logOf("a"), logOf("b"), logOf("c"), logOf("d")];
      const ways = [new Way(a, b, random), new Way(a, b, random), new Way(c, d, random)];
      const copies = [new Copy(b, c, random), new Copy(b, d, random), new Copy(c, d, random)];
      const readers = [new Reader(c, random), new Reader(d, random)];
      for (let step = 0; step < 600; step++) {
        if (step % 20 === 0) fill(a, random, 2);
        const way = ways[random.below(ways.length)];
        for (let burst = random.below(12); burst > 0; burst--) way?.ship();
        if (way !== undefined) act(way, random);
        const copy = copies[random.below(copies.length)];
        for (let burst = random.below(12); burst > 0; burst--) copy?.ship();
        if (random.below(60) === 0) copy?.beginAnew();
        const reader = readers[random.below(2)];
        for (let burst = random.below(20); burst > 0; burst--) reader?.read();
        if (reader !== undefined && random.below(8) < 7) act(reader, random);
      }
      expect(readers.every(({ shown }) => shown.size > 0)).toBe(true);
    }
  });

  it("end in a ring that is fed from outside, also below where they began", () => {
    const random = randomOf(3);
    const [x, a, b, c] = [logOf("d"), logOf("a"), logOf("b"), logOf("c")];
    fill(x, random, 40);
    const ring = [new Way(a, b, random), new Way(b, c, random), new Way(c, a, random)];
    const late = new Way(x, a, random);
    for (let i = 0; i < 20; i++) late.read();
    for (const feed of [late, new Way(x, a, random)]) {
      for (let round = 0; round < 300; round++) for (const way of [feed, ...ring]) way.ship();
    }
    expect(ring.every(({ done }) => done)).toBe(true);
    // What came by two ways is there twice, and once more where it came back.
    expect(a.records).toHaveLength(120);
    expect(b.records).toHaveLength(60);
  });
});

describe("the room of the filter", () => {
  function record(source: MarkSource, index: number, at: number): FilteredRecord {
    const log = logOf("e");
    append(log, {
      ...{ partitionKey: `${index}`, explicitHashKey: "7" },
      mark: { source, index, subSequenceNumber: 0 },
    });
    const [made] = log.records;
    if (made === undefined) throw new Error("one was put");
    const place = { createdSeconds: 1, arrivalSeconds: 2, shardIndex: 0, sequenceIndex: at };
    return { ...made, sequenceNumber: formatSequenceNumber(place) };
  }

  function sourceIn(shard: number, range = RING): MarkSource {
    const log = { incarnation: "f".repeat(32), streamUid: 1 };
    return sourceOf(log, shard, shard.toString(16).padStart(16, "0"), range);
  }

  it("is bounded in what is written, whatever ranges marks have", () => {
    const random = randomOf(9);
    const filter = new RepeatFilter({ shard: WHOLE });
    for (let i = 0; i < 10_000; i++) {
      const range = { start: hashKeyFrom(0n), end: hashKeyFrom(random.hashKey() | 255n) };
      filter.sift([record(sourceIn(random.below(2000), range), i, i)]);
    }
    filter.sift([record(sourceIn(5000), 1, 20_000)]);
    const written = filter.stateAt({ index: 20_000, subSequenceNumber: 0 });
    const state = Object.fromEntries(written.map(({ key, value }) => [key, value]));
    expect(JSON.stringify(state).length).toBeLessThan(45_000);
    const next = new RepeatFilter({ shard: WHOLE, state });
    expect(next.sift([record(sourceIn(5000), 1, 1)])).toEqual([]);
  });

  it("takes no note of a mark that does not speak for its record", () => {
    const filter = new RepeatFilter({ shard: WHOLE });
    const source = sourceIn(1, { start: hashKeyFrom(8n), end: hashKeyFrom(9n) });
    for (let i = 0; i < 2; i++) expect(filter.sift([record(source, 4, i)])).toHaveLength(1);
    expect(filter.empty).toBe(true);
  });

  it("lets through what is below the first record of a run, and keeps that where it was", () => {
    const filter = new RepeatFilter({ shard: WHOLE });
    const show = (index: number): number => filter.sift([record(sourceIn(1), index, index)]).length;
    expect([5, 6, 3, 4, 5, 6, 3, 7].map(show)).toEqual([1, 1, 1, 1, 0, 0, 1, 1]);
  });

  it("is given back where something was forgotten, also what is being stored at that moment", () => {
    const state: Record<string, StateValue | undefined> = {};
    const filter = new RepeatFilter({ shard: WHOLE });
    const show = (index: number, at: number): number =>
      filter.sift([record(sourceIn(1), index, at)]).length;
    const store = (at: number): void => {
      const written = filter.stateAt({ index: at, subSequenceNumber: 0 });
      expect(new Set(written.map(({ key }) => key)).size).toBe(written.length);
      for (const { key, value } of written) state[key] = value ?? undefined;
    };
    const kept = (): RepeatFilter => {
      const known = Object.entries(state).flatMap(([key, value]) =>
        value === undefined ? [] : [[key, value] as const],
      );
      return new RepeatFilter({ shard: WHOLE, state: Object.fromEntries(known) });
    };
    expect([show(1, 1), show(2, 2), show(1, 3)]).toEqual([1, 1, 0]);
    store(3);
    filter.forget();
    filter.committed();
    expect(kept().sift([record(sourceIn(1), 2, 4)])).toEqual([]);
    store(3);
    filter.committed();
    expect(kept().empty).toBe(true);
    expect([show(5, 4), show(2, 5), show(5, 6)]).toEqual([1, 1, 0]);
    store(6);
    filter.committed();
    expect([2, 5].map((index) => kept().sift([record(sourceIn(1), index, 7)]).length)).toEqual([
      1, 0,
    ]);
  });

  it("thins what waits for a checkpoint also in a commit, of marks that are read anew each time", () => {
    const filter = new RepeatFilter({ shard: WHOLE });
    const show = (from: number, to: number): void => {
      for (let i = from; i < to; i++) filter.sift([record(sourceIn(i % 3), i, i)]);
    };
    show(0, 20_000);
    const written = [...filter.stateAt({ index: 19_999, subSequenceNumber: 0 })];
    // While that is stored, so many come that what waits is thinned.
    show(20_000, 90_000);
    filter.committed();
    written.push(...filter.stateAt({ index: 89_999, subSequenceNumber: 0 }));
    filter.committed();
    const state = Object.fromEntries(written.map(({ key, value }) => [key, value]));
    const next = new RepeatFilter({ shard: WHOLE, state });
    const again = Array.from({ length: 90_001 }, (_, i) => record(sourceIn(i % 3), i, i));
    expect(next.sift(again).map(({ mark }) => mark?.index)).toEqual([90_000]);
  });
});
