/**
 * Keeps the WAL short: seals the laggards, writes a snapshot of the control state and the producer
 * table, then deletes the frames that nothing depends on any more.
 *
 * The snapshot stands for all that was deleted. There are two of it, each in a frame of its own and whole
 * by itself, so that one that can no longer be read costs nothing.
 */
import { MillraceError } from "../errors/index.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { LogContext } from "./log-context.ts";
import { encodeResults } from "./producer-table.ts";
import type { Sealer } from "./sealer.ts";
import { producerSection, snapshotSection } from "./sections.ts";
import { decodeFrame, frameLength, type SectionDraft } from "./wal-frame.ts";

/** Age of the WAL in ms at which a checkpoint trims it even if it is short: 5 minutes. */
const WAL_AGE_MAX_MS = 300_000;
/** Snapshots that one checkpoint writes. */
const COPIES = 2;

/** Decides when a checkpoint is due and makes it. */
export class Checkpointer {
  readonly #context: LogContext;
  readonly #commit: GroupCommit;
  readonly #sealer: Sealer;
  #running: Promise<void> | undefined;
  #lastMonotonicMs: number;
  /** Commits that the last checkpoint itself needed are no reason for the next one. */
  #commitsAtLast = 0;
  /** Bytes of the snapshots that the last checkpoint wrote: none can make the WAL shorter by them. */
  #snapshotBytes = 0;

  constructor(context: LogContext, commit: GroupCommit, sealer: Sealer) {
    this.#context = context;
    this.#commit = commit;
    this.#sealer = sealer;
    this.#lastMonotonicMs = context.clock.monotonicMs();
  }

  /** Makes a checkpoint if the WAL is long or old enough and none is being made. */
  consider(): void {
    if (this.#running !== undefined || !this.#context.store.recoverable) return;
    const { wal, limits, clock } = this.#context;
    const long = wal.trimmableBytes - this.#snapshotBytes > limits.walBytesMax;
    const old =
      clock.monotonicMs() - this.#lastMonotonicMs > WAL_AGE_MAX_MS &&
      this.#commit.commits > this.#commitsAtLast;
    if (!long && !old) return;
    // A failed attempt shows as the sealer's failure, and the next call tries again.
    this.#running = this.run().then(
      () => this.#ended(),
      () => this.#ended(),
    );
  }

  /** Makes a checkpoint. @throws MillraceError when sealing or committing fails; nothing is lost then. */
  async run(): Promise<void> {
    const { core, wal, store } = this.#context;
    const throughFrame = wal.nextFrameNumber - 1;
    core.rollOlderThan(Number.POSITIVE_INFINITY);
    // What was appended and not committed when the segments were rolled holds them back until it is.
    await this.#commit.change([]);
    await this.#sealer.drain(throughFrame);
    await this.#writeSnapshots();
    const frameNumbers = wal.trimmable(throughFrame, ({ shardUid, ordinal }) => {
      const shard = this.#context.control.shard(shardUid);
      return shard === undefined || ordinal <= shard.sealedThrough;
    });
    await store.deleteFrames(frameNumbers);
    wal.remove(frameNumbers);
  }

  async #writeSnapshots(): Promise<void> {
    let byteLength = 0;
    for (let copy = 0; copy < COPIES; copy++) {
      const frameNumber = await this.#commit.change([], () => {
        const sections = this.#snapshot();
        byteLength += frameLength(sections);
        return sections;
      });
      await this.#verify(frameNumber);
    }
    this.#snapshotBytes = byteLength;
  }

  /** What stands for all that is about to be deleted is read back first. */
  async #verify(frameNumber: number): Promise<void> {
    const { store, core } = this.#context;
    const stored = await store.readFrame(frameNumber);
    const damaged = stored === undefined || "damaged" in decodeFrame(core, stored);
    if (!damaged) return;
    throw new MillraceError(
      "InternalFailureException",
      `the snapshot in frame ${frameNumber} did not read back as it was written`,
      { argument: "frameNumber", value: frameNumber, retryable: true },
    );
  }

  /** Resolves when no checkpoint is being made. */
  async settled(): Promise<void> {
    await this.#running;
  }

  #ended(): void {
    this.#running = undefined;
    this.#lastMonotonicMs = this.#context.clock.monotonicMs();
    this.#commitsAtLast = this.#commit.commits;
  }

  #snapshot(): SectionDraft[] {
    const { control, producers, core, slots, clock, clockGuard } = this.#context;
    if (clockGuard.distrust() === undefined) producers.expire(clock.nowMs());
    const snapshot = control.snapshot((shardUid) => {
      const shard = slots.ofUid(shardUid);
      return shard === undefined ? 0 : core.position(shard.slot).nextIndex;
    });
    return [snapshotSection(snapshot), producerSection(encodeResults(producers.all()))];
  }
}
