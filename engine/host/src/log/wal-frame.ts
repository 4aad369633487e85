/**
 * The bytes of one WAL frame: header, typed sections, and the hash over all of it.
 *
 * Knows nothing of what the sections mean (see `sections.ts`). Layout: "WAL frame" and "Section" in
 * `layout.ts` of the core.
 */
import {
  SECTION_CRITICAL,
  SECTION_HEADER_BYTES,
  WAL_FORMAT,
  WAL_HASH,
  WAL_HEADER_BYTES,
  WAL_MAGIC,
} from "@millrace/core/layout";
import type { ShardLogCore } from "../core/core-types.ts";
import { padTo8, readUint64, viewOf, writeUint64 } from "./bytes.ts";

/** Part of a section's payload: bytes of the host, or a stretch of core memory. */
export type Piece = Uint8Array | { readonly address: number; readonly byteLength: number };

/** A section about to be written. */
export interface SectionDraft {
  readonly type: number;
  /** Whether a build that does not know the type must refuse to lead. */
  readonly critical: boolean;
  /** Stream that the section belongs to, 0 for none. */
  readonly streamUid: number;
  /** Data key that its records are encrypted with; not encrypted when absent. */
  readonly keyId?: number;
  /** Counter of the initialisation vector; only with a key. */
  readonly counter?: number;
  readonly pieces: readonly Piece[];
}

/** A section as read; the payload is a view of the frame's buffer. */
export interface Section {
  readonly type: number;
  readonly critical: boolean;
  readonly streamUid: number;
  /** Data key, 0 for none. */
  readonly keyId: number;
  /** Counter of the initialisation vector, 0 without a key. */
  readonly counter: number;
  /** Compression, 0 for none. */
  readonly codec: number;
  readonly payload: Uint8Array;
}

/** Fields of a frame's header that the log chooses. */
export interface FrameHeader {
  /** Term of the leader that wrote the frame. */
  readonly epoch: number;
  /** Number of the frame, dense from 1. */
  readonly frameNumber: number;
  /** Hash of the frame before it, 0 for the first. */
  readonly previousHash: bigint;
  /** Wall time of the commit, ms since the Unix epoch. */
  readonly timeMs: number;
}

/** A frame as written. */
export interface EncodedFrame {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly hash: bigint;
}

/** A frame as read and verified. */
export interface DecodedFrame extends FrameHeader {
  readonly hash: bigint;
  readonly incompatibleFeatures: number;
  /** Format version; the hash stands at the same place in all of them. */
  readonly format: number;
  /** Length of the whole frame in bytes. */
  readonly byteLength: number;
  readonly sections: readonly Section[];
}

/** Why a frame cannot be used. */
export interface DamagedFrame {
  readonly damaged: string;
}

function pieceLength(section: SectionDraft): number {
  return section.pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
}

/** Total length in bytes that a frame of these sections will have. */
export function frameLength(sections: readonly SectionDraft[]): number {
  return sections.reduce(
    (sum, section) => sum + SECTION_HEADER_BYTES + padTo8(pieceLength(section)),
    WAL_HEADER_BYTES,
  );
}

/** Writes the header of a section into zeroed bytes. */
export function writeSectionHeader(
  view: DataView,
  at: number,
  section: Pick<SectionDraft, "type" | "critical" | "streamUid" | "keyId" | "counter">,
  payloadLength: number,
): void {
  view.setUint16(at, section.type, true);
  view.setUint16(at + 2, section.critical ? SECTION_CRITICAL : 0, true);
  view.setUint32(at + 4, section.streamUid, true);
  view.setUint32(at + 8, section.keyId ?? 0, true);
  writeUint64(view, at + 16, payloadLength);
  writeUint64(view, at + 24, section.counter ?? 0);
}

/** Writes bytes one after the other and hashes each stretch where it lies, so that core memory is copied once. */
class HashingWriter {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  #position: number;
  #hashedTo: number;
  readonly #core: ShardLogCore;

  constructor(core: ShardLogCore, byteLength: number) {
    this.#core = core;
    this.bytes = new Uint8Array(byteLength);
    this.view = viewOf(this.bytes);
    this.#position = WAL_HEADER_BYTES;
    this.#hashedTo = WAL_HEADER_BYTES;
  }

  /** Hashes the header's first 56 bytes, which must be complete. */
  begin(): void {
    this.#core.hashReset();
    this.#core.hashBytes(this.bytes.subarray(0, WAL_HASH));
  }

