/** Reads the wire format of Protocol Buffers: fields one by one, whatever they mean. */

/** Bytes that are no message, or not the message that was expected. Never leaves this folder. */
export class MalformedMessageError extends Error {}

/** How a field's value is written. */
export const WIRE_VARINT = 0;
/** See {@link WIRE_VARINT}. */
export const WIRE_BYTES = 2;
const WIRE_FIXED64 = 1;
const WIRE_GROUP_START = 3;
const WIRE_GROUP_END = 4;
const WIRE_FIXED32 = 5;

const GROUPS_DEEP_MAX = 100;
const VARINT_BYTES_MAX = 10;
const FIELD_NUMBER_MAX = 2 ** 29 - 1;
// Foreign keys that are no UTF-8 read as U+FFFD, as they do in the Java libraries; a byte order mark stays.
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** Goes through the fields of one message. */
export class ProtobufReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  /** Number of the field that {@link next} found. */
  field = 0;
  /** Its wire type. */
  wireType = WIRE_VARINT;

  /** Reads from the first byte to the last one; keeps the bytes. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Goes on to the next field; false at the end. Its value must then be read or skipped. @throws MalformedMessageError. */
  next(): boolean {
    if (this.#at === this.#bytes.byteLength) return false;
    const tag = this.varint();
    this.field = Math.floor(tag / 8);
    this.wireType = tag % 8;
    if (this.field < 1 || this.field > FIELD_NUMBER_MAX) throw new MalformedMessageError("field");
    return true;
  }

  /** A whole number; inexact from 2^53 on. @throws MalformedMessageError. */
  varint(): number {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw new MalformedMessageError("ends within a number");
      this.#at += 1;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
    throw new MalformedMessageError("number of more than ten bytes");
  }

  /** The bytes of a field, as a view. @throws MalformedMessageError. */
  bytes(): Uint8Array {
    const byteLength = this.varint();
    const start = this.#at;
    this.#skipBytes(byteLength);
    return this.#bytes.subarray(start, this.#at);
  }

  /** The text of a field. @throws MalformedMessageError. */
  text(): string {
    return DECODER.decode(this.bytes());
  }

  /** Leaves out the field's value. @throws MalformedMessageError. */
  skip(): void {
    this.#skip(GROUPS_DEEP_MAX);
  }

  #skip(groupsLeft: number): void {
    switch (this.wireType) {
      case WIRE_VARINT:
        this.varint();
        return;
      case WIRE_FIXED64:
        this.#skipBytes(8);
        return;
      case WIRE_BYTES:
        this.#skipBytes(this.varint());
        return;
      case WIRE_GROUP_START:
        this.#skipGroup(this.field, groupsLeft);
        return;
      case WIRE_FIXED32:
        this.#skipBytes(4);
        return;
      default:
        throw new MalformedMessageError("wire type");
    }
  }

  #skipGroup(field: number, groupsLeft: number): void {
    if (groupsLeft === 0) throw new MalformedMessageError("groups within groups");
    while (this.next()) {
      if (this.wireType === WIRE_GROUP_END) {
        if (this.field === field) return;
        throw new MalformedMessageError("end of another group");
      }
      this.#skip(groupsLeft - 1);
    }
    throw new MalformedMessageError("ends within a group");
  }

  #skipBytes(byteLength: number): void {
    if (byteLength > this.#bytes.byteLength - this.#at) {
      throw new MalformedMessageError("ends within a field");
    }
    this.#at += byteLength;
  }
}
