/**
 * The control copy: a snapshot of the control state and the producer table outside the store, for a store
 * that loses both of its own while segments are left. Without it nobody could tell whose they are.
 *
 * It is a testimony of 64 bytes, which says of which log it is and through which frame, followed by a WAL
 * frame of that number that lies in no WAL. What a store holds encrypted, it does not hold at all.
 */
import { SECTION_PRODUCERS, SECTION_SNAPSHOT } from "@millrace/core/layout";
import type { ShardLogCore } from "../core/core-types.ts";
import type { Clock, Witnesses } from "../platform/platform.ts";
import type { ControlRecord } from "./control-records.ts";
import type { StoredSnapshot } from "./control-snapshot.ts";
import { type BatchResult, decodeResults } from "./producer-table.ts";
import { readSnapshot } from "./sections.ts";
import { decodeFrame, encodeFrame, type SectionDraft } from "./wal-frame.ts";
import { decodeTestimony, encodeTestimony, type Testimony, WITNESS_BYTES } from "./witness.ts";

/** Time in ms after which a change of state is in the copy at the latest, unless writing takes long. */
const DELAY_MS = 1000;
/** Part of the time that may go into writing it. */
const TIME_PART = 0.1;
/** Documents without which streams are not what they were; the others come along when the copy is written. */
const STREAM_DOCUMENTS = /^(?:stream\/|key\/|data-key\/|last-data-key$)/;

/** A control copy that is whole. */
export interface ControlCopy {
  /** Its frame number is the last one whose control records the copy knows. */
  readonly testimony: Testimony;
  readonly snapshot: StoredSnapshot;
  readonly producers: readonly BatchResult[];
}

/** A control copy as bytes. */
export function encodeControlCopy(
  core: ShardLogCore,
  testimony: Testimony,
  sections: readonly SectionDraft[],
): Uint8Array {
  const { epoch, frameNumber, timeMs } = testimony;
  const frame = encodeFrame(core, { epoch, frameNumber, previousHash: 0n, timeMs }, sections);
  const bytes = new Uint8Array(WITNESS_BYTES + frame.bytes.byteLength);
  bytes.set(encodeTestimony(testimony));
  bytes.set(frame.bytes, WITNESS_BYTES);
  return bytes;
}

/** What bytes hold; undefined when they are no whole control copy. */
export function decodeControlCopy(
  core: ShardLogCore,
  bytes: Uint8Array | undefined,
): ControlCopy | undefined {
  const testimony = decodeTestimony(bytes?.slice(0, WITNESS_BYTES));
  if (bytes === undefined || testimony === undefined) return undefined;
  // A buffer of its own, so that the sections are aligned.
  const frame = decodeFrame(core, bytes.slice(WITNESS_BYTES));
  if ("damaged" in frame || frame.frameNumber !== testimony.frameNumber) return undefined;
  const snapshot = frame.sections.find(({ type }) => type === SECTION_SNAPSHOT);
  if (snapshot === undefined) return undefined;
  const results = frame.sections.find(({ type }) => type === SECTION_PRODUCERS);
  return {
    testimony,
    snapshot: readSnapshot(snapshot),
    producers: results === undefined ? [] : [...decodeResults(results.payload)],
  };
}

/**
 * The bytes of the control copy that knows most, of those that are kept; undefined when there is none. A leader
 * that was deposed and does not know yet may have written last. Never rejects.
 */
export async function readNewestCopy(
  witnesses: Witnesses | undefined,
  engineName: string,
): Promise<Uint8Array | undefined> {
  return await witnesses?.readCopy?.(engineName, (one, other) => {
    const [left, right] = [one, other].map((bytes) =>
      decodeTestimony(bytes.slice(0, WITNESS_BYTES)),
    );
    if (left === undefined || right === undefined)
      return Number(right === undefined) - Number(left === undefined);
    if (left.incarnation !== right.incarnation) return 0;
    return left.epoch - right.epoch || left.frameNumber - right.frameNumber;
  });
}

/** Whether a testimony is of a later leader of the same log than another one. */
function isOfLater(one: Testimony, other: Testimony): boolean {
  return one.incarnation === other.incarnation && one.epoch > other.epoch;
}

/** What a keeper writes. */
export interface ControlCopySettings {
  readonly witnesses: Witnesses | undefined;
  readonly engineName: string;
  readonly clock: Clock;
  readonly core: ShardLogCore;
  readonly testify: () => Testimony;
  /** The state in the place of the frames up to one. */
  readonly sections: (throughFrame: number) => readonly SectionDraft[];
}

/** Writes the control copy of one leader: soon after streams change, and whenever a checkpoint asks for it. */
export class ControlCopyKeeper {
  readonly #settings: ControlCopySettings;
  #cancelTimer: (() => void) | undefined;
  #writing: Promise<void> | undefined;
  /** How long the last writing took, in ms. */
  #writingMs = 0;
  #changed = false;
  #closed = false;

  constructor(settings: ControlCopySettings) {
    this.#settings = settings;
  }

  /** A control record was applied. */
  applied(record: ControlRecord): void {
    if (record.kind === "segments-sealed") return;
    const isDocument = record.kind === "document-put" || record.kind === "document-deleted";
    if (!isDocument || STREAM_DOCUMENTS.test(record.key)) this.writeSoon();
  }

  /** Has it written in a while. */
  writeSoon(): void {
    const { witnesses, clock } = this.#settings;
    if (this.#closed || witnesses?.writeCopy === undefined) return;
    this.#changed = true;
    this.#cancelTimer ??= clock.after(Math.max(DELAY_MS, this.#writingMs / TIME_PART), () => {
      this.#cancelTimer = undefined;
      void this.write();
    });
  }

  /** Writes it; resolves when it is written, or cannot be. Never rejects. */
  async write(): Promise<void> {
    if (this.#closed || this.#settings.witnesses?.writeCopy === undefined) return;
    while (this.#writing !== undefined) await this.#writing;
    if (this.#closed) return;
    this.#begin();
    await this.#writing;
  }

  /** Writes it for the last time when something has changed. Never rejects. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.stop();
    await this.#writing;
    // The writing under way may have failed.
    if (this.#changed) this.#begin();
    await this.#writing;
  }

  /** Writes nothing more: another leader may by now. */
  stop(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #begin(): void {
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async #write(): Promise<void> {
    const { witnesses, engineName, clock, core, testify, sections } = this.#settings;
    const startMs = clock.monotonicMs();
    this.#changed = false;
    try {
      const before = decodeTestimony(
        (await readNewestCopy(witnesses, engineName))?.slice(0, WITNESS_BYTES),
      );
      // What a power cut may take back holds no control records.
      const testimony = { ...testify(), relaxedFrames: 0 };
      // Another leader has written since: this one is deposed and does not know yet.
      if (before !== undefined && isOfLater(before, testimony)) return this.stop();
      const bytes = encodeControlCopy(core, testimony, sections(testimony.frameNumber));
      await witnesses?.writeCopy?.(engineName, bytes);
    } catch {
      // A log without the copy is as good as before; the next change or checkpoint tries again.
      this.#changed = true;
    }
    this.#writingMs = clock.monotonicMs() - startMs;
  }
}
