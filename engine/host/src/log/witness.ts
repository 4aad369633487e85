/**
 * The witness: 64 bytes outside the store that tell what the store must hold. A store that came back
 * empty, or older than it was, is told from one that never held more.
 *
 * It is written lazily and never ahead of what is durable, so that it may lag behind the log, but never
 * accuses it wrongly. Little endian: `{u32 magic "MRT1", u16 format, u16 relaxed frames behind the durable
 * one, u32 next stream uid, u32 next shard uid, 16 B incarnation, u64 newest durable frame, u64 its XXH64,
 * f64 highest wall time seen, u32 epoch, u32 FNV-1a of all before}`.
 *
 * While frames are acknowledged that a power cut may take back, it has format 2, which says that there may be
 * more of them than it names. A copy of it that is not forced to the disk then tells a machine that ran on
 * from one that stopped: the copy is always written first, so that only a power cut leaves it behind.
 */

import { bytesOfHex, hexOfBytes } from "../model/hex.ts";
import { fnv1a } from "../model/token-bytes.ts";
import type { Clock, Witnesses } from "../platform/platform.ts";
import { readUint64, viewOf, writeUint64 } from "./bytes.ts";
import type { ControlState } from "./control-state.ts";
import type { WalLedger } from "./wal-ledger.ts";

/** What a witness tells of a log. */
export interface Testimony {
  /** 32 hexadecimal digits. */
  readonly incarnation: string;
  readonly epoch: number;
  /** The newest frame that no power cut takes back. */
  readonly frameNumber: number;
  /** XXH64 of that frame, 0 when it is not known. */
  readonly hash: bigint;
  /** Acknowledged frames behind that one, which a power cut may have taken back; 65,535 for more. */
  readonly relaxedFrames: number;
  /** Highest wall time that the leader had seen, in ms since the Unix epoch. */
  readonly timeMs: number;
  readonly nextStreamUid: number;
  readonly nextShardUid: number;
  /** Relaxed frames may have been acknowledged since it was written. */
  readonly relaxedSince?: boolean;
  /** Newest second in which a shard was created; known within the process only, a witness does not hold it. */
  readonly createdSeconds?: number;
  /** Whether the machine stopped since; known to whoever read both records, a witness does not hold it. */
  readonly machineStopped?: boolean;
}

/** Size of a witness. */
export const WITNESS_BYTES = 64;
const MAGIC = 0x3154524d;
const FORMAT = 1;
/** Of a witness behind which relaxed frames are being acknowledged; older builds take it for none. */
const FORMAT_RELAXED = 2;
const INCARNATION_AT = 16;
const INCARNATION_BYTES = 16;
const CHECKSUM_AT = WITNESS_BYTES - 4;
const U16_MAX = 0xffff;

/** Commits between two writings at most. */
const COMMITS_MAX = 64;
/** Time in ms after which a commit is witnessed at the latest, unless writing fails. */
const DELAY_MS = 1000;
/** The same for a commit that a power cut may take back: only what was witnessed can be missed afterwards. */
const RELAXED_DELAY_MS = 100;
/** Part of the time that may go into witnessing such commits, for each writing waits for the disk. */
const RELAXED_TIME_PART = 0.1;
/** So long after the last of them, in ms, the witness says that there may be more. */
const RELAXED_SINCE_MS = 10_000;
/** A witness that could not be written in time for such a commit is not waited for again so soon, in ms. */
const ANNOUNCE_AGAIN_MS = 60_000;
/** Leaders that follow each other have unforced records apart; so many are kept. */
const UNFORCED_RECORDS = 4;

/** A testimony as bytes. */
export function encodeTestimony(testimony: Testimony): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(WITNESS_BYTES);
  const view = viewOf(bytes);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, testimony.relaxedSince === true ? FORMAT_RELAXED : FORMAT, true);
  view.setUint16(6, Math.min(U16_MAX, testimony.relaxedFrames), true);
  view.setUint32(8, testimony.nextStreamUid, true);
  view.setUint32(12, testimony.nextShardUid, true);
  bytes.set(bytesOfHex(testimony.incarnation), INCARNATION_AT);
  writeUint64(view, 32, testimony.frameNumber);
  view.setBigUint64(40, testimony.hash, true);
  view.setFloat64(48, testimony.timeMs, true);
  view.setUint32(56, testimony.epoch, true);
  view.setUint32(CHECKSUM_AT, fnv1a(bytes.subarray(0, CHECKSUM_AT)), true);
  return bytes;
}

