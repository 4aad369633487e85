/** Writes the wire format of Protocol Buffers into bytes whose length was worked out before. */
import { WIRE_BYTES, WIRE_VARINT } from "./protobuf-reader.ts";

const ENCODER = new TextEncoder();

/** Bytes of a whole number from 0 to 2^53 - 1. */
export function varintBytes(value: number): number {
  let byteLength = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) byteLength += 1;
  return byteLength;
}

/** Bytes of a field below number 16 with a value of `byteLength` bytes: its tag, its length, its value. */
export function fieldBytes(byteLength: number): number {
  return 1 + varintBytes(byteLength) + byteLength;
}

/** Bytes of a well-formed text in UTF-8. */
export function utf8Bytes(text: string): number {
  let byteLength = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // Each half of a surrogate pair stands for two of the pair's four bytes.
    byteLength += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return byteLength;
}

/** Writes fields, one behind the other. Field numbers are below 16. */
export class ProtobufWriter {
  readonly #bytes: Uint8Array;
  #at = 0;

  /** Writes from the first byte on. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A whole number from 0 to 2^53 - 1. */
  number(field: number, value: number): void {
    this.#byte(field * 8 + WIRE_VARINT);
    this.#varint(value);
  }

  /** Bytes as they are. */
  bytes(field: number, value: Uint8Array): void {
    this.length(field, value.byteLength);
    this.#bytes.set(value, this.#at);
    this.#at += value.byteLength;
  }

  /** Well-formed text as UTF-8. */
  text(field: number, value: string): void {
    this.length(field, utf8Bytes(value));
    this.#at += ENCODER.encodeInto(value, this.#bytes.subarray(this.#at)).written;
  }

  /** The head of a field of `byteLength` bytes, which are written next. */
  length(field: number, byteLength: number): void {
    this.#byte(field * 8 + WIRE_BYTES);
    this.#varint(byteLength);
  }

  #varint(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#byte((rest % 128) + 128);
    this.#byte(rest);
  }

  #byte(value: number): void {
    this.#bytes[this.#at] = value;
    this.#at += 1;
  }
}
