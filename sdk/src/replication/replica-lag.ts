/** How far a replica is behind: what the reads of each shard said last, and how fast it comes closer. */
import type { EngineClient } from "@millrace/engine";
import type { ReplicationLag } from "./replication-progress.ts";

/** How far back the speed is looked at, in ms. */
const WINDOW_MS = 10_000;
const SAMPLE_MS = 500;

interface Sample {
  readonly atMs: number;
  readonly lagMs: number;
}

/** See above. */
export class ReplicaLag {
  readonly #clock: Pick<EngineClient["clock"], "monotonicMs">;
  /** Of shards that are being copied; undefined while it is not known. */
  readonly #behindMs = new Map<string, number | undefined>();
  #samples: Sample[] = [];
  /** When the far side did not answer for the first time since it did. */
  #silentMs: number | undefined;

  constructor(clock: Pick<EngineClient["clock"], "monotonicMs">) {
    this.#clock = clock;
  }

  /** How far the copy of a shard is behind is not known: it begins, or is done and those of its children begin. */
  begin(shardId: string): void {
    this.#behindMs.set(shardId, undefined);
  }

  /** What a read of a shard said, now that it is stored. */
  read(shardId: string, behindMs: number): void {
    this.#behindMs.set(shardId, behindMs);
    this.#sample();
  }

  /** A shard is copied to its end, and the copies of its children are begun. */
  end(shardId: string): void {
    this.#behindMs.delete(shardId);
  }

  /** Nothing is being copied. */
  clear(): void {
    this.#behindMs.clear();
    this.#samples = [];
    this.#silentMs = undefined;
  }

  /** The far side does not answer. */
  silent(): void {
    this.#silentMs ??= this.#clock.monotonicMs();
  }

  /** The far side has answered. */
  heard(): void {
    this.#silentMs = undefined;
  }

  /** Whether every shard was read, and had nothing more. */
  get none(): boolean {
    return this.#behindMs.size > 0 && this.#lagMs() === 0;
  }

  /** The figures. How many records there are yet, the far side does not tell. */
  get figures(): ReplicationLag {
    const lagMs = this.#lagMs();
    const lagRecords = lagMs === 0 ? 0 : undefined;
    return { lagRecords, lagMs, estimatedMs: this.#estimate(lagMs) };
  }

  /** While the far side is silent, it is not known what it has: the copy may be behind by as much more. */
  #lagMs(): number | undefined {
    const behind = [...this.#behindMs.values()];
    if (behind.length === 0 || behind.includes(undefined)) return undefined;
    const silentMs = this.#silentMs === undefined ? 0 : this.#clock.monotonicMs() - this.#silentMs;
    return Math.max(...behind.map((one) => one ?? 0)) + silentMs;
  }

  #estimate(lagMs: number | undefined): number | undefined {
    if (lagMs === 0) return 0;
    const [oldest, newest] = [this.#samples[0], this.#samples.at(-1)];
    if (lagMs === undefined || oldest === undefined || newest === undefined) return undefined;
    const closerMs = oldest.lagMs - newest.lagMs;
    const elapsedMs = newest.atMs - oldest.atMs;
    return closerMs > 0 && elapsedMs > 0 ? (lagMs * elapsedMs) / closerMs : undefined;
  }

  #sample(): void {
    const lagMs = this.#lagMs();
    const atMs = this.#clock.monotonicMs();
    if (lagMs === undefined || atMs - (this.#samples.at(-1)?.atMs ?? -SAMPLE_MS) < SAMPLE_MS)
      return;
    this.#samples.push({ atMs, lagMs });
    this.#samples = this.#samples.filter((one) => atMs - one.atMs <= WINDOW_MS);
  }
}