  sectionHeader(section: SectionDraft, payloadLength: number): void {
    writeSectionHeader(this.view, this.#position, section, payloadLength);
    this.#position += SECTION_HEADER_BYTES;
  }

  piece(piece: Piece): void {
    if (piece instanceof Uint8Array) {
      this.bytes.set(piece, this.#position);
      this.#position += piece.byteLength;
      return;
    }
    this.#hashPending();
    this.bytes.set(this.#core.view(piece.address, piece.byteLength), this.#position);
    this.#core.hashMemory(piece.address, piece.byteLength);
    this.#position += piece.byteLength;
    this.#hashedTo = this.#position;
  }

  align(): void {
    this.#position = padTo8(this.#position);
  }

  finish(): bigint {
    this.#hashPending();
    const hash = this.#core.hashDigest();
    this.view.setBigUint64(WAL_HASH, hash, true);
    return hash;
  }

  #hashPending(): void {
    if (this.#position > this.#hashedTo) {
      this.#core.hashBytes(this.bytes.subarray(this.#hashedTo, this.#position));
      this.#hashedTo = this.#position;
    }
  }
}

/** Encodes a frame into a new buffer. The pieces in core memory are copied, never referenced. */
export function encodeFrame(
  core: ShardLogCore,
  header: FrameHeader,
  sections: readonly SectionDraft[],
): EncodedFrame {
  const writer = new HashingWriter(core, frameLength(sections));
  const { view } = writer;
  view.setUint32(0, WAL_MAGIC, true);
  view.setUint16(4, WAL_FORMAT, true);
  view.setUint16(6, WAL_HEADER_BYTES, true);
  writeUint64(view, 16, header.epoch);
  writeUint64(view, 24, header.frameNumber);
  view.setBigUint64(32, header.previousHash, true);
  view.setUint32(40, writer.bytes.byteLength, true);
  view.setUint32(44, sections.length, true);
  view.setFloat64(48, header.timeMs, true);
  writer.begin();
  for (const section of sections) {
    writer.sectionHeader(section, pieceLength(section));
    for (const piece of section.pieces) writer.piece(piece);
    writer.align();
  }
  const hash = writer.finish();
  return { bytes: writer.bytes, hash };
}

function damageOfHeader(view: DataView): string | undefined {
  if (view.byteLength < WAL_HEADER_BYTES) return `only ${view.byteLength} bytes long`;
  if (view.getUint32(0, true) !== WAL_MAGIC) return "does not begin with the magic of a WAL frame";
  if (view.getUint32(40, true) !== view.byteLength) {
    return `holds ${view.byteLength} bytes where its header says ${view.getUint32(40, true)}`;
  }
  return undefined;
}

/** XXH64 of a frame's bytes, its own field left out. */
function hashOf(core: ShardLogCore, bytes: Uint8Array): bigint {
  core.hashReset();
  core.hashBytes(bytes.subarray(0, WAL_HASH));
  core.hashBytes(bytes.subarray(WAL_HEADER_BYTES));
  return core.hashDigest();
}

function decodeSections(bytes: Uint8Array, view: DataView): Section[] | DamagedFrame {
  const sections: Section[] = [];
  let at = view.getUint16(6, true);
  for (let i = view.getUint32(44, true); i > 0; i--) {
    if (at + SECTION_HEADER_BYTES > bytes.byteLength)
      return { damaged: "sections overrun the frame" };
    const length = readUint64(view, at + 16);
    const start = at + SECTION_HEADER_BYTES;
    if (start + length > bytes.byteLength) return { damaged: "a section overruns the frame" };
    sections.push({
      type: view.getUint16(at, true),
      critical: (view.getUint16(at + 2, true) & SECTION_CRITICAL) !== 0,
      streamUid: view.getUint32(at + 4, true),
      keyId: view.getUint32(at + 8, true),
      codec: view.getUint32(at + 12, true),
      counter: readUint64(view, at + 24),
      payload: bytes.subarray(start, start + length),
    });
    at = start + padTo8(length);
  }
  return sections;
}

/** Verifies and decodes a frame. Payloads are views of `bytes`. */
export function decodeFrame(core: ShardLogCore, bytes: Uint8Array): DecodedFrame | DamagedFrame {
  const view = viewOf(bytes);
  const damaged = damageOfHeader(view);
  if (damaged !== undefined) return { damaged };
  const hash = view.getBigUint64(WAL_HASH, true);
  if (hashOf(core, bytes) !== hash) return { damaged: "its XXH64 does not match its bytes" };
  const sections = decodeSections(bytes, view);
  if ("damaged" in sections) return sections;
  return {
    epoch: readUint64(view, 16),
    frameNumber: readUint64(view, 24),
    previousHash: view.getBigUint64(32, true),
    timeMs: view.getFloat64(48, true),
    incompatibleFeatures: view.getUint32(12, true),
    format: view.getUint16(4, true),
    byteLength: bytes.byteLength,
    hash,
    sections,
  };
}
