/**
 * Consumer groups in disorder, by seed: workers join, leave and crash, tabs die, leaders change, shards are
 * split and merged. Every record is copied exactly once, in the order of its shard, parents before children.
 */
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/platform/seeded-random.ts";
import type {
  GroupDescription,
  OwnedLease,
  ShardDescription,
  StreamDescription,
} from "../../src/service/engine-service.ts";
import { buildBatch, type ReadRecord, readSlice } from "../support/batches.ts";
import { CopyJob } from "../support/group-jobs.ts";
import { type Tab, Tabs } from "../support/members.ts";
import { numberOf, someRecords } from "../support/records.ts";

const SEEDS = Number(process.env["GROUP_SEEDS"] ?? 6);
const FIRST = Number(process.env["GROUP_FROM"] ?? 1);
const STEPS = 30;
const SHARDS_MAX = 8;
const FAILOVER_MS = 1000;
const caller = { principal: "arn:aws:iam::000000000000:root" };

interface RunningJob {
  readonly tab: Tab;
  readonly job: CopyJob;
}

/** One run. */
class Disorder {
  readonly tabs: Tabs;
  readonly #random: SeededRandom;
  readonly #places: Tab[] = [];
  readonly jobs: RunningJob[] = [];
  /** Worker that was given a lease, by shard index and lease counter. */
  readonly #owners = new Map<string, string>();
  /** Leases that two workers were given under one counter. */
  readonly doubles: string[] = [];
  readonly #streams: { input: StreamDescription; output: StreamDescription };
  written = 0;
  #workers = 0;
  #batches = 0;

  private constructor(seed: number, tabs: Tabs, first: Tab, streams: Disorder["streams"]) {
    this.#random = new SeededRandom(seed);
    this.tabs = tabs;
    this.#places.push(first);
    this.#streams = streams;
  }

  get streams(): { input: StreamDescription; output: StreamDescription } {
    return this.#streams;
  }

  static async begin(seed: number): Promise<Disorder> {
    const tabs = new Tabs();
    const tab = await tabs.open();
    const spec = { retentionHours: 24, recordKibMax: 1024 };
    const create = (name: string, shards: number): Promise<StreamDescription> =>
      tabs.until(tab.service.call("createStream", { ...spec, name, shards }));
    const streams = { input: await create("input", 3), output: await create("output", 1) };
    const group = { name: "group", streamName: "input", failoverMs: FAILOVER_MS, handOverMs: 2000 };
    const startingPosition = { type: "TRIM_HORIZON" } as const;
    await tabs.until(tab.service.call("groupsCreate", { ...group, startingPosition }));
    return new Disorder(seed, tabs, tab, streams);
  }

  below(limit: number): number {
    const [high = 0, low = 0] = this.#random.fill(new Uint8Array(2));
    return (high * 256 + low) % limit;
  }

  /** The tab that everything is asked through that is no worker's. */
  get tab(): Tab {
    const [tab] = this.#places;
    if (tab === undefined) throw new Error("all tabs are gone");
    return tab;
  }

  async step(): Promise<void> {
    await this.write();
    switch (this.below(9)) {
      case 0:
        if (this.#places.length < 5) this.#places.push(await this.tabs.open());
        break;
      case 1:
      case 2:
        await this.join();
        break;
      case 3:
        await this.#end((job) => this.tabs.until(job.stop()));
        break;
      case 4:
        await this.#end(async (job) => job.abandon());
        break;
      case 5:
        this.#killTab();
        break;
      case 6:
        await this.#split();
        break;
      case 7:
        await this.#merge();
        break;
      default:
        break;
    }
    await this.tabs.pass(this.below(1500));
  }

  async write(): Promise<void> {
    this.#batches += 1;
    const records = someRecords(20, 20, this.written);
    this.written += records.length;
    const { uid } = this.#streams.input;
    const batch = buildBatch({ streamUid: uid, batchNumber: 1, producer: this.#batches, records });
    const order = { settledBefore: 1, ageMs: 0 };
    await this.tabs.until(this.tab.service.put(batch, undefined, order));
  }

  async join(): Promise<void> {
    if (this.jobs.length >= 5) return;
    const tab = this.#places[this.below(this.#places.length)] ?? this.tab;
    this.#workers += 1;
    const workerId = `worker-${this.#workers}`;
    // Some are known by their polls only.
    const { memberId } = this.below(3) === 0 ? { memberId: null } : await tab.status();
    const onLease = ({ shardIndex, leaseCounter }: OwnedLease): void => {
      const name = `${shardIndex}/${leaseCounter}`;
      const owner = this.#owners.get(name) ?? workerId;
      this.#owners.set(name, owner);
      if (owner !== workerId) this.doubles.push(`${name}: ${owner}, ${workerId}`);
    };
    const { service } = tab;
    // A slow worker is taken for dead now and then, and comes too late with what it has done.
    const slow = this.below(2) === 0;
    const work = async (): Promise<void> => {
      const ms = slow ? this.below(1800) : this.below(20);
      await new Promise<void>((resolve) => this.tabs.platform.clock.after(ms, resolve));
    };
    const job = new CopyJob({ service, memberId, workerId, onLease, work, ...this.#streams });
    this.jobs.push({ tab, job });
  }

  async #end(how: (job: CopyJob) => Promise<void>): Promise<void> {
    const [ended] = this.jobs.splice(this.below(Math.max(1, this.jobs.length)), 1);
    if (ended !== undefined) await how(ended.job);
  }

  /** A tab dies with its workers; the first one stays. It may have been the leader. */
  #killTab(): void {
    if (this.#places.length < 2) return;
    const [tab] = this.#places.splice(this.below(this.#places.length), 1);
    tab?.context.kill();
    const left = this.jobs.filter((running) => running.tab !== tab);
    this.jobs.splice(0, this.jobs.length, ...left);
  }

  async #openShards(): Promise<readonly ShardDescription[]> {
    const { service } = this.tab;
    return (await this.tabs.until(service.call("describeStream", { name: "input" }))).openShards;
  }

  async #split(): Promise<void> {
    const open = await this.#openShards();
    const shard = open[this.below(open.length)];
    if (shard === undefined || open.length >= SHARDS_MAX) return;
    const { startingHashKey, endingHashKey, shardId: ShardToSplit } = shard;
    const middle = (BigInt(startingHashKey) + BigInt(endingHashKey)) / 2n;
    const input = { StreamName: "input", ShardToSplit, NewStartingHashKey: String(middle) };
    await this.#reshard("SplitShard", input);
  }

  async #merge(): Promise<void> {
    const open = await this.#openShards();
    if (open.length < 2) return;
    const i = this.below(open.length - 1);
    const [ShardToMerge, AdjacentShardToMerge] = [open[i]?.shardId, open[i + 1]?.shardId];
    await this.#reshard("MergeShards", { StreamName: "input", ShardToMerge, AdjacentShardToMerge });
  }

  async #reshard(operation: "SplitShard" | "MergeShards", input: object): Promise<void> {
    await this.tabs.until(this.tab.service.call("invoke", { operation, input, caller }));
  }

