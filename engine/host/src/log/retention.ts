/**
 * Retention: drops segments whose newest record is older than its stream's retention period.
 *
 * Whole segments go, and only after the frame that says so is durable. A wall clock that is not to be
 * trusted pauses the sweep.
 */
import type { GroupCommit } from "./group-commit.ts";
import type { LogContext } from "./log-context.ts";

/** Time between two sweeps in ms. */
export const SWEEP_INTERVAL_MS = 60_000;
const HOUR_MS = 3_600_000;

/** Sweeps when told to; the log decides when. */
export class RetentionSweep {
  readonly #context: LogContext;
  readonly #commit: GroupCommit;
  #pausedBecause: string | undefined;

  constructor(context: LogContext, commit: GroupCommit) {
    this.#context = context;
    this.#commit = commit;
  }

  /** Why the last sweep dropped nothing although it might have, or undefined. */
  get pausedBecause(): string | undefined {
    return this.#pausedBecause;
  }

  /** Drops what has expired. @throws MillraceError when the change cannot be committed; nothing is dropped then. */
  async sweep(): Promise<void> {
    this.#pausedBecause = this.#context.clockGuard.distrust();
    if (this.#pausedBecause !== undefined) return;
    const { control, clock } = this.#context;
    const nowMs = clock.nowMs();
    for (const stream of [...control.streams()]) {
      const expiredMs = nowMs - stream.retentionHours * HOUR_MS;
      for (const shard of stream.shards) await this.#trim(shard.uid, expiredMs);
    }
  }

  async #trim(shardUid: number, expiredMs: number): Promise<void> {
    const { directory, store } = this.#context;
    const last = directory.endedBefore(shardUid, expiredMs).at(-1);
    if (last === undefined) return;
    const [, throughOrdinal, firstIndex] = last;
    // Only what the dropped segment itself is known to hold may count as dropped: records behind it may
    // be in memory alone.
    const following = directory.after(shardUid, firstIndex)?.[2];
    const beforeIndex = following ?? (directory.lastIndexOf(last) ?? firstIndex) + 1;
    await this.#commit.change([{ kind: "shard-trimmed", shardUid, beforeIndex, throughOrdinal }]);
    await store.deleteSegments(directory.trimThrough(shardUid, throughOrdinal));
  }
}
