/** A stream with a random history, beside a model of it: an array of records per shard. */

import fc from "fast-check";
import { type Millrace, open, type Stream } from "millrace";
import { type AwsFace, awsFace } from "millrace/aws";
import { assert } from "vitest";

/** A record as the model keeps it. */
export interface ModelRecord {
  readonly shardId: string;
  readonly number: string;
  readonly key: string;
  readonly text: string;
  readonly arrivalMs: number;
}

const HOUR_MS = 3_600_000;
const SHARDS_MAX = 7;

const put = fc.record({
  kind: fc.constant("put" as const),
  count: fc.integer({ min: 1, max: 7 }),
});
const follow = fc.record({
  kind: fc.constant("follow" as const),
  count: fc.integer({ min: 1, max: 3 }),
});
const wait = fc.record({
  kind: fc.constant("wait" as const),
  ms: fc.constantFrom(1, 999, 30_000, 20 * 60_000, 7 * HOUR_MS, 25 * HOUR_MS, 49 * HOUR_MS),
});
const split = fc.record({ kind: fc.constant("split" as const), shard: fc.nat(9) });
const merge = fc.record({ kind: fc.constant("merge" as const), shard: fc.nat(9) });
const retain = fc.record({
  kind: fc.constant("retain" as const),
  hours: fc.constantFrom(24, 48, 168),
});

const step = fc.oneof(
  { weight: 6, arbitrary: put },
  { weight: 2, arbitrary: follow },
  { weight: 4, arbitrary: wait },
  { weight: 1, arbitrary: split },
  { weight: 1, arbitrary: merge },
  { weight: 1, arbitrary: retain },
);

/** One thing that happens to a stream. */
export type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;

/** What happens to a stream in its life. */
export const steps: fc.Arbitrary<Step[]> = fc.array(step, { minLength: 4, maxLength: 25 });

let opened = 0;

/** See the file's head. */
export class History {
  readonly engine: Millrace;
  readonly face: AwsFace;
  readonly stream: Stream;
  readonly records: ModelRecord[] = [];
  /** Ids of all shards that there ever were, with the time of their closing. */
  readonly shards = new Map<string, number | undefined>();

  private constructor(engine: Millrace, stream: Stream) {
    this.engine = engine;
    this.face = awsFace(engine);
    this.stream = stream;
  }

  /** A new stream of two shards in an engine of its own. */
  static async open(): Promise<History> {
    opened += 1;
    const name = `history-${opened}`;
    const engine = await open({ name, storage: "memory", time: "virtual" });
    const history = new History(engine, await engine.streams.create("clicks", { shards: 2 }));
    await history.#look();
    return history;
  }

  async close(): Promise<void> {
    await this.engine.close();
  }

  now(): Promise<number> {
    return this.engine.time.now();
  }

  /** Lets one thing happen, to the stream and in the model. */
  async take(one: Step): Promise<void> {
    switch (one.kind) {
      case "put":
        return await this.#put(one.count);
      case "follow":
        return await this.#follow(one.count);
      case "wait":
        await this.engine.time.advance(one.ms);
        return;
      case "retain":
        return await this.#retain(one.hours);
      case "split":
      case "merge":
        return await this.#reshard(one.kind, one.shard);
    }
  }

  /** Whether a record is within the retention period now. */
  async retained(): Promise<(record: ModelRecord) => boolean> {
    const horizonMs = (await this.now()) - this.stream.description.retentionHours * HOUR_MS;
    return ({ arrivalMs }) => arrivalMs >= horizonMs;
  }

  /** Whether a closed shard may be forgotten by now: everything in it is out of retention. */
  async mayBeGone(shardId: string): Promise<boolean> {
    const closedMs = this.shards.get(shardId);
    if (closedMs === undefined) return false;
    return closedMs < (await this.now()) - this.stream.description.retentionHours * HOUR_MS;
  }

  /** How often the history brought about what is worth looking at. */
  met(): { closed: number; empty: number; trimmed: number; expired: number } {
    const ids = [...this.shards.keys()];
    const closed = ids.filter((id) => this.shards.get(id) !== undefined).length;
    const filled = new Set(this.records.map(({ shardId }) => shardId));
    const empty = ids.filter((id) => !filled.has(id)).length;
    return { closed, empty, trimmed: this.#trimmed, expired: this.#expired };
  }

  #trimmed = 0;
  #expired = 0;

  /** Notes what a check met. */
  note(what: "trimmed" | "expired"): void {
    if (what === "trimmed") this.#trimmed += 1;
    else this.#expired += 1;
  }

  async #put(count: number): Promise<void> {
    const first = this.records.length;
    const sent = Array.from({ length: count }, (_, i) => ({
      partitionKey: `key-${(first + i) % 13}`,
      data: `${first + i}`,
    }));
    const arrivalMs = await this.now();
    const result = await this.stream.putRecords(sent);
    for (const [i, { partitionKey: key, data }] of sent.entries()) {
      const outcome = result.get(i);
      assert("sequenceNumber" in outcome);
      const { shardId, sequenceNumber: number } = outcome;
      this.records.push({ shardId, number, key, text: data, arrivalMs });
    }
  }

  /** An iterator at the end brings exactly what is put after it was given out. */
  async #follow(count: number): Promise<void> {
    const open = [...this.shards].filter(([, closedMs]) => closedMs === undefined);
    const iterators = await Promise.all(
      open.map(async ([ShardId]): Promise<[string, string]> => {
        const place = { StreamName: this.stream.name, ShardId, ShardIteratorType: "LATEST" };
        const { ShardIterator = "" } = await this.face.execute("GetShardIterator", place);
        return [ShardId, ShardIterator];
      }),
    );
    const before = this.records.length;
    await this.#put(count);
    for (const [shardId, ShardIterator] of iterators) {
      const { Records } = await this.face.execute("GetRecords", { ShardIterator });
      const added = this.records.slice(before).filter((record) => record.shardId === shardId);
      assert.deepEqual(
        Records.map(({ SequenceNumber }) => SequenceNumber),
        added.map(({ number }) => number),
      );
    }
  }

  async #retain(hours: number): Promise<void> {
    const retained = await this.retained();
    // What expired, record or closed shard, may or may not be gone for good by now: a model cannot know.
    const raised = hours > this.stream.description.retentionHours;
    const gone = await Promise.all([...this.shards.keys()].map((id) => this.mayBeGone(id)));
    if (raised && (gone.includes(true) || !this.records.every(retained))) return;
    await this.stream.retain(hours);
  }

  async #reshard(kind: "split" | "merge", pick: number): Promise<void> {
    const { openShards } = await this.stream.describe();
    const at = pick % openShards.length;
    const [one, next] = [openShards[at], openShards[at + 1]];
    if (kind === "split") {
      if (one === undefined || openShards.length >= SHARDS_MAX) return;
      await this.stream.split(one.shardId);
    } else {
      if (one === undefined || next === undefined) return;
      await this.stream.merge(one.shardId, next.shardId);
    }
    await this.#look();
  }

  /** Learns of new shards, and of those that were closed. */
  async #look(): Promise<void> {
    for (const { shardId, closedMs } of await this.stream.shards()) {
      this.shards.set(shardId, closedMs);
    }
  }
}
