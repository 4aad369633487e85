/**
 * Keeps the WAL short: seals the laggards, writes a snapshot of the control state and the producer
 * table, then deletes the frames that nothing depends on any more.
 *
 * The snapshot stands for all that was deleted. There are two of it, each in a frame of its own and whole
 * by itself, so that one that can no longer be read costs nothing.
 */
import { MillraceError, StoreFullError } from "../errors/index.ts";
import { fenceListSection } from "./fence-list.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { LogContext } from "./log-context.ts";
import type { Sealer } from "./sealer.ts";
import { snapshotSections, trimmableFrames } from "./state-snapshot.ts";
import { decodeFrame, frameLength } from "./wal-frame.ts";

/** Age of the WAL in ms at which a checkpoint trims it even if it is short: 5 minutes. */
const WAL_AGE_MAX_MS = 300_000;
/** Frames of the WAL at which a checkpoint trims it: every one costs the next leader time to read. */
const WAL_FRAMES_MAX = 4096;
/** Fences that every opening reads at most: more are listed by a snapshot. */
const UNLISTED_FENCES_MAX = 256;
/** Snapshots that one checkpoint writes. */
const COPIES = 2;
/** Pause after a failed attempt, in ms. */
const RETRY_DELAY_MS = 1000;
/** Bytes of WAL that a trimming must be able to free before it is worth the snapshots that it needs. */
const WORTHWHILE_BYTES = 65_536;

/** Decides when a checkpoint is due and makes it. */
export class Checkpointer {
  readonly #context: LogContext;
  readonly #commit: GroupCommit;
  readonly #sealer: Sealer;
  #running: Promise<void> | undefined;
  #lastMonotonicMs: number;
  /** No attempt before this time of the monotonic clock. */
  #pausedUntilMs = 0;
  /** Commits that the last checkpoint itself needed are no reason for the next one. */
  #commitsAtLast = 0;
  /** Bytes of the snapshots that the last checkpoint wrote: none can make the WAL shorter by them. */
  #snapshotBytes = 0;
  /** Frames that the last checkpoint left. */
  #framesLeft = 0;

  constructor(context: LogContext, commit: GroupCommit, sealer: Sealer) {
    this.#context = context;
    this.#commit = commit;
    this.#sealer = sealer;
    this.#lastMonotonicMs = context.clock.monotonicMs();
  }

  /** Makes a checkpoint if the WAL is long or old enough, in bytes, frames or time, and none is being made. */
  consider(): void {
    if (this.#running !== undefined || !this.#context.store.recoverable) return;
    const { wal, limits, clock } = this.#context;
    const long = wal.trimmableBytes - this.#snapshotBytes > limits.walBytesMax;
    const many = wal.trimmableCount - this.#framesLeft > WAL_FRAMES_MAX;
    const old =
      clock.monotonicMs() - this.#lastMonotonicMs > WAL_AGE_MAX_MS &&
      this.#commit.commits > this.#commitsAtLast;
    const fenced = wal.unlistedFences > UNLISTED_FENCES_MAX;
    if (!long && !many && !old && !fenced) return;
    if (clock.monotonicMs() < this.#pausedUntilMs) return;
    this.#begin(this.run());
  }

  /** Follows an attempt to its end. One that fails shows as the sealer's failure, and is made again later. */
  #begin(attempt: Promise<void>): void {
    this.#running = attempt.then(
      () => this.#ended(),
      () => {
        this.#pausedUntilMs = this.#context.clock.monotonicMs() + RETRY_DELAY_MS;
        this.#ended();
      },
    );
  }

  /** Makes a checkpoint. @throws MillraceError when sealing or committing fails; nothing is lost then. */
  async run(): Promise<void> {
    const { core, wal } = this.#context;
    const throughFrame = wal.nextFrameNumber - 1;
    core.rollOlderThan(Number.POSITIVE_INFINITY);
    // What was appended and not committed when the segments were rolled holds them back until it is.
    await this.#commit.change([]);
    await this.#sealer.drain(throughFrame);
    await this.#trim(throughFrame);
  }

  /**
   * Makes a checkpoint for room's sake: where the store takes no more segments, what it has of them
   * shortens the WAL all the same. @throws MillraceError when that fails as well.
   */
  async squeeze(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    const done = this.#squeeze();
    this.#begin(done);
    await done;
  }

  async #squeeze(): Promise<void> {
    const { wal, store, core } = this.#context;
    if (!store.recoverable) {
      core.rollOlderThan(Number.POSITIVE_INFINITY);
      await this.#sealer.drain(Number.MAX_SAFE_INTEGER);
      return;
    }
    if (wal.trimmableBytes - this.#snapshotBytes < WORTHWHILE_BYTES) return;
    const throughFrame = wal.nextFrameNumber - 1;
    try {
      await this.run();
    } catch (error) {
      if (!(error instanceof StoreFullError)) throw error;
      const byteLength = wal.lengthOf(trimmableFrames(this.#context, throughFrame));
      if (byteLength - this.#snapshotBytes < WORTHWHILE_BYTES) throw error;
      await this.#trim(throughFrame);
    }
  }

  /** Writes the snapshots and deletes the frames that they and the declared segments stand for. */
  async #trim(throughFrame: number): Promise<void> {
    const { wal, store } = this.#context;
    await this.#writeSnapshots(throughFrame);
    this.#context.wal.noteListed();
    await this.#context.controlCopy.write();
    const frameNumbers = trimmableFrames(this.#context, throughFrame);
    wal.noteGoing(frameNumbers);
    await store.deleteFrames(frameNumbers);
    wal.remove(frameNumbers);
    this.#framesLeft = wal.trimmableCount;
  }

  async #writeSnapshots(throughFrame: number): Promise<void> {
    let byteLength = 0;
    for (let copy = 0; copy < COPIES; copy++) {
      const frameNumber = await this.#commit.change([], () => {
        const sections = [
          ...snapshotSections(this.#context, throughFrame),
          fenceListSection(this.#context.wal.fences()),
        ];
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
}
