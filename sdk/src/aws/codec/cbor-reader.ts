/** Reads CBOR (RFC 8949) item by item and believes no length before it has seen the bytes. */
import { SerializationError } from "@millrace/engine/model";

/** Major types of items. */
export const MAJOR = {
  unsigned: 0,
  negative: 1,
  bytes: 2,
  text: 3,
  list: 4,
  map: 5,
  tag: 6,
  simple: 7,
} as const;

/** The count of an item that ends with a break instead of having one. */
export const INDEFINITE = -1;

const BREAK = 0xff;
const NULL = 0xf6;
const UNDEFINED = 0xf7;
const TWO_TO_32 = 4_294_967_296;
/** Items within items that are skipped; the model's own go three deep. */
const DEPTH_MAX = 64;
/** Texts up to this length are read character by character when they are ASCII, which is faster. */
const SHORT_TEXT_BYTES = 64;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function malformed(why: string): SerializationError {
  return new SerializationError(`The body is no CBOR: ${why}`);
}

/** The number that a half-precision float stands for. */
function halfFloat(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits >> 15 === 0 ? 1 : -1;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** A position in a body. Every read goes on from there; one past the end throws SerializationError. */
export class CborReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** First byte of the next item, tags left out. */
  peek(): number {
    while (this.#first() >> 5 === MAJOR.tag) this.count();
    return this.#first();
  }

  /** Major type of the next item, tags left out. */
  peekMajor(): number {
    return this.peek() >> 5;
  }

  /** Takes the next item when it is null or undefined. */
  takeNull(): boolean {
    const first = this.peek();
    if (first !== NULL && first !== UNDEFINED) return false;
    this.#at++;
    return true;
  }

  /** Takes the break that ends an indefinite item when it is next. */
  takeBreak(): boolean {
    if (this.#first() !== BREAK) return false;
    this.#at++;
    return true;
  }

  /**
   * Takes an item's head: the number that stands for its value, its length or its count. Counts of
   * indefinite items are {@link INDEFINITE}.
   */
  count(): number {
    const first = this.#first();
    const major = first >> 5;
    const info = first & 31;
    this.#at++;
    if (info < 24) return info;
    if (info === 24) return this.#view.getUint8(this.#take(1));
    if (info === 25) return this.#view.getUint16(this.#take(2));
    if (info === 26) return this.#view.getUint32(this.#take(4));
    if (info === 27) {
      const at = this.#take(8);
      return this.#view.getUint32(at) * TWO_TO_32 + this.#view.getUint32(at + 4);
    }
    if (info === 31 && major >= MAJOR.bytes && major <= MAJOR.map) return INDEFINITE;
    throw malformed(`byte ${first} at ${this.#at - 1} begins no item`);
  }

  /** Takes an integer or a float of any size; undefined, and nothing is taken, when it is neither. */
  number(): number | undefined {
    const first = this.peek();
    if (first >> 5 === MAJOR.unsigned) return this.count();
    if (first >> 5 === MAJOR.negative) return -1 - this.count();
    if (first < 0xf9 || first > 0xfb) return undefined;
    this.#at++;
    if (first === 0xf9) return halfFloat(this.#view.getUint16(this.#take(2)));
    return first === 0xfa
      ? this.#view.getFloat32(this.#take(4))
      : this.#view.getFloat64(this.#take(8));
  }

  /** Takes a boolean; undefined, and nothing is taken, when it is none. */
  boolean(): boolean | undefined {
    const first = this.peek();
    if (first !== 0xf4 && first !== 0xf5) return undefined;
    this.#at++;
    return first === 0xf5;
  }

  /** Takes a byte string. Its bytes are a view of the body unless it came in chunks. */
  bytes(): Uint8Array {
    return this.#string(MAJOR.bytes);
  }

  /** Takes a text. */
  text(): string {
    const bytes = this.#string(MAJOR.text);
    if (bytes.byteLength <= SHORT_TEXT_BYTES) {
      let text = "";
      let seen = 0;
      for (const byte of bytes) {
        text += String.fromCharCode(byte);
        seen |= byte;
      }
      if (seen < 128) return text;
    }
    try {
      return utf8.decode(bytes);
    } catch (cause) {
      throw new SerializationError("The body is no CBOR: a text is no UTF-8", { cause });
    }
  }

  /** Calls back before every element of a list, or every key of a map, whose head is taken first. */
  each(take: (index: number) => void): void {
    const count = this.count();
    if (count === INDEFINITE) {
      for (let i = 0; !this.takeBreak(); i++) take(i);
    } else {
      for (let i = 0; i < count; i++) take(i);
    }
  }

  /** Takes an item of any kind, whatever is in it. */
  skip(depthLeft: number = DEPTH_MAX): void {
    if (depthLeft === 0) throw malformed(`items are more than ${DEPTH_MAX} deep`);
    const major = this.peekMajor();
    if (major === MAJOR.bytes || major === MAJOR.text) this.#string(major);
    else if (major === MAJOR.list) this.each(() => this.skip(depthLeft - 1));
    else if (major === MAJOR.map) {
      this.each(() => {
        this.skip(depthLeft - 1);
        this.skip(depthLeft - 1);
      });
    } else this.count();
  }

  /** @throws SerializationError unless the whole body was taken. */
  end(): void {
    if (this.#at < this.#bytes.byteLength)
      throw malformed(`it goes on after its end at ${this.#at}`);
  }

  #first(): number {
    const first = this.#bytes[this.#at];
    if (first === undefined) throw malformed(`it ends within an item at ${this.#at}`);
    return first;
  }

  /** Goes on by so many bytes and answers where they begin. */
  #take(byteLength: number): number {
    const at = this.#at;
    if (byteLength > this.#bytes.byteLength - at)
      throw malformed(`it ends within an item at ${at}`);
    this.#at = at + byteLength;
    return at;
  }

  #string(major: number): Uint8Array {
    const byteLength = this.count();
    if (byteLength !== INDEFINITE) {
      const at = this.#take(byteLength);
      return this.#bytes.subarray(at, at + byteLength);
    }
    return this.#chunks(major);
  }

  /** Chunks of an indefinite string: definite ones of the same kind. */
  #chunks(major: number): Uint8Array {
    const chunks: Uint8Array[] = [];
    let byteLength = 0;
    while (!this.takeBreak()) {
      const first = this.#first();
      if (first >> 5 !== major || (first & 31) === 31) throw malformed(`byte ${first} is no chunk`);
      const chunk = this.#string(major);
      chunks.push(chunk);
      byteLength += chunk.byteLength;
    }
    const bytes = new Uint8Array(byteLength);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.byteLength;
    }
    return bytes;
  }
}
