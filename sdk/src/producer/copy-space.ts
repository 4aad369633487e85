/** Where the data of user records are copied to: many small ones into one buffer, which spares as many buffers. */

const SPACE_BYTES = 65_536;
/** Larger data have a buffer of their own, lest they keep one of others alive. */
const SHARED_BYTES_MAX = 8192;
/** Bytes of UTF-8 that one UTF-16 code unit becomes at most. */
const BYTES_PER_CODE_UNIT_MAX = 3;
const ENCODER = new TextEncoder();

/** Copies data. A buffer lives as long as any of the copies in it. */
export class CopySpace {
  #space = new Uint8Array(0);
  #at = 0;

  /** A copy of bytes, or a text as UTF-8. */
  copy(data: Uint8Array | string): Uint8Array {
    return typeof data === "string" ? this.#copyText(data) : this.#copyBytes(data);
  }

  #copyBytes(data: Uint8Array): Uint8Array {
    if (data.byteLength > SHARED_BYTES_MAX) return new Uint8Array(data);
    this.#reserve(data.byteLength);
    this.#space.set(data, this.#at);
    return this.#take(data.byteLength);
  }

  #copyText(text: string): Uint8Array {
    const bytesMax = text.length * BYTES_PER_CODE_UNIT_MAX;
    if (bytesMax > SHARED_BYTES_MAX) return ENCODER.encode(text);
    this.#reserve(bytesMax);
    const { written } = ENCODER.encodeInto(text, this.#space.subarray(this.#at));
    return this.#take(written);
  }

  #reserve(byteLength: number): void {
    if (this.#at + byteLength <= this.#space.byteLength) return;
    this.#space = new Uint8Array(SPACE_BYTES);
    this.#at = 0;
  }

  #take(byteLength: number): Uint8Array {
    const taken = this.#space.subarray(this.#at, this.#at + byteLength);
    this.#at += byteLength;
    return taken;
  }
}
