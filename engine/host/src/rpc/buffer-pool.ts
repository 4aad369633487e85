/** Buffers that come back from the engine and are written again, so that a busy page allocates little. */

/** Buffers outside this range are not kept: too small to matter, or too large to hold on to. */
const KEPT_BYTES = { min: 4096, max: 4_194_304 } as const;
/** Bytes that the pool keeps at most. */
const POOL_BYTES_MAX = 16_777_216;

/** Free buffers of one page. What they hold is rubbish: takers write every byte that they use. */
export class BufferPool {
  readonly #free: ArrayBuffer[] = [];
  #freeBytes = 0;

  /** Bytes that lie free. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** A buffer of at least `byteLength` bytes, owned by the caller. */
  take(byteLength: number): ArrayBuffer {
    let best = -1;
    for (const [i, buffer] of this.#free.entries()) {
      const fits = buffer.byteLength >= byteLength;
      const tighter = best < 0 || buffer.byteLength < (this.#free[best]?.byteLength ?? 0);
      if (fits && tighter) best = i;
    }
    const [found] = best < 0 ? [] : this.#free.splice(best, 1);
    if (found === undefined) return new ArrayBuffer(byteLength);
    this.#freeBytes -= found.byteLength;
    return found;
  }

  /** Gives a buffer away for reuse; the caller must not touch it again. Detached ones are ignored. */
  give(buffer: ArrayBuffer): void {
    const { byteLength } = buffer;
    if (byteLength < KEPT_BYTES.min || byteLength > KEPT_BYTES.max) return;
    if (this.#freeBytes + byteLength > POOL_BYTES_MAX) return;
    this.#free.push(buffer);
    this.#freeBytes += byteLength;
  }
}
