/**
 * A log as one file, format "MRX1": a header, the frames in ascending order, the segments, a trailer.
 * Little endian; every part begins at a multiple of 8.
 *
 * Header, 64 bytes: `{u32 magic, u16 format, u16 header length, u32 compatible, u32 incompatible feature
 * bits, 16 B incarnation, f64 time of the export, u64 epoch, u64 newest frame, u64 XXH64 of all before}`.
 * Entry, 80 bytes and its payload: `{u32 kind: 1 frame, 2 segment, 3 trailer, u32 0, u64 length of the
 * payload, u64 XXH64 of it, six f64 of the key, u64 XXH64 of all before}`. The key of a frame is its number
 * and five zeros. The trailer is an entry without payload: its key is `[frames, segments, bytes of
 * payloads, values that could not be read, 0, 0]`, and its second hash covers the hashes of all payloads.
 */

import { bytesOfHex, hexOfBytes } from "../model/hex.ts";
import type { SegmentKey } from "../storage/log-store.ts";
import { padTo8, readUint64, viewOf, writeUint64 } from "./bytes.ts";

/** XXH64 of bytes. */
export type Hash = (bytes: Uint8Array) => bigint;

/** What an archive says of the log that it was made of. */
export interface ArchiveHeader {
  /** 32 hexadecimal digits. */
  readonly incarnation: string;
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly epoch: number;
  /** Number of the newest frame. */
  readonly throughFrame: number;
}

/** What an archive ends with. */
export interface ArchiveTrailer {
  readonly frames: number;
  readonly segments: number;
  readonly payloadBytes: number;
  /** Frames and segments that the store did not give. */
  readonly unreadable: number;
}

/** A part of an archive with its payload. */
export type ArchiveEntry =
  | { readonly kind: "frame"; readonly frameNumber: number; readonly bytes: Uint8Array }
  | { readonly kind: "segment"; readonly key: SegmentKey; readonly bytes: Uint8Array };

const MAGIC = 0x3158524d;
const FORMAT = 1;
/** Length of the header in bytes. */
export const ARCHIVE_HEADER_BYTES = 64;
/** Length of an entry in bytes, its payload excluded. */
export const ENTRY_HEADER_BYTES = 80;
const KEY_AT = 24;
const KEY_PARTS = 6;
const KIND = { frame: 1, segment: 2, trailer: 3 } as const;
/** No frame and no segment is larger: a record of 10 MiB, and what goes around it. */
const PAYLOAD_BYTES_MAX = 268_435_456;

/** Why bytes are no archive, or not a whole one. */
export class ArchiveDamage {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** A header as bytes. */
export function encodeHeader(header: ArchiveHeader, hash: Hash): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ARCHIVE_HEADER_BYTES);
  const view = viewOf(bytes);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, FORMAT, true);
  view.setUint16(6, ARCHIVE_HEADER_BYTES, true);
  bytes.set(bytesOfHex(header.incarnation), 16);
  view.setFloat64(32, header.timeMs, true);
  writeUint64(view, 40, header.epoch);
  writeUint64(view, 48, header.throughFrame);
  view.setBigUint64(56, hash(bytes.subarray(0, 56)), true);
  return bytes;
}

/** What a header says. */
export function decodeHeader(bytes: Uint8Array, hash: Hash): ArchiveHeader | ArchiveDamage {
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== MAGIC) return new ArchiveDamage("it is no export of a log");
  if (view.getUint16(4, true) !== FORMAT || view.getUint32(12, true) !== 0) {
    return new ArchiveDamage(
      `it has format ${view.getUint16(4, true)}, which this build does not know`,
    );
  }
  if (view.getBigUint64(56, true) !== hash(bytes.subarray(0, 56))) {
    return new ArchiveDamage("the XXH64 of its header does not match");
  }
  return {
    incarnation: hexOfBytes(bytes.subarray(16, 32)),
    timeMs: view.getFloat64(32, true),
    epoch: readUint64(view, 40),
    throughFrame: readUint64(view, 48),
  };
}

/** Whether a header is of a newer build, as opposed to damaged. */
export function isNewerArchive(bytes: Uint8Array): boolean {
  const view = viewOf(bytes);
  return view.getUint32(0, true) === MAGIC && view.getUint16(4, true) > FORMAT;
}

/** Writes the entries of one archive, and remembers what the trailer must say. */
export class ArchiveWriter {
  readonly #hash: Hash;
  readonly #hashes: bigint[] = [];
  #frames = 0;
  #segments = 0;
  #payloadBytes = 0;

  constructor(hash: Hash) {
    this.#hash = hash;
  }

  /** What stands before a payload. */
  entry(entry: ArchiveEntry): Uint8Array<ArrayBuffer> {
    const { kind, bytes } = entry;
    const hash = this.#hash(bytes);
    this.#hashes.push(hash);
    this.#payloadBytes += bytes.byteLength;
    if (kind === "frame") this.#frames++;
    else this.#segments++;
    const key = kind === "frame" ? [entry.frameNumber] : entry.key;
    return this.#header(KIND[kind], bytes.byteLength, hash, key);
  }

  /** What stands after all entries. */
  trailer(unreadable: number): Uint8Array<ArrayBuffer> {
    const key = [this.#frames, this.#segments, this.#payloadBytes, unreadable];
    return this.#header(KIND.trailer, 0, hashOfHashes(this.#hashes, this.#hash), key);
  }

  #header(
    kind: number,
    byteLength: number,
    hash: bigint,
    key: readonly number[],
  ): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(ENTRY_HEADER_BYTES);
    const view = viewOf(bytes);
    view.setUint32(0, kind, true);
    writeUint64(view, 8, byteLength);
    view.setBigUint64(16, hash, true);
    for (const [i, part] of key.entries()) view.setFloat64(KEY_AT + i * 8, part, true);
    view.setBigUint64(72, this.#hash(bytes.subarray(0, 72)), true);
    return bytes;
  }
}

