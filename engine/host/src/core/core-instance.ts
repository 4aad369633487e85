/**
 * One instance of the core's Wasm module: its exports behind a guard that turns traps into typed
 * errors, and the only views of its memory. The memory may grow in any call, which detaches every
 * view; {@link CoreInstance.bytes} is therefore asked for again after each call.
 */
import { SCRATCH_BYTES } from "@millrace/core/border";
import { CoreMemoryError, CoreModuleError, CoreTrapError } from "./core-errors.ts";
import { CORE_EXPORT_NAMES, type CoreExports } from "./core-exports.ts";

const PAGE_BYTES = 65_536;

/** What `WebAssembly.Instance.exports` holds, as far as the core uses it. */
type ExportsObject = Readonly<Record<string, WebAssembly.ExportValue>>;

function isCore(
  exports: Readonly<Record<string, unknown>>,
): exports is ExportsObject & CoreExports {
  return (
    exports["memory"] instanceof WebAssembly.Memory &&
    CORE_EXPORT_NAMES.every((name) => typeof exports[name] === "function")
  );
}

/** Text of a string object of AssemblyScript: UTF-16, its length in bytes in front. */
function textAt(memory: WebAssembly.Memory, address: number): string {
  const end = new Uint32Array(memory.buffer)[(address - 4) >>> 2] ?? 0;
  return new TextDecoder("utf-16le").decode(new Uint8Array(memory.buffer, address, end));
}

/** A guarded instance of the core. */
export class CoreInstance {
  /** The exports; each throws CoreTrapError when it traps, and ever after. */
  readonly exports: CoreExports;
  readonly #scratch: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView<ArrayBuffer>;
  #trap: CoreTrapError | undefined;

  private constructor(raw: WebAssembly.Exports) {
    const guarded: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(raw)) {
      guarded[name] =
        typeof value === "function"
          ? this.#guard(name, (values) => Reflect.apply(value, undefined, values))
          : value;
    }
    if (!isCore(guarded)) {
      throw new CoreModuleError(
        "The Wasm module is not the core of this build: exports are missing.",
      );
    }
    this.exports = guarded;
    this.#bytes = new Uint8Array(guarded.memory.buffer);
    this.#view = new DataView(guarded.memory.buffer);
    this.#scratch = guarded.scratchAddress();
  }

  /**
   * Compiles, if need be, and instantiates the core.
   * @throws CoreModuleError when the source is no Wasm module or not the core.
   */
  static async instantiate(source: BufferSource | WebAssembly.Module): Promise<CoreInstance> {
    let memory: WebAssembly.Memory | undefined;
    const abort = (message: number, file: number, line: number, column: number): never => {
      const texts = [message, file].map((at) => (memory && at !== 0 ? textAt(memory, at) : "?"));
      throw new CoreTrapError(`The core failed: ${texts[0]} at ${texts[1]}:${line}:${column}.`);
    };
    try {
      const module =
        source instanceof WebAssembly.Module ? source : await WebAssembly.compile(source);
      const instance = await WebAssembly.instantiate(module, { env: { abort } });
      const exported = instance.exports["memory"];
      if (exported instanceof WebAssembly.Memory) memory = exported;
      return new CoreInstance(instance.exports);
    } catch (cause) {
      if (cause instanceof CoreModuleError) throw cause;
      throw new CoreModuleError(`The core could not be loaded: ${String(cause)}`, { cause });
    }
  }

  #guard(name: string, call: (values: number[]) => unknown): (...values: number[]) => unknown {
    return (...values) => {
      if (this.#trap) throw this.#trap;
      try {
        return call(values);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        this.#trap = new CoreTrapError(`The core stopped in ${name}: ${reason}`, { cause });
        throw this.#trap;
      }
    };
  }

  /** All of the memory; valid until the next call of an export. */
  get bytes(): Uint8Array<ArrayBuffer> {
    this.#refresh();
    return this.#bytes;
  }

  /** The same as a DataView. */
  get view(): DataView<ArrayBuffer> {
    this.#refresh();
    return this.#view;
  }

  #refresh(): void {
    const { buffer } = this.exports.memory;
    if (this.#bytes.buffer === buffer) return;
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }

  /** A numbered field of the last call. */
  field(index: number): number {
    return this.view.getFloat64(this.#scratch + index * 8, true);
  }

  /** Address of the byte part of the scratch area. */
  get scratchBytes(): number {
    return this.#scratch + SCRATCH_BYTES;
  }

  /**
   * Copies bytes to where a call can work on them; ends with `exports.releaseInput()`.
   * @throws CoreMemoryError when the arena has no room.
   */
  writeInput(input: Uint8Array): number {
    const address = this.exports.reserveInput(input.byteLength) >>> 0;
    if (address === 0) throw this.outOfMemory("input", input.byteLength);
    this.bytes.set(input, address);
    return address;
  }

  /** Runs `call` on each piece of `input` in turn, copied to core memory. */
  forEachPiece(input: Uint8Array, call: (address: number, byteLength: number) => void): void {
    const pieceBytes = this.exports.inputResidentBytes() - PAGE_BYTES;
    for (let from = 0; from < input.byteLength; from += pieceBytes) {
      const piece = input.subarray(from, from + pieceBytes);
      call(this.writeInput(piece), piece.byteLength);
    }
  }

  /** The error for an arena that has no room for `byteLength` bytes of `argument`. */
  outOfMemory(argument: string, byteLength: number): CoreMemoryError {
    this.exports.describeMemory();
    const limit = this.field(2);
    return new CoreMemoryError(
      `${argument} of ${byteLength} bytes finds no room in the arena of ${limit} bytes: ` +
        `${this.field(0)} bytes are in segments that are not stored yet.`,
      { argument, value: byteLength, limit },
    );
  }
}
