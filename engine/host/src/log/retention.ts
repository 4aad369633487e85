/**
 * Retention: drops segments whose newest record is older than its stream's retention period, and closed
 * shards of which nothing is left.
 *
 * Whole segments go, and only after the frame that says so is durable. A wall clock that is not to be
 * trusted pauses the sweep.
 */
import { LimitExceededError, StoreFullError } from "../errors/index.ts";
import type { SegmentKey } from "../storage/log-store.ts";
import type { ControlRecord, StreamDefinition } from "./control-records.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { LogContext } from "./log-context.ts";

/** Time between two sweeps in ms. */
export const SWEEP_INTERVAL_MS = 60_000;
const HOUR_MS = 3_600_000;

/**
 * Arrival time in ms since the Unix epoch before which a stream's records are expired; -Infinity while
 * the wall clock is not to be trusted.
 */
export function expiredBeforeMs(context: LogContext, stream: StreamDefinition): number {
  if (context.clockGuard.distrust() !== undefined) return Number.NEGATIVE_INFINITY;
  return context.clock.nowMs() - stream.retentionHours * HOUR_MS;
}

/**
 * Drops the segments of shards through the given ones, the newest that goes of each shard. Where the
 * store has no room for the frame that says so, deleting goes first.
 * @throws MillraceError when the change cannot be committed; what was deleted is then still to be declared.
 */
export async function trimSegments(
  { directory, store, control }: LogContext,
  commit: GroupCommit,
  through: readonly SegmentKey[],
): Promise<void> {
  const records = through.map((key) => {
    const [shardUid, throughOrdinal, firstIndex] = key;
    // Only what the dropped segment itself is known to hold may count as dropped: records behind it may
    // be in memory alone.
    const following = directory.after(shardUid, firstIndex)?.[2];
    const beforeIndex = following ?? (directory.lastIndexOf(key) ?? firstIndex) + 1;
    return { kind: "shard-trimmed", shardUid, beforeIndex, throughOrdinal } as const;
  });
  const dropped = through.flatMap(([shardUid, ordinal]) =>
    directory.of(shardUid).filter((key) => key[1] <= ordinal),
  );
  try {
    await commit.change(records);
  } catch (error) {
    if (!(error instanceof StoreFullError)) throw error;
    await store.deleteSegments(dropped);
    await commit.change(records);
  }
  for (const [shardUid, ordinal] of through) {
    if (control.shard(shardUid) !== undefined) directory.trimThrough(shardUid, ordinal);
  }
  await store.deleteSegments(dropped);
}

/** Sweeps when told to; the log decides when. */
export class RetentionSweep {
  readonly #context: LogContext;
  readonly #commit: GroupCommit;
  readonly #noted: (shardUids: readonly number[]) => readonly ControlRecord[];
  #pausedBecause: string | undefined;

  /** `noted` says what is stored in one step with the expiry of shards. */
  constructor(
    context: LogContext,
    commit: GroupCommit,
    noted: (shardUids: readonly number[]) => readonly ControlRecord[],
  ) {
    this.#context = context;
    this.#commit = commit;
    this.#noted = noted;
  }

  /** Why the last sweep dropped nothing although it might have, or undefined. */
  get pausedBecause(): string | undefined {
    return this.#pausedBecause;
  }

  /** Drops what has expired. @throws MillraceError when the change cannot be committed; nothing is dropped then. */
  async sweep(): Promise<void> {
    this.#pausedBecause = this.#context.clockGuard.distrust();
    if (this.#pausedBecause !== undefined) return;
    for (const stream of [...this.#context.control.streams()]) {
      const expiredMs = expiredBeforeMs(this.#context, stream);
      for (const { uid } of stream.shards) await this.#trim(uid, expiredMs);
      await this.#expireShards(stream.uid, expiredMs);
    }
  }

  async #trim(shardUid: number, expiredMs: number): Promise<void> {
    const last = this.#context.directory.endedBefore(shardUid, expiredMs).at(-1);
    if (last !== undefined) await trimSegments(this.#context, this.#commit, [last]);
  }

  /** Forgets the closed shards of a stream that closed before the retention period began and hold nothing. */
  async #expireShards(streamUid: number, expiredMs: number): Promise<void> {
    const shards = this.#context.control.stream(streamUid)?.shards ?? [];
    const shardUids = shards
      .filter(({ closedMs }) => closedMs !== undefined && closedMs < expiredMs)
      .map(({ uid }) => uid)
      .filter((uid) => this.#isEmpty(uid));
    if (shardUids.length === 0) return;
    const expiry: ControlRecord = { kind: "shards-expired", shardUids };
    try {
      await this.#commit.change([...this.#noted(shardUids), expiry]);
    } catch (error) {
      // Where there is no room for what is to be noted of them, shards must go all the same.
      if (!(error instanceof LimitExceededError)) throw error;
      await this.#commit.change([expiry]);
    }
  }

  /** Whether a shard holds no record, neither in the store nor in memory. */
  #isEmpty(shardUid: number): boolean {
    const { control, directory, slots, core } = this.#context;
    const shard = slots.ofUid(shardUid);
    if (shard === undefined || directory.of(shardUid).length > 0) return false;
    const { provisional, durableIndex } = core.position(shard.slot);
    if (provisional) return false;
    const from = control.shard(shardUid)?.trimmedBefore ?? 0;
    const found = core.locate(shard.slot, from, 1, 1);
    return found.kind === "end" || (found.kind === "absent" && found.cachedFrom >= durableIndex);
  }
}