  async described(): Promise<GroupDescription> {
    return await this.tabs.until(this.tab.service.call("groupsDescribe", { name: "group" }));
  }

  /** All records of a stream that are there, shard after shard. */
  async readAll({ name, uid }: StreamDescription): Promise<ReadRecord[]> {
    const { service } = this.tab;
    const { openShards, closedShards } = await this.tabs.until(
      service.call("describeStream", { name }),
    );
    const records: ReadRecord[] = [];
    for (const { shardIndex } of [...closedShards, ...openShards]) {
      for (let nextIndex = 0; ; ) {
        const request = {
          ...{ streamUid: uid, cursors: [{ shardIndex, nextIndex }] },
          ...{ recordsMax: 10_000, bytesMax: 10_485_760, waitMs: 0 },
        };
        const slice = await this.tabs.until(service.read(request, new AbortController().signal));
        const [part] = readSlice(slice);
        if (part === undefined || part.records.length === 0) break;
        records.push(...part.records);
        nextIndex = part.nextIndex;
      }
    }
    return records;
  }

  /** Waits until all records are copied and nothing moves any more. */
  async settle(): Promise<ReadRecord[]> {
    for (let rounds = 0; ; rounds += 1) {
      await this.tabs.pass(1000);
      const copies = await this.readAll(this.#streams.output);
      const { leases } = await this.described();
      const rested = leases.every(({ status }) => status === "ended" || status === "owned");
      if ((copies.length >= this.written && rested) || rounds >= 60) return copies;
    }
  }
}

describe("a consumer group in disorder", () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => FIRST + i))(
    "copies everything once and in order, and comes to rest in balance, seed %i",
    async (seed) => {
      const run = await Disorder.begin(seed);
      await run.join();
      for (let i = 0; i < STEPS; i += 1) await run.step();
      if (run.jobs.length === 0) await run.join();
      const copies = await run.settle();
      const numbers = copies.map(numberOf);
      expect([...numbers].sort((one, other) => one - other)).toEqual(
        Array.from({ length: run.written }, (_, i) => i),
      );
      expect(run.doubles).toEqual([]);
      await expectOrder(run, numbers);
      const { leases, workers } = await run.described();
      expect(workers).toHaveLength(run.jobs.length);
      const owned = workers.map((worker) => worker.leases);
      expect(Math.max(...owned) - Math.min(...owned)).toBeLessThanOrEqual(1);
      const open = leases.filter(({ status }) => status === "owned").length;
      expect(owned.reduce((sum, count) => sum + count, 0)).toBe(open);
    },
    120_000,
  );
});

/** Records of a shard are copied in their order, and after all records of its parents. */
async function expectOrder(run: Disorder, numbers: readonly number[]): Promise<void> {
  const place = new Map(numbers.map((number, i) => [number, i]));
  const places = new Map<number, number[]>();
  for (const record of await run.readAll(run.streams.input)) {
    const of = places.get(record.shardIndex) ?? [];
    places.set(record.shardIndex, [...of, place.get(numberOf(record)) ?? -1]);
  }
  const { service } = run.tab;
  const stream = await run.tabs.until(service.call("describeStream", { name: "input" }));
  for (const shard of [...stream.openShards, ...stream.closedShards]) {
    const own = places.get(shard.shardIndex) ?? [];
    expect(own).toEqual([...own].sort((one, other) => one - other));
    const parents = [shard.parentShardIndex, shard.adjacentParentShardIndex];
    const before = parents.flatMap((index) =>
      index === undefined ? [] : (places.get(index) ?? []),
    );
    if (own.length > 0 && before.length > 0) {
      expect(Math.max(...before)).toBeLessThan(Math.min(...own));
    }
  }
}
