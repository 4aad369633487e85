/** Writes CBOR (RFC 8949) into a buffer that grows: every item in its shortest form, all lengths definite. */
import { MAJOR } from "./cbor-reader.ts";

const FIRST_CAPACITY_BYTES = 1024;
const HEAD_BYTES_MAX = 9;
const TWO_TO_16 = 65_536;
const TWO_TO_32 = 4_294_967_296;
const FLOAT_64 = 0xfb;
const TRUE = 0xf5;
const FALSE = 0xf4;
const NULL = 0xf6;
/** UTF-8 takes at most so many bytes per UTF-16 code unit. */
const BYTES_PER_UNIT_MAX = 3;

const encoder = new TextEncoder();

/** Bytes of an item's head. */
function headBytes(count: number): number {
  if (count < 24) return 1;
  if (count < 256) return 2;
  if (count < TWO_TO_16) return 3;
  return count < TWO_TO_32 ? 5 : HEAD_BYTES_MAX;
}

/** One body in the making. */
export class CborWriter {
  #bytes = new Uint8Array(FIRST_CAPACITY_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  /** Writes a head: an integer itself, or what says how much follows. */
  head(major: number, count: number): void {
    this.#reserve(HEAD_BYTES_MAX);
    this.#at = this.#writeHead(this.#at, major, count);
  }

  /** Writes an integer up to 2^53 as one, any other number as a float of 64 bits. */
  number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      this.head(value < 0 ? MAJOR.negative : MAJOR.unsigned, value < 0 ? -1 - value : value);
      return;
    }
    this.#reserve(HEAD_BYTES_MAX);
    this.#bytes[this.#at] = FLOAT_64;
    this.#view.setFloat64(this.#at + 1, value);
    this.#at += HEAD_BYTES_MAX;
  }

  /** Writes a boolean. */
  boolean(value: boolean): void {
    this.#byte(value ? TRUE : FALSE);
  }

  /** Writes null. */
  null(): void {
    this.#byte(NULL);
  }

  /** Writes a byte string. */
  bytes(value: Uint8Array): void {
    this.head(MAJOR.bytes, value.byteLength);
    this.#reserve(value.byteLength);
    this.#bytes.set(value, this.#at);
    this.#at += value.byteLength;
  }

  /** Writes a text. */
  text(value: string): void {
    this.#reserve(HEAD_BYTES_MAX + value.length * BYTES_PER_UNIT_MAX);
    // Most texts have as many bytes as code units; those of others move up behind a longer head.
    const from = this.#at + headBytes(value.length);
    const { written } = encoder.encodeInto(value, this.#bytes.subarray(from));
    const to = this.#at + headBytes(written);
    if (to !== from) this.#bytes.copyWithin(to, from, from + written);
    this.#writeHead(this.#at, MAJOR.text, written);
    this.#at = to + written;
  }

  /** Everything written so far, in a buffer of its own. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#at);
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#at] = value;
    this.#at++;
  }

  /** Writes a head at a place and answers where it ends. */
  #writeHead(at: number, major: number, count: number): number {
    const end = at + headBytes(count);
    const info = [0, 0, 24, 25, 0, 26, 0, 0, 0, 27][end - at] ?? 0;
    this.#bytes[at] = (major << 5) | (info === 0 ? count : info);
    if (info === 24) this.#view.setUint8(at + 1, count);
    else if (info === 25) this.#view.setUint16(at + 1, count);
    else if (info === 26) this.#view.setUint32(at + 1, count);
    else if (info === 27) this.#view.setBigUint64(at + 1, BigInt(count));
    return end;
  }

  #reserve(byteLength: number): void {
    const needed = this.#at + byteLength;
    if (needed <= this.#bytes.byteLength) return;
    const bytes = new Uint8Array(Math.max(needed, 2 * this.#bytes.byteLength));
    bytes.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}