/** What bytes testify; undefined when they are no intact testimony, which then says nothing. */
export function decodeTestimony(bytes: Uint8Array | undefined): Testimony | undefined {
  if (bytes?.byteLength !== WITNESS_BYTES) return undefined;
  const view = viewOf(bytes);
  const format = view.getUint16(4, true);
  if (view.getUint32(0, true) !== MAGIC) return undefined;
  if (format !== FORMAT && format !== FORMAT_RELAXED) return undefined;
  if (view.getUint32(CHECKSUM_AT, true) !== fnv1a(bytes.subarray(0, CHECKSUM_AT))) return undefined;
  const incarnation = bytes.subarray(INCARNATION_AT, INCARNATION_AT + INCARNATION_BYTES);
  return {
    incarnation: hexOfBytes(incarnation),
    epoch: view.getUint32(56, true),
    frameNumber: readUint64(view, 32),
    hash: view.getBigUint64(40, true),
    relaxedFrames: view.getUint16(6, true),
    timeMs: view.getFloat64(48, true),
    nextStreamUid: view.getUint32(8, true),
    nextShardUid: view.getUint32(12, true),
    ...(format === FORMAT_RELAXED ? { relaxedSince: true } : {}),
  };
}

/**
 * The witness of an engine, with what its unforced copy tells of the machine; undefined when there is none.
 * Never rejects.
 */
export async function readTestimony(
  witnesses: Witnesses | undefined,
  engineName: string,
): Promise<Testimony | undefined> {
  const testimony = decodeTestimony(await witnesses?.read(engineName));
  if (testimony?.relaxedSince !== true || witnesses?.readUnforced === undefined) return testimony;
  try {
    const name = unforcedName(engineName, testimony.epoch);
    const unforced = decodeTestimony(await witnesses.readUnforced(name));
    const ranOn = unforced !== undefined && !isOlder(unforced, testimony);
    return ranOn ? testimony : { ...testimony, machineStopped: true };
  } catch {
    // A copy that cannot be read says nothing; only one that is absent or older tells of a power cut.
    return testimony;
  }
}

/** Leaders have unforced records of their own: one that was deposed and does not know yet may write late. */
function unforcedName(engineName: string, epoch: number): string {
  return `${engineName}.${epoch % UNFORCED_RECORDS}`;
}

/** Whether a testimony of the same log was written before another one. */
function isOlder(one: Testimony, other: Testimony): boolean {
  const order = [
    one.epoch - other.epoch,
    one.frameNumber + one.relaxedFrames - other.frameNumber - other.relaxedFrames,
    one.timeMs - other.timeMs,
  ];
  return (order.find((difference) => difference !== 0) ?? 0) < 0;
}

/** What a keeper testifies of. */
export interface WitnessSettings {
  readonly witnesses: Witnesses | undefined;
  readonly engineName: string;
  readonly clock: Clock;
  readonly wal: WalLedger;
  readonly control: ControlState;
  readonly incarnation: string;
  readonly epoch: number;
  /** Wall time that has passed for certain, in ms since the Unix epoch. */
  readonly notBeforeMs: number;
}

/** Writes the testimony of one leader. Nobody waits for it but {@link WitnessKeeper.close}. */
export class WitnessKeeper {
  readonly #settings: WitnessSettings;
  #commits = 0;
  #cancelTimer: (() => void) | undefined;
  /** When the timer fires, by the monotonic clock. */
  #dueMs = 0;
  /** How long the last writing took, in ms. */
  #writingMs = 0;
  #writing: Promise<void> | undefined;
  #kept = false;
  #closed = false;
  /** Until then, by the monotonic clock, what is written says that relaxed frames may follow. */
  #relaxedUntilMs = Number.NEGATIVE_INFINITY;
  /** Whether what was written last says so. */
  #announced = false;
  #announcing: Promise<void> | undefined;
  /** Nobody waits for an announcement before this time of the monotonic clock. */
  #announceAgainMs = Number.NEGATIVE_INFINITY;

  constructor(settings: WitnessSettings) {
    this.#settings = settings;
  }

