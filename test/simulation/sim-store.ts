/**
 * A store of the simulated machine: every call reaches the shared disk as one task and is answered by
 * another one, and both may go wrong. What a context asked for may reach the disk after its death.
 */
import {
  FrameExistsError,
  OutcomeUnknownError,
  StoreFailedError,
  StoreFullError,
} from "../../engine/host/src/errors/store-errors.ts";
import type {
  Durability,
  LogStore,
  SegmentKey,
  SegmentWrite,
  StoredFrame,
  StoreUsage,
} from "../../engine/host/src/storage/log-store.ts";
import type { MemoryDisk } from "../../engine/host/src/storage/memory-disk.ts";
import type { DiskWatch } from "./disk-watch.ts";
import type { Process, Scheduler } from "./scheduler.ts";

/** How often calls of a store go wrong: once in so many, 0 for never. */
export interface StoreFaults {
  abortOneIn: number;
  unknownOneIn: number;
  /** The connection is closed by force while a call is under way. */
  closeOneIn: number;
  /** A segment is stored with a flipped bit, and nobody is told. */
  flipOneIn: number;
  /** Bytes that fit on the disk. */
  capacityBytes: number;
}

/** What stores of one machine share. */
export interface DiskParts {
  readonly scheduler: Scheduler;
  readonly disk: MemoryDisk;
  readonly watch: DiskWatch;
  readonly faults: StoreFaults;
  /** The process that does what stores ask for; it never dies. */
  readonly diskProcess: Process;
  /** Power cuts so far: what had not reached the disk before one never does. */
  readonly powerCuts: () => number;
}

interface Call<Result> {
  readonly label: string;
  /** Bytes that it adds; undefined for a read, 0 for a deletion. */
  readonly addsBytes: number | undefined;
  readonly effect: () => Result;
}

/** {@link LogStore} of one process. */
export class SimStore implements LogStore {
  readonly kind = "simulated";
  readonly recoverable = true;
  readonly lossAtOpening = undefined;
  readonly #parts: DiskParts;
  readonly #owner: Process;
  readonly #listeners: ((reason: string) => void)[] = [];
  #connection = 1;
  #downReason: string | undefined;
  /** What had not reached the disk when the process died is lost from here on. */
  #cutOff = false;

  constructor(parts: DiskParts, owner: Process) {
    this.#parts = parts;
    this.#owner = owner;
  }

