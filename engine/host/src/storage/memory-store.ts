/** A store in memory: for engines that keep nothing, and for tests that break it on purpose. */
import { OutcomeUnknownError, StoreFailedError, StoreFullError } from "../errors/store-errors.ts";
import type { Fault, FaultPlan, StoreOperation } from "./fault-plan.ts";
import type {
  Durability,
  LogStore,
  SegmentKey,
  SegmentWrite,
  StoredFrame,
  StoreUsage,
} from "./log-store.ts";
import { MemoryDisk } from "./memory-disk.ts";

/** How a memory store behaves. */
export interface MemoryLogStoreOptions {
  /** What it writes on; a new disk when absent. */
  readonly disk?: MemoryDisk;
  /** Whether the log shall write WAL frames, as if the disk survived the process. */
  readonly recoverable?: boolean;
  /** What goes wrong. */
  readonly faults?: FaultPlan;
  /** What it says was lost before it was opened. */
  readonly lossAtOpening?: string;
}

/** {@link LogStore} over a {@link MemoryDisk}. Calls take effect in the order they were made. */
export class MemoryLogStore implements LogStore {
  readonly kind = "memory";
  readonly recoverable: boolean;
  readonly lossAtOpening: string | undefined;
  readonly disk: MemoryDisk;
  readonly faults: FaultPlan | undefined;
  readonly #listeners: ((reason: string) => void)[] = [];
  /** Settles when every earlier call has; never rejects. */
  #tail: Promise<void> = Promise.resolve();
  /** Why calls fail at present. */
  #downReason: string | undefined;
  /** Grows with every reopening: calls of an older connection come to nothing. */
  #connection = 1;

  constructor(options: MemoryLogStoreOptions = {}) {
    this.recoverable = options.recoverable ?? true;
    this.disk = options.disk ?? new MemoryDisk({ volatile: !this.recoverable });
    this.faults = options.faults;
    this.lossAtOpening = options.lossAtOpening;
  }

  appendFrame(frameNumber: number, frame: Uint8Array, durability: Durability): Promise<void> {
    // The caller may reuse its buffer as soon as this returns, so the copy is made here.
    const copy = frame.slice();
    return this.#run("appendFrame", true, () => this.disk.addFrame(frameNumber, copy, durability));
  }

  lastFrameNumber(): Promise<number> {
    return this.#run("lastFrameNumber", false, () => this.disk.frameNumbers().at(-1) ?? 0);
  }

  frameNumbers(): Promise<number[]> {
    return this.#run("frameNumbers", false, () => this.disk.frameNumbers());
  }

  readFrame(frameNumber: number): Promise<Uint8Array | undefined> {
    return this.#run("readFrame", false, () => this.disk.readFrame(frameNumber));
  }

  readFrames(fromFrame: number, toFrame: number): Promise<StoredFrame[]> {
    return this.#run("readFrames", false, () =>
      this.disk
        .frameNumbers()
        .filter((frameNumber) => frameNumber >= fromFrame && frameNumber <= toFrame)
        .flatMap((frameNumber) => {
          const bytes = this.disk.readFrame(frameNumber);
          return bytes === undefined ? [] : [{ frameNumber, bytes }];
        }),
    );
  }

  deleteFrames(frameNumbers: readonly number[]): Promise<void> {
    return this.#run("deleteFrames", true, () => this.disk.deleteFrames(frameNumbers));
  }

  addSegments(segments: readonly SegmentWrite[]): Promise<void> {
    // The images are the store's from here on: a copy of what memory holds anyway would be a waste.
    return this.#run("addSegments", true, () => this.disk.addSegments(segments));
  }

  segmentKeys(): Promise<SegmentKey[]> {
    return this.#run("segmentKeys", false, () => this.disk.segmentKeys());
  }

  readSegment(key: SegmentKey): Promise<Uint8Array | undefined> {
    return this.#run("readSegment", false, () => this.disk.readSegment(key));
  }

  deleteSegments(keys: readonly SegmentKey[]): Promise<void> {
    return this.#run("deleteSegments", true, () => this.disk.deleteSegments(keys));
  }

  async reopen(): Promise<void> {
    this.#connection += 1;
    this.#downReason = undefined;
    this.#tail = Promise.resolve();
  }

  async usage(): Promise<StoreUsage> {
    return {
      usageBytes: this.disk.usedBytes,
      quotaBytes: this.disk.capacityBytes,
      persistent: false,
    };
  }

  onLost(listener: (reason: string) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.#downReason = "the store is closed";
  }

  /** Takes the connection away, as a browser does when site data is cleared. */
  lose(reason: string): void {
    this.#downReason = reason;
    for (const listener of this.#listeners) listener(reason);
  }

  /** Runs one call behind all earlier ones, with the fault that is due for it. */
  #run<Result>(operation: StoreOperation, writes: boolean, action: () => Result): Promise<Result> {
    const fault = this.faults?.next(operation);
    const connection = this.#connection;
    const result = this.#tail.then(async () => {
      if (fault?.until !== undefined) await fault.until;
      if (connection !== this.#connection) {
        throw new OutcomeUnknownError(`${operation}: the connection was dropped meanwhile`);
      }
      if (this.#downReason !== undefined) {
        throw new OutcomeUnknownError(`${operation}: ${this.#downReason}`);
      }
      return fault === undefined ? action() : this.#fail(operation, writes, fault, action);
    });
    this.#tail = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  #fail<Result>(
    operation: StoreOperation,
    writes: boolean,
    fault: Fault,
    action: () => Result,
  ): Result {
    const reason = `${operation}: planned fault "${fault.kind}"`;
    switch (fault.kind) {
      case "none":
        return action();
      case "abort":
        throw new StoreFailedError(reason);
      case "full":
        throw writes ? new StoreFullError(reason) : new StoreFailedError(reason);
      case "unknown-written":
      case "crash-written":
        action();
        break;
      case "unknown-not-written":
      case "crash-not-written":
        break;
    }
    if (fault.kind.startsWith("crash")) this.#downReason = "the store crashed";
    throw new OutcomeUnknownError(reason);
  }
}
