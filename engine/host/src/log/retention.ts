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
 * Drops the segments of shards through the given ones, the newest that goes of each shard, chosen when the frame is
 * sent that says so. Where the store has no room for that frame, deleting goes first.
 * @throws MillraceError when the change cannot be committed; what was deleted is then still to be declared.
 */
export async function trimSegments(
  { directory, store, control }: LogContext,
  commit: GroupCommit,
  choose: () => readonly SegmentKey[],
): Promise<void> {
  let through: readonly SegmentKey[] = [];
  let dropped: readonly SegmentKey[] = [];
  const decide = (): ControlRecord[] => {
    through = choose();
    dropped = through.flatMap(([shardUid, ordinal]) =>
      directory.of(shardUid).filter((key) => key[1] <= ordinal),
    );
    return through.map((key) => trimmedThrough(directory, key));
  };
  try {
    await commit.change(decide);
  } catch (error) {
    if (!(error instanceof StoreFullError)) throw error;
    const records = decide();
    directory.noteGoing(dropped);
    try {
      await store.deleteSegments(dropped);
      await commit.change(records);
    } catch (failure) {
      // What is gone without a frame that says so is a loss that must be told.
      directory.forgetGoing(dropped);
      throw failure;
    }
  }
  for (const [shardUid, ordinal] of through) {
    if (control.shard(shardUid) !== undefined) directory.trimThrough(shardUid, ordinal);
  }
  await store.deleteSegments(dropped);
}

/** The record that a shard's segments go, through this one. */
function trimmedThrough(directory: LogContext["directory"], key: SegmentKey): ControlRecord {
  const [shardUid, throughOrdinal, firstIndex] = key;
  // Only what the dropped segment itself is known to hold may count as dropped: records behind it may
  // be in memory alone.
  const following = directory.after(shardUid, firstIndex)?.[2];
  const beforeIndex = following ?? (directory.lastIndexOf(key) ?? firstIndex) + 1;
  return { kind: "shard-trimmed", shardUid, beforeIndex, throughOrdinal };
}

/** What goes with the expiry of shards. */
export interface ExpiryParts {
  /** What is stored in one step with it. */
  readonly noted: (shardUids: readonly number[]) => readonly ControlRecord[];
  /** Does it once nobody changes what is noted. */
  readonly guard: (expire: () => Promise<void>) => Promise<void>;
}

/** Sweeps when told to; the log decides when. */
export class RetentionSweep {
  readonly #context: LogContext;
  readonly #commit: GroupCommit;
  readonly #expiry: ExpiryParts;
  #pausedBecause: string | undefined;

  constructor(context: LogContext, commit: GroupCommit, expiry: ExpiryParts) {
    this.#context = context;
    this.#commit = commit;
    this.#expiry = expiry;
  }

  /** Why the last sweep dropped nothing although it might have, or undefined. */
  get pausedBecause(): string | undefined {
    return this.#pausedBecause;
  }

  /** Drops what has expired. @throws MillraceError when the change cannot be committed; nothing is dropped then. */
  async sweep(): Promise<void> {
    await this.trim();
    if (this.#pausedBecause !== undefined) return;
    for (const { uid } of [...this.#context.control.streams()]) await this.#expireShards(uid);
  }

  /** Drops expired records and no shards, for which others may have to wait: a change may wait for the room. */
  async trim(): Promise<void> {
    this.#pausedBecause = this.#context.clockGuard.distrust();
    if (this.#pausedBecause !== undefined) return;
    for (const stream of [...this.#context.control.streams()]) {
      for (const { uid } of stream.shards) await this.#trim(stream.uid, uid);
    }
  }

  /** By the stream's retention period as it is when the frame is sent. */
  async #trim(streamUid: number, shardUid: number): Promise<void> {
    const choose = (): SegmentKey[] =>
      this.#context.directory.endedBefore(shardUid, this.#expiredMs(streamUid)).slice(-1);
    if (choose().length > 0) await trimSegments(this.#context, this.#commit, choose);
  }

  #expiredMs(streamUid: number): number {
    const stream = this.#context.control.stream(streamUid);
    return stream === undefined ? Number.NEGATIVE_INFINITY : expiredBeforeMs(this.#context, stream);
  }

  /** Forgets the closed shards of a stream that closed before the retention period began and hold nothing. */
  async #expireShards(streamUid: number): Promise<void> {
    if (this.#expired(streamUid).length === 0) return;
    const decide = (noted: boolean): ControlRecord[] => {
      const shardUids = this.#expired(streamUid);
      if (shardUids.length === 0) return [];
      return [
        ...(noted ? this.#expiry.noted(shardUids) : []),
        { kind: "shards-expired", shardUids },
      ];
    };
    await this.#expiry.guard(async () => {
      try {
        await this.#commit.change(() => decide(true));
      } catch (error) {
        // Where there is no room for what is to be noted of them, shards must go all the same.
        if (!(error instanceof LimitExceededError)) throw error;
        await this.#commit.change(() => decide(false));
      }
    });
  }

  #expired(streamUid: number): number[] {
    const expiredMs = this.#expiredMs(streamUid);
    const shards = this.#context.control.stream(streamUid)?.shards ?? [];
    return shards
      .filter(({ closedMs }) => closedMs !== undefined && closedMs < expiredMs)
      .map(({ uid }) => uid)
      .filter((uid) => this.#isEmpty(uid));
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