  get incarnation(): string {
    return this.#settings.incarnation;
  }

  /** Whether the last attempt to write it succeeded. */
  get kept(): boolean {
    return this.#kept;
  }

  /**
   * A frame is being written that a power cut may take back. Undefined when the witness says already that such
   * frames may follow; else resolves when it does, and the frame is not acknowledged before. Never rejects.
   */
  announce(): Promise<void> | undefined {
    const { witnesses, clock } = this.#settings;
    if (this.#closed || witnesses?.writeUnforced === undefined) return undefined;
    const nowMs = clock.monotonicMs();
    this.#relaxedUntilMs = nowMs + RELAXED_SINCE_MS;
    if (this.#announced || nowMs < this.#announceAgainMs) return undefined;
    this.#announcing ??= this.#announce().finally(() => {
      this.#announcing = undefined;
    });
    return this.#announcing;
  }

  async #announce(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    if (this.#announced) return;
    this.write();
    await this.#writing;
    if (!this.#announced) {
      this.#announceAgainMs = this.#settings.clock.monotonicMs() + ANNOUNCE_AGAIN_MS;
    }
  }

  /** Something was committed. */
  committed(): void {
    if (this.#closed || this.#settings.witnesses === undefined) return;
    this.#commits++;
    if (this.#commits >= COMMITS_MAX) this.write();
    else this.#writeWithin(this.#delayMs());
  }

  #delayMs(): number {
    const { wal } = this.#settings;
    if (wal.end.frameNumber === wal.durableEnd.frameNumber) return DELAY_MS;
    return Math.min(DELAY_MS, Math.max(RELAXED_DELAY_MS, this.#writingMs / RELAXED_TIME_PART));
  }

  /** Has it written in so many ms, unless it is to be written earlier. */
  #writeWithin(delayMs: number): void {
    const { clock } = this.#settings;
    const dueMs = clock.monotonicMs() + delayMs;
    if (this.#cancelTimer !== undefined && this.#dueMs <= dueMs) return;
    this.#cancelTimer?.();
    this.#dueMs = dueMs;
    this.#cancelTimer = clock.after(delayMs, () => this.write());
  }

  /** Writes it now, unless it is being written: then again soon. */
  write(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#closed || this.#settings.witnesses === undefined) return;
    if (this.#writing !== undefined) {
      this.#writeWithin(this.#delayMs());
      return;
    }
    this.#commits = 0;
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Writes it for the last time. Never rejects. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.stop();
    await this.#writing;
    // Nothing is acknowledged from here on: what it names is all that there is.
    this.#relaxedUntilMs = Number.NEGATIVE_INFINITY;
    if (this.#settings.witnesses !== undefined) await this.#write();
  }

  /** Writes nothing more: another leader may testify by now. */
  stop(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  async #write(): Promise<void> {
    const { witnesses, engineName, clock } = this.#settings;
    const startMs = clock.monotonicMs();
    const relaxedSince = startMs < this.#relaxedUntilMs;
    const bytes = encodeTestimony({ ...this.testify(), ...(relaxedSince ? { relaxedSince } : {}) });
    if (!relaxedSince) this.#announced = false;
    try {
      if (relaxedSince) {
        const name = unforcedName(engineName, this.#settings.epoch);
        await witnesses?.writeUnforced?.(name, bytes);
      }
      await witnesses?.write(engineName, bytes);
      this.#kept = true;
      this.#announced = relaxedSince;
    } catch {
      // A log without a witness is as good as before; the next commit tries again.
      this.#kept = false;
    }
    this.#writingMs = clock.monotonicMs() - startMs;
    if (relaxedSince && !this.#closed) this.#writeWithin(RELAXED_SINCE_MS);
  }

  /** What this leader knows of its log at present. */
  testify(): Testimony {
    const { wal, control, incarnation, epoch, clock, notBeforeMs } = this.#settings;
    const { frameNumber, hash } = wal.durableEnd;
    return {
      ...{ incarnation, epoch, frameNumber, hash },
      relaxedFrames: wal.end.frameNumber - frameNumber,
      timeMs: Math.max(clock.nowMs(), notBeforeMs),
      nextStreamUid: control.nextStreamUid,
      nextShardUid: control.nextShardUid,
      createdSeconds: control.newestCreatedSeconds,
    };
  }
}