  appendFrame(frameNumber: number, frame: Uint8Array, durability: Durability): Promise<void> {
    const copy = frame.slice();
    const { disk, watch } = this.#parts;
    return this.#run({
      label: `append ${frameNumber} ${durability}`,
      addsBytes: copy.byteLength,
      effect: () => {
        const there = disk.readFrame(frameNumber);
        disk.addFrame(frameNumber, copy, durability);
        if (there === undefined) watch.frameAdded(frameNumber, copy, this.#owner.name);
        else watch.frameReplaced(frameNumber);
      },
    });
  }

  lastFrameNumber(): Promise<number> {
    return this.#read("last", () => this.#parts.disk.frameNumbers().at(-1) ?? 0);
  }

  frameNumbers(): Promise<number[]> {
    return this.#read("numbers", () => this.#parts.disk.frameNumbers());
  }

  readFrame(frameNumber: number): Promise<Uint8Array | undefined> {
    return this.#read(`read ${frameNumber}`, () => this.#parts.disk.readFrame(frameNumber));
  }

  readFrames(fromFrame: number, toFrame: number): Promise<StoredFrame[]> {
    const { disk } = this.#parts;
    return this.#read(`read ${fromFrame} to ${toFrame}`, () => {
      const numbers = disk.frameNumbers().filter((one) => one >= fromFrame && one <= toFrame);
      return numbers.flatMap((frameNumber) => {
        const bytes = disk.readFrame(frameNumber);
        return bytes === undefined ? [] : [{ frameNumber, bytes }];
      });
    });
  }

  deleteFrames(frameNumbers: readonly number[]): Promise<void> {
    const { disk, watch } = this.#parts;
    return this.#run({
      label: `delete ${frameNumbers.length} frames`,
      addsBytes: 0,
      effect: () => {
        watch.framesDeleted(frameNumbers);
        disk.deleteFrames(frameNumbers);
      },
    });
  }

  addSegments(segments: readonly SegmentWrite[]): Promise<void> {
    const { disk, watch, faults, scheduler } = this.#parts;
    return this.#run({
      label: `seal ${segments.map(({ key }) => `${key[0]}/${key[1]}`).join(" ")}`,
      addsBytes: segments.reduce((sum, { image }) => sum + image.byteLength, 0),
      effect: () => {
        disk.addSegments(segments);
        for (const { key, image } of segments) {
          const bytes = new Uint8Array(image);
          watch.segmentAdded(bytes);
          if (faults.flipOneIn === 0 || !scheduler.oneIn(faults.flipOneIn)) continue;
          const flipped = bytes.slice();
          const at = scheduler.random.below(flipped.byteLength);
          flipped[at] = (flipped[at] ?? 0) ^ 1;
          disk.overwriteSegment(key, flipped);
        }
      },
    });
  }

  segmentKeys(): Promise<SegmentKey[]> {
    return this.#read("segment keys", () => this.#parts.disk.segmentKeys());
  }

  readSegment(key: SegmentKey): Promise<Uint8Array | undefined> {
    return this.#read(`segment ${key[0]}/${key[1]}`, () => this.#parts.disk.readSegment(key));
  }

  deleteSegments(keys: readonly SegmentKey[]): Promise<void> {
    const { disk } = this.#parts;
    return this.#run({
      label: `delete ${keys.length} segments`,
      addsBytes: 0,
      effect: () => disk.deleteSegments(keys),
    });
  }

  async reopen(): Promise<void> {
    this.#connection += 1;
    const { scheduler } = this.#parts;
    await scheduler.pause(this.#owner, "store reopens", { delayMs: scheduler.latencyMs(2) });
    this.#downReason = undefined;
  }

  async usage(): Promise<StoreUsage> {
    const { disk, faults } = this.#parts;
    const { capacityBytes } = faults;
    const quotaBytes = Number.isFinite(capacityBytes) ? capacityBytes : undefined;
    return { usageBytes: disk.usedBytes, quotaBytes, persistent: false };
  }

  onLost(listener: (reason: string) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.#downReason = "the store is closed";
  }

  #read<Result>(label: string, effect: () => Result): Promise<Result> {
    return this.#run({ label, addsBytes: undefined, effect });
  }

  #run<Result>(call: Call<Result>): Promise<Result> {
    const { scheduler, diskProcess } = this.#parts;
    const owner = this.#owner;
    const connection = this.#connection;
    const down = this.#downReason;
    const powerCuts = this.#parts.powerCuts();
    return new Promise((resolve, reject) => {
      const answer = (label: string, settle: () => void): void => {
        const options = { delayMs: scheduler.latencyMs(0.5), line: `answers ${owner.name}` };
        scheduler.schedule(owner, label, options, settle);
      };
      const refuse = (error: Error): void =>
        answer(`${call.label}: ${error.name}`, () => reject(error));
      if (down !== undefined) {
        refuse(new OutcomeUnknownError(`${call.label}: ${down}`));
        return;
      }
      const options = { delayMs: scheduler.latencyMs(), line: `disk ${owner.name}` };
      scheduler.schedule(diskProcess, `${owner.name} ${call.label}`, options, () => {
        if (powerCuts !== this.#parts.powerCuts() || !this.#reaches()) return;
        try {
          const result = this.#effect(call);
          if (connection !== this.#connection || this.#downReason !== undefined) {
            refuse(new OutcomeUnknownError(`${call.label}: the connection was dropped meanwhile`));
          } else {
            answer(`${call.label} done`, () => resolve(result));
          }
        } catch (error) {
          refuse(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  }

  /** Whether a call still reaches the disk: of a process that died only the first ones may. */
  #reaches(): boolean {
    if (this.#owner.alive || this.#cutOff) return !this.#cutOff;
    this.#cutOff = this.#parts.scheduler.oneIn(2);
    return !this.#cutOff;
  }

  /** What a call does to the disk, or fails with. */
  #effect<Result>({ label, addsBytes, effect }: Call<Result>): Result {
    const { scheduler, faults, disk } = this.#parts;
    const hit = (oneIn: number): boolean => oneIn > 0 && scheduler.oneIn(oneIn);
    if (hit(faults.closeOneIn)) this.#lose(`${label}: the connection was closed by force`);
    if (hit(faults.abortOneIn)) throw new StoreFailedError(`${label}: aborted`);
    if (addsBytes !== undefined && addsBytes > 0) {
      if (disk.usedBytes + addsBytes > faults.capacityBytes) {
        throw new StoreFullError(`${label}: no room for ${addsBytes} bytes`);
      }
    }
    if (!hit(faults.unknownOneIn)) return effect();
    if (scheduler.oneIn(2)) {
      try {
        effect();
      } catch (error) {
        if (!(error instanceof FrameExistsError)) throw error;
      }
    }
    throw new OutcomeUnknownError(`${label}: nobody knows`);
  }

  /** The platform takes the connection away. */
  #lose(reason: string): void {
    const { scheduler } = this.#parts;
    this.#downReason = reason;
    const options = { delayMs: scheduler.latencyMs(), line: `answers ${this.#owner.name}` };
    scheduler.schedule(this.#owner, "store lost", options, () => {
      for (const listener of this.#listeners) listener(reason);
    });
  }
}