function hashOfHashes(hashes: readonly bigint[], hash: Hash): bigint {
  const bytes = new Uint8Array(hashes.length * 8);
  const view = viewOf(bytes);
  for (const [i, one] of hashes.entries()) view.setBigUint64(i * 8, one, true);
  return hash(bytes);
}

interface EntryHeader {
  readonly kind: number;
  readonly byteLength: number;
  readonly hash: bigint;
  readonly key: readonly number[];
}

/** Reads an archive that comes in pieces of any size, and verifies every part before it gives it out. */
export class ArchiveReader {
  readonly #hash: Hash;
  readonly #hashes: bigint[] = [];
  #pieces: Uint8Array[] = [];
  #buffered = 0;
  #entry: EntryHeader | undefined;
  #header: ArchiveHeader | undefined;
  #trailer: ArchiveTrailer | undefined;
  #frames = 0;
  #segments = 0;
  #payloadBytes = 0;

  constructor(hash: Hash) {
    this.#hash = hash;
  }

  /** The header, once it was read. */
  get header(): ArchiveHeader | undefined {
    return this.#header;
  }

  /** The trailer, once all was read. */
  get trailer(): ArchiveTrailer | undefined {
    return this.#trailer;
  }

  /** Takes the next piece, which is the reader's from then on. */
  push(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#buffered += piece.byteLength;
  }

  /**
   * The next entry; undefined when it is not all there yet, or the trailer was read. After damage there
   * is nothing more to read.
   */
  next(): ArchiveEntry | ArchiveDamage | undefined {
    if (this.#trailer !== undefined) {
      return this.#buffered === 0 ? undefined : new ArchiveDamage("something follows its end");
    }
    if (this.#header === undefined) {
      const bytes = this.#take(ARCHIVE_HEADER_BYTES);
      if (bytes === undefined) return undefined;
      const header = decodeHeader(bytes, this.#hash);
      if (header instanceof ArchiveDamage) return header;
      this.#header = header;
    }
    if (this.#entry === undefined) {
      const bytes = this.#take(ENTRY_HEADER_BYTES);
      if (bytes === undefined) return undefined;
      const entry = this.#decodeEntry(bytes);
      if (entry instanceof ArchiveDamage) return entry;
      if (entry.kind === KIND.trailer) return this.#end(entry);
      this.#entry = entry;
    }
    return this.#payload(this.#entry);
  }

  #payload(entry: EntryHeader): ArchiveEntry | ArchiveDamage | undefined {
    const padded = this.#take(padTo8(entry.byteLength));
    if (padded === undefined) return undefined;
    const bytes = padded.subarray(0, entry.byteLength);
    this.#entry = undefined;
    if (this.#hash(bytes) !== entry.hash) {
      return new ArchiveDamage(`the XXH64 of entry ${this.#hashes.length + 1} does not match`);
    }
    this.#hashes.push(entry.hash);
    this.#payloadBytes += entry.byteLength;
    const [first = 0, ordinal = 0, firstIndex = 0, firstMs = 0, lastMs = 0, epoch = 0] = entry.key;
    if (entry.kind === KIND.frame) {
      this.#frames++;
      return { kind: "frame", frameNumber: first, bytes };
    }
    this.#segments++;
    return { kind: "segment", key: [first, ordinal, firstIndex, firstMs, lastMs, epoch], bytes };
  }

  #end({ hash, key }: EntryHeader): ArchiveDamage | undefined {
    const [frames = 0, segments = 0, payloadBytes = 0, unreadable = 0] = key;
    const whole =
      frames === this.#frames &&
      segments === this.#segments &&
      payloadBytes === this.#payloadBytes &&
      hash === hashOfHashes(this.#hashes, this.#hash);
    if (!whole) return new ArchiveDamage("its trailer names other entries than it holds");
    this.#trailer = { frames, segments, payloadBytes, unreadable };
    return this.next() as ArchiveDamage | undefined;
  }

  #decodeEntry(bytes: Uint8Array): EntryHeader | ArchiveDamage {
    const view = viewOf(bytes);
    if (view.getBigUint64(72, true) !== this.#hash(bytes.subarray(0, 72))) {
      return new ArchiveDamage(`the head of entry ${this.#hashes.length + 1} is damaged`);
    }
    const kind = view.getUint32(0, true);
    const byteLength = readUint64(view, 8);
    if (kind < KIND.frame || kind > KIND.trailer || byteLength > PAYLOAD_BYTES_MAX) {
      return new ArchiveDamage(`entry ${this.#hashes.length + 1} is of an unknown kind`);
    }
    const key = Array.from({ length: KEY_PARTS }, (_, i) => view.getFloat64(KEY_AT + i * 8, true));
    return { kind, byteLength, hash: view.getBigUint64(16, true), key };
  }

  /** The next bytes in a buffer of their own; undefined when there are fewer. */
  #take(byteLength: number): Uint8Array | undefined {
    if (this.#buffered < byteLength) return undefined;
    const taken = new Uint8Array(byteLength);
    let filled = 0;
    let used = 0;
    for (const piece of this.#pieces) {
      const part = piece.subarray(0, byteLength - filled);
      taken.set(part, filled);
      filled += part.byteLength;
      if (part.byteLength < piece.byteLength) {
        this.#pieces[used] = piece.subarray(part.byteLength);
        break;
      }
      used++;
      if (filled === byteLength) break;
    }
    this.#pieces = this.#pieces.slice(used);
    this.#buffered -= byteLength;
    return taken;
  }
}
