/**
 * Brings stored segments back into the core's cache, and keeps what is left of damaged ones.
 *
 * A damaged segment is reported once; the frames in it that verify are served all the same, and so are
 * those that the WAL still holds.
 */
import { DamagedSegmentError } from "../core/core-errors.ts";
import { releaseBuffer } from "../core/release-buffer.ts";
import type { SegmentKey } from "../storage/log-store.ts";
import { isDestroyed } from "./data-keys.ts";
import type { LogContext } from "./log-context.ts";
import type { DataLoss } from "./loss-reports.ts";
import { patientRead } from "./patient-read.ts";
import { NOTHING_SALVAGED, type SalvagedSegment } from "./salvage.ts";
import { decryptSegment, keyOfImage } from "./segment-cipher.ts";
import { factsOfImage } from "./segment-directory.ts";
import { withWalCopies } from "./wal-copies.ts";

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
    const { store, guard } = this.#context;
    const image = await patientRead(store, guard, READ_ATTEMPTS, () => store.readSegment(key));
    if (!this.#isHeld(slot, key)) return;
    if (image === undefined || "unreadable" in image) {
      const reason = image?.unreadable ?? "the store no longer has it";
      await this.#noteDamage(slot, key, reason, NOTHING_SALVAGED);
      return;
    }
    const dataKeyId = keyOfImage(image);
    if (dataKeyId === 0) await this.#take(slot, key, image, image.byteLength);
    else await this.#decrypt(slot, key, image, dataKeyId);
  }

  /** Keys end on purpose or get lost; what they encrypted is a hole either way, and a loss only then. */
  async #decrypt(
    slot: number,
    key: SegmentKey,
    stored: Uint8Array,
    dataKeyId: number,
  ): Promise<void> {
    const { core, cipher, control } = this.#context;
    const destroyed = isDestroyed(control, dataKeyId);
    const image = destroyed ? "no-key" : await decryptSegment(core, cipher, stored);
    if (!this.#isHeld(slot, key)) return;
    if (image === "damaged") {
      const reason = "its ciphertext does not verify with its key and header";
      await this.#noteDamage(slot, key, reason, NOTHING_SALVAGED);
    } else if (image === "no-key") {
      this.#keep(key, NOTHING_SALVAGED);
      if (!destroyed) this.#reportKey(dataKeyId);
    } else {
      await this.#take(slot, key, image, stored.byteLength);
    }
    releaseBuffer(stored);
  }

  /**
   * Whether the segment is still wanted: while the store was reading, it may have been dropped, or its shard
   * deleted and the slot given away.
   */
  #isHeld(slot: number, key: SegmentKey): boolean {
    const { slots, directory } = this.#context;
    return slots.ofUid(key[0])?.slot === slot && directory.of(key[0]).includes(key);
  }

  #reportKey(dataKeyId: number): void {
    this.#context.losses.add({
      kind: "key",
      where: `data key ${dataKeyId}`,
      reason: "the vault does not have it; what it encrypted cannot be read",
      recordCount: undefined,
    });
  }

  /** `storedBytes` is the length that the segment has in the store. */
  async #take(
    slot: number,
    key: SegmentKey,
    image: Uint8Array,
    storedBytes: number,
  ): Promise<void> {
    const { core } = this.#context;
    try {
      core.load(slot, image);
      const facts = factsOfImage(image);
      if (facts !== undefined) {
        const [, recordCount, lastIndex] = facts;
        this.#context.directory.note(key, [storedBytes, recordCount, lastIndex]);
      }
      releaseBuffer(image);
    } catch (error) {
      if (!(error instanceof DamagedSegmentError)) throw error;
      const rest = { image, ranges: core.intactFrames(image), whole: false };
      await this.#noteDamage(slot, key, error.message, rest);
    }
  }

  /** Keeps what is left of a segment and what the WAL still holds of it, and reports the rest. */
  async #noteDamage(
    slot: number,
    key: SegmentKey,
    reason: string,
    rest: SalvagedSegment,
  ): Promise<void> {
    const found = await withWalCopies(this.#context, key, rest);
    if (!this.#isHeld(slot, key)) return;
    if (this.#context.directory.isGoing(key)) {
      this.#keep(key, found);
      return;
    }
    const name = key.join();
    // What only the WAL has must not be trimmed.
    if (found !== rest) this.#context.directory.noteGone([key]);
    this.#keep(key, found);
    if (this.#reported.has(name)) return;
    this.#reported.add(name);
    const told = found.whole ? `${reason}; the WAL still has all of it` : reason;
    this.#context.losses.add({
      ...{ kind: "segment", where: `shard uid ${key[0]}, segment ${key[1]}`, reason: told },
      ...this.#lostOf(key, found),
    });
  }

  /** How much of a segment is gone, as far as its manifest told what it held. */
  #lostOf(
    key: SegmentKey,
    { ranges, whole }: SalvagedSegment,
  ): Pick<DataLoss, "recordCount" | "byteLength"> {
    if (whole) return { recordCount: 0, byteLength: 0 };
    const facts = this.#context.directory.factsOf(key);
    if (facts === undefined) return { recordCount: undefined };
    const records = ranges.reduce((left, range) => left - range.recordCount, facts[1]);
    const bytes = ranges.reduce((left, range) => left - range.byteLength, facts[0]);
    return { recordCount: Math.max(0, records), byteLength: Math.max(0, bytes) };
  }

  #keep(key: SegmentKey, rest: SalvagedSegment): void {
    const name = key.join();
    // What takes no memory is kept for good: it need not be looked at again and again.
    this.#salvaged.delete(name);
    this.#salvaged.set(name, rest);
    const large = [...this.#salvaged].filter(([, { image }]) => image.byteLength > 0);
    const [oldest] = large;
    if (large.length > SALVAGED_MAX && oldest !== undefined) this.#salvaged.delete(oldest[0]);
  }
}
