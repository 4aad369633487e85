/** Hashes of bytes from outside, by the kernels of the core. */
import { HOST_STREAM, PIECES_STREAM } from "@millrace/core/border";
import type { CoreInstance } from "./core-instance.ts";

const MD5_BYTES = 16;

/** Hash functions of one core. */
export class CoreHashes {
  readonly #core: CoreInstance;

  /** Hashes with the kernels of `core`. */
  constructor(core: CoreInstance) {
    this.#core = core;
  }

  /** Starts the one streaming XXH64 (seed 0). */
  reset(): void {
    this.#core.exports.xxh64Reset(HOST_STREAM);
  }

  /** Adds bytes of core memory to the stream. */
  addMemory(address: number, byteLength: number): void {
    this.#core.exports.xxh64Update(HOST_STREAM, address, byteLength);
  }

  /** Adds bytes from outside to the stream. */
  addBytes(bytes: Uint8Array): void {
    this.#core.forEachPiece(bytes, (address, byteLength) => this.addMemory(address, byteLength));
  }

  /** XXH64 of what was added so far. */
  digest(): bigint {
    return this.#digest(HOST_STREAM);
  }

  #digest(stream: number): bigint {
    this.#core.exports.xxh64Digest(stream);
    return this.#core.view.getBigUint64(this.#core.scratchBytes, true);
  }

  /** XXH64 (seed 0) of bytes from outside; the stream stays as it is. */
  xxh64(bytes: Uint8Array): bigint {
    const core = this.#core;
    if (bytes.byteLength <= core.exports.inputResidentBytes()) {
      core.exports.xxh64Of(core.writeInput(bytes), bytes.byteLength);
      return core.view.getBigUint64(core.scratchBytes, true);
    }
    core.exports.xxh64Reset(PIECES_STREAM);
    core.forEachPiece(bytes, (address, byteLength) =>
      core.exports.xxh64Update(PIECES_STREAM, address, byteLength),
    );
    return this.#digest(PIECES_STREAM);
  }

  /** CRC-32 as unsigned number. */
  crc32(bytes: Uint8Array): number {
    let crc = 0;
    this.#core.forEachPiece(bytes, (address, byteLength) => {
      crc = this.#core.exports.crc32(crc, address, byteLength);
    });
    return crc >>> 0;
  }

  /** CRC-32C as unsigned number. */
  crc32c(bytes: Uint8Array): number {
    let crc = 0;
    this.#core.forEachPiece(bytes, (address, byteLength) => {
      crc = this.#core.exports.crc32c(crc, address, byteLength);
    });
    return crc >>> 0;
  }

  /** MD5, 16 bytes of their own. */
  md5(bytes: Uint8Array): Uint8Array {
    const core = this.#core;
    core.exports.md5Start();
    core.forEachPiece(bytes, (address, byteLength) => core.exports.md5Add(address, byteLength));
    core.exports.md5End();
    return core.bytes.slice(core.scratchBytes, core.scratchBytes + MD5_BYTES);
  }
}
