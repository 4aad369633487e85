/**
 * The witness: 64 bytes outside the store that tell what the store must hold. A store that came back
 * empty, or older than it was, is told from one that never held more.
 *
 * It is written lazily and never ahead of what is durable, so that it may lag behind the log, but never
 * accuses it wrongly. Little endian: `{u32 magic "MRT1", u16 format, u16 relaxed frames behind the durable
 * one, u32 next stream uid, u32 next shard uid, 16 B incarnation, u64 newest durable frame, u64 its XXH64,
 * f64 highest wall time seen, u32 epoch, u32 FNV-1a of all before}`.
 */
import { fnv1a } from "../model/token-bytes.ts";
import type { Clock, Witnesses } from "../platform/platform.ts";
import { bytesOfHex, hexOfBytes, readUint64, viewOf, writeUint64 } from "./bytes.ts";
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
  /** Newest second in which a shard was created; known within the process only, a witness does not hold it. */
  readonly createdSeconds?: number;
}

/** Size of a witness. */
export const WITNESS_BYTES = 64;
const MAGIC = 0x3154524d;
const FORMAT = 1;
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

/** A testimony as bytes. */
export function encodeTestimony(testimony: Testimony): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(WITNESS_BYTES);
  const view = viewOf(bytes);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, FORMAT, true);
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
  if (view.getUint32(0, true) !== MAGIC || view.getUint16(4, true) !== FORMAT) return undefined;
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
  };
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
    try {
      await witnesses?.write(engineName, encodeTestimony(this.testify()));
      this.#kept = true;
    } catch {
      // A log without a witness is as good as before; the next commit tries again.
      this.#kept = false;
    }
    this.#writingMs = clock.monotonicMs() - startMs;
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
