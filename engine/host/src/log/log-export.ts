/**
 * An open log as one file, given out piece by piece while the log goes on: what it was made of when the
 * export began is held, so that nothing of it is trimmed meanwhile. What is encrypted stays so, and its
 * keys stay behind.
 */
import type { SegmentKey } from "../storage/log-store.ts";
import { ArchiveWriter, encodeHeader, type Hash } from "./archive-format.ts";
import { padTo8 } from "./bytes.ts";
import type { HeldStore } from "./held-store.ts";
import type { LogContext } from "./log-context.ts";
import { patientRead } from "./patient-read.ts";

/** Bytes of one piece at most. */
const PIECE_BYTES_MAX = 4_194_304;
/** Readings of a frame or segment before the export goes on without it. */
const READ_ATTEMPTS = 3;

/** One export of one log. */
export class LogExport {
  readonly #context: LogContext;
  readonly #frames: readonly number[];
  readonly #segments: readonly SegmentKey[];
  readonly #chunks: AsyncGenerator<Uint8Array>;
  readonly #release: () => void;
  /** What was taken from the chunks and did not fit into the last piece. */
  #rest: Uint8Array | undefined;
  #unreadable = 0;

  constructor(context: LogContext, held: HeldStore) {
    this.#context = context;
    const { wal, control, directory } = context;
    const fences = wal.fences();
    // Of all fences the first one shows that the beginning is there, the last one whose log it is.
    const passedOver = new Set(fences.slice(1, -1).map(({ frameNumber }) => frameNumber));
    const numbers = wal.frames().map(({ frameNumber }) => frameNumber);
    this.#frames = numbers.filter((frameNumber) => !passedOver.has(frameNumber));
    this.#segments = [...control.shards()].flatMap(({ uid }) => [...directory.of(uid)]);
    this.#release = held.hold(this.#frames, this.#segments);
    this.#chunks = this.#give();
  }

  /** The next piece, in a buffer of its own; undefined at the end. @throws MillraceError when the store is out of reach. */
  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const parts: Uint8Array[] = [];
    let byteLength = 0;
    for (;;) {
      const chunk = this.#rest ?? (await this.#chunks.next()).value;
      this.#rest = undefined;
      if (chunk === undefined) break;
      const room = PIECE_BYTES_MAX - byteLength;
      parts.push(chunk.subarray(0, room));
      byteLength += Math.min(room, chunk.byteLength);
      if (chunk.byteLength <= room) continue;
      this.#rest = chunk.subarray(room);
      break;
    }
    if (byteLength === 0) {
      this.#release();
      return undefined;
    }
    return joined(parts, byteLength);
  }

  /** Lets go of what it holds. */
  close(): void {
    this.#release();
    this.#rest = undefined;
    void this.#chunks.return(undefined);
  }

  async *#give(): AsyncGenerator<Uint8Array> {
    const { core, store, clock, epoch, witness } = this.#context;
    const hash: Hash = (bytes) => core.xxh64(bytes);
    const { incarnation } = witness;
    const throughFrame = this.#frames.at(-1) ?? 0;
    yield encodeHeader({ incarnation, timeMs: clock.nowMs(), epoch, throughFrame }, hash);
    const writer = new ArchiveWriter(hash);
    for (const frameNumber of this.#frames) {
      const bytes = await this.#read(() => store.readFrame(frameNumber));
      if (bytes === undefined) continue;
      yield writer.entry({ kind: "frame", frameNumber, bytes });
      yield padded(bytes);
    }
    for (const key of this.#segments) {
      const bytes = await this.#read(() => store.readSegment(key));
      if (bytes === undefined) continue;
      yield writer.entry({ kind: "segment", key, bytes });
      yield padded(bytes);
    }
    yield writer.trailer(this.#unreadable);
  }

  /** Damaged bytes are given out as they are: whoever imports them reports what recovery finds in them. */
  async #read(read: () => Promise<Uint8Array | undefined>): Promise<Uint8Array | undefined> {
    const { store, guard } = this.#context;
    const reading = await patientRead(store, guard, READ_ATTEMPTS, read);
    if (reading instanceof Uint8Array) return reading;
    this.#unreadable++;
    return undefined;
  }
}

function padded(bytes: Uint8Array): Uint8Array {
  const byteLength = padTo8(bytes.byteLength);
  if (byteLength === bytes.byteLength) return bytes;
  const longer = new Uint8Array(byteLength);
  longer.set(bytes);
  return longer;
}

function joined(parts: readonly Uint8Array[], byteLength: number): Uint8Array<ArrayBuffer> {
  const piece = new Uint8Array(byteLength);
  let at = 0;
  for (const part of parts) {
    piece.set(part, at);
    at += part.byteLength;
  }
  return piece;
}
