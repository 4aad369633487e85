/**
 * Retention: drops segments whose newest record is older than its stream's retention period.
 *
 * Whole segments go, and only after the frame that says so is durable. Wall time is held against the
 * monotonic clock: after a jump of more than five minutes nothing is dropped until the clock has been
 * steady for a sweep, because a wrong clock must not delete records.
 */
import type { GroupCommit } from "./group-commit.ts";
import type { LogContext } from "./log-context.ts";

/** Time between two sweeps in ms. */
export const SWEEP_INTERVAL_MS = 60_000;
/** Wall time may differ from monotonic time by this much over one sweep, in ms. */
const CLOCK_JUMP_MAX_MS = 300_000;
const HOUR_MS = 3_600_000;

/** Sweeps when told to; the log decides when. */
export class RetentionSweep {
  readonly #context: LogContext;
  readonly #commit: GroupCommit;
  #wallMs: number;
  #monotonicMs: number;
  #pausedBecause: string | undefined;

  constructor(context: LogContext, commit: GroupCommit) {
    this.#context = context;
    this.#commit = commit;
    this.#wallMs = context.clock.nowMs();
    this.#monotonicMs = context.clock.monotonicMs();
  }

  /** Why the last sweep dropped nothing although it might have, or undefined. */
  get pausedBecause(): string | undefined {
    return this.#pausedBecause;
  }

  /** Drops what has expired. @throws MillraceError when the change cannot be committed; nothing is dropped then. */
  async sweep(): Promise<void> {
    this.#pausedBecause = this.#clockJump();
    if (this.#pausedBecause !== undefined) return;
    const { control, directory, clock, store } = this.#context;
    const nowMs = clock.nowMs();
    for (const stream of [...control.streams()]) {
      const expiredMs = nowMs - stream.retentionHours * HOUR_MS;
      for (const shard of stream.shards) {
        const last = directory.endedBefore(shard.uid, expiredMs).at(-1);
        if (last === undefined) continue;
        const throughOrdinal = last[1];
        const following = directory.after(shard.uid, last[2]);
        const beforeIndex = following?.[2] ?? this.#indexAfter(shard.uid, last[2]);
        await this.#commit.change([
          { kind: "shard-trimmed", shardUid: shard.uid, beforeIndex, throughOrdinal },
        ]);
        await store.deleteSegments(directory.trimThrough(shard.uid, throughOrdinal));
      }
    }
  }

  /** Index after the last sealed record of a shard: everything later is not sealed yet. */
  #indexAfter(shardUid: number, firstIndex: number): number {
    const floor = this.#context.control.shard(shardUid)?.nextIndexFloor ?? 0;
    return Math.max(floor, firstIndex + 1);
  }

  #clockJump(): string | undefined {
    const { clock } = this.#context;
    const wallMs = clock.nowMs();
    const monotonicMs = clock.monotonicMs();
    const jumpMs = wallMs - this.#wallMs - (monotonicMs - this.#monotonicMs);
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
    if (Math.abs(jumpMs) <= CLOCK_JUMP_MAX_MS) return undefined;
    return `the wall clock jumped by ${Math.round(jumpMs / 1000)} s; retention waits for one sweep`;
  }
}
