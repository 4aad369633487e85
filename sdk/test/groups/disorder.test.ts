/**
 * Workers that come, leave and are killed while shards are split and merged, by seed: every record is copied
 * exactly once and in the order of its key, and leases are spread evenly in the end.
 */
import type { ConsumerGroup, GroupWorker, ShardDescription, Stream } from "millrace";
import { describe, expect, it } from "vitest";
import { byKey, openEngine, readAll } from "../support.ts";
import { keep, put, sorted, texts, until } from "./support.ts";

const SEEDS = [1, 2, 3, 4];
const STEPS = 40;
const SHARDS_MAX = 8;
const RECORDS_PER_PUT = 30;

/** Numbers from 0 to below 1, the same for the same seed: mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One run. */
class Disorder {
  readonly #random: () => number;
  readonly #stream: Stream;
  readonly #group: ConsumerGroup;
  readonly #workers: GroupWorker[] = [];
  written = 0;
  #started = 0;

  constructor(seed: number, stream: Stream, group: ConsumerGroup) {
    this.#random = randomOf(seed);
    this.#stream = stream;
    this.#group = group;
  }

  async step(): Promise<void> {
    const chance = this.#random();
    if (chance < 0.4) await this.#put();
    else if (chance < 0.6 || this.#workers.length === 0) this.start();
    else if (chance < 0.8) await this.#take()?.stop({ graceful: this.#random() < 0.5 });
    else if (chance < 0.9) await this.#split();
    else await this.#merge();
  }

  /** Starts a worker; some process by hand, some as registered consumers. */
  start(): void {
    this.#started += 1;
    const worker = this.#group.start(
      () => ({
        processRecords: async ({ records, checkpointer }) => {
          const outputs = records.map(({ partitionKey, data }) => ({
            ...{ streamName: "copies", partitionKey, data },
          }));
          await checkpointer.checkpoint({ outputs });
        },
      }),
      {
        workerId: `worker-${this.#started}`,
        checkpoints: "manual",
        batchRecordsMax: 1 + Math.floor(this.#random() * 9),
        reads: this.#random() < 0.3 ? "fan-out" : "polling",
      },
    );
    this.#workers.push(keep(worker));
  }

  /** Number of workers that are at work, each with its leases. */
  get shares(): number[] {
    return this.#workers.map(({ leases }) => leases.length);
  }

  #take(): GroupWorker | undefined {
    return this.#workers.splice(Math.floor(this.#random() * this.#workers.length), 1)[0];
  }

  async #put(): Promise<void> {
    await put(this.#stream, this.written, this.written + RECORDS_PER_PUT);
    this.written += RECORDS_PER_PUT;
  }

  async #openShards(): Promise<readonly ShardDescription[]> {
    return (await this.#stream.describe()).openShards;
  }

  async #split(): Promise<void> {
    const shards = await this.#openShards();
    const shard = shards[Math.floor(this.#random() * shards.length)];
    if (shard !== undefined && shards.length < SHARDS_MAX) await this.#stream.split(shard.shardId);
  }

  async #merge(): Promise<void> {
    const shards = await this.#openShards();
    const at = Math.floor(this.#random() * (shards.length - 1));
    const [one, other] = [shards[at], shards[at + 1]];
    if (one === undefined || other === undefined) return;
    await this.#stream.merge(one.shardId, other.shardId);
  }
}

describe("a group in disorder", () => {
  it.each(SEEDS)("copies every record once and in order: seed %i", async (seed) => {
    const engine = await openEngine();
    const stream = await engine.streams.create("clicks", { shards: 2 });
    const copies = await engine.streams.create("copies");
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const disorder = new Disorder(seed, stream, group);
    for (let step = 0; step < STEPS; step++) await disorder.step();
    disorder.start();
    const { written } = disorder;
    await until(async () => (await readAll(copies)).length >= written);
    const records = await readAll(copies);
    expect(sorted(records.map((one) => one.text()))).toEqual(texts(0, written));
    const pairs = records.map((one): [string, string] => [one.partitionKey, one.text()]);
    for (const values of byKey(pairs).values()) expect(values).toEqual(sorted(values));
    const open = (await stream.describe()).openShards.length;
    await until(() => {
      const { shares } = disorder;
      const all = shares.reduce((sum, one) => sum + one, 0);
      return all === open && Math.max(...shares) - Math.min(...shares) <= 1;
    });
  });
});
