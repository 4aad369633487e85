/**
 * Brings stored segments back into the core's cache, and keeps what is left of damaged ones.
 *
 * A damaged segment is reported once; the frames in it that verify are served all the same.
 */
import { SEGMENT_LAST_INDEX } from "@millrace/core/layout";
import { DamagedSegmentError } from "../core/core-errors.ts";
import { releaseBuffer } from "../core/release-buffer.ts";
import type { SegmentKey } from "../storage/log-store.ts";
import { readUint64, viewOf } from "./bytes.ts";
import type { LogContext } from "./log-context.ts";
import { patientRead } from "./patient-read.ts";
import type { SalvagedSegment } from "./salvage.ts";

/** Damaged segments whose rest is kept in memory; others are read again. */
const SALVAGED_MAX = 8;
/** Readings of a segment before it counts as damaged, for as long as nobody asks again. */
const READ_ATTEMPTS = 2;

/** Loads segments, each at most once at a time. */
export class SegmentLoader {
  readonly #context: LogContext;
  readonly #loading = new Map<string, Promise<void>>();
  readonly #salvaged = new Map<string, SalvagedSegment>();
  readonly #reported = new Set<string>();

  constructor(context: LogContext) {
    this.#context = context;
  }

  /** What is left of a segment, if it is known to be damaged. */
  salvaged(key: SegmentKey): SalvagedSegment | undefined {
    return this.#salvaged.get(key.join());
  }

  /** Resolves when the segment is in the cache, or known to be damaged or gone. @throws MillraceError when the store cannot be read. */
  load(slot: number, key: SegmentKey): Promise<void> {
    const name = key.join();
    let loading = this.#loading.get(name);
    if (loading === undefined) {
      loading = this.#load(slot, key).finally(() => this.#loading.delete(name));
      this.#loading.set(name, loading);
    }
    return loading;
  }

  async #load(slot: number, key: SegmentKey): Promise<void> {
    const { store, guard, core, slots } = this.#context;
    const image = await patientRead(store, guard, READ_ATTEMPTS, () => store.readSegment(key));
    // The shard may have been deleted, and its slot given away, while the store was reading.
    if (slots.ofUid(key[0])?.slot !== slot) return;
    if (image === undefined || "unreadable" in image) {
      const reason = image?.unreadable ?? "the store no longer has it";
      this.#noteDamage(key, reason, { image: new Uint8Array(0), ranges: [] });
      return;
    }
    try {
      core.load(slot, image);
      this.#context.directory.noteLast(key, readUint64(viewOf(image), SEGMENT_LAST_INDEX));
      releaseBuffer(image);
    } catch (error) {
      if (!(error instanceof DamagedSegmentError)) throw error;
      this.#noteDamage(key, error.message, { image, ranges: core.intactFrames(image) });
    }
  }

  #noteDamage(key: SegmentKey, reason: string, rest: SalvagedSegment): void {
    // Retention may have dropped the segment while the store was reading; then nothing is amiss.
    if (!this.#context.directory.of(key[0]).includes(key)) return;
    const name = key.join();
    this.#salvaged.set(name, rest);
    const [oldest] = this.#salvaged.keys();
    if (this.#salvaged.size > SALVAGED_MAX && oldest !== undefined) this.#salvaged.delete(oldest);
    if (this.#reported.has(name)) return;
    this.#reported.add(name);
    this.#context.losses.push({
      kind: "segment",
      where: `shard uid ${key[0]}, segment ${key[1]}`,
      reason,
      recordCount: undefined,
    });
  }
}
