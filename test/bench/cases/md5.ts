/** MD5 of partition keys: the core's kernel against hash-wasm with a hasher that is used again. */
import { createMD5 } from "hash-wasm";
import { buildBatch } from "../../../engine/host/test/support/batches.ts";
import { compare, type Row, timed } from "../measure.ts";
import { exportsOf } from "../module-exports.ts";

const KEYS = 4096;
const KEY_BYTES = 36;
const HASH_KEY_BYTES = 16;
const REPEATS = { ours: 400, theirs: 40 };

interface KernelExports {
  readonly memory: WebAssembly.Memory;
  init(
    shardCount: number,
    ringBytes: number,
    segmentBytes: number,
    inputBytes: number,
    rowsMax: number,
  ): number;
  hashBatch(batch: number): number;
}

/** A hash key is two words, the high one first, each little endian in memory: a digest byte by byte. */
function digestOf(memory: WebAssembly.Memory, at: number): Uint8Array {
  const words = new DataView(memory.buffer, at, HASH_KEY_BYTES);
  const digest = new DataView(new ArrayBuffer(HASH_KEY_BYTES));
  for (const half of [0, 8]) digest.setBigUint64(half, words.getBigUint64(half, true));
  return new Uint8Array(digest.buffer);
}

/** @throws Error when the two disagree on a single key. */
export async function md5Rows(
  kernelWasm: BufferSource,
  where: string,
  rounds: number,
): Promise<Row[]> {
  const kernel = await exportsOf<KernelExports>(await WebAssembly.compile(kernelWasm), [
    "init",
    "hashBatch",
  ]);
  const library = await createMD5();
  const names = Array.from({ length: KEYS }, () => crypto.randomUUID());
  const keys = names.map((name) => new TextEncoder().encode(name));
  const records = names.map((key) => ({ key, data: new Uint8Array() }));
  const batch = new Uint8Array(buildBatch({ streamUid: 1, batchNumber: 1, records }));
  const batchAt = kernel.init(1, 1_048_576, 1_048_576, batch.byteLength, KEYS) >>> 0;
  new Uint8Array(kernel.memory.buffer).set(batch, batchAt);

  const hashKeysAt = kernel.hashBatch(batchAt) >>> 0;
  for (const [i, key] of keys.entries()) {
    const ours = digestOf(kernel.memory, hashKeysAt + i * HASH_KEY_BYTES);
    const theirs = library.init().update(key).digest("binary");
    if (ours.some((byte, at) => byte !== theirs[at]))
      throw new Error(`key ${i} hashes differently`);
  }

  const row = await compare(
    {
      name: `MD5 of ${KEY_BYTES}-byte partition keys, ${KEYS} of them`,
      where,
      unit: "keys/s",
      peer: "hash-wasm, createMD5 reused",
      rounds,
      target: { atLeast: 5 },
      note: "the core's kernel, from its sources and with its options, in a module beside core.wasm",
    },
    () =>
      timed(KEYS * REPEATS.ours, () => {
        for (let repeat = 0; repeat < REPEATS.ours; repeat++) kernel.hashBatch(batchAt);
      }),
    () =>
      timed(KEYS * REPEATS.theirs, () => {
        for (let repeat = 0; repeat < REPEATS.theirs; repeat++) {
          for (const key of keys) library.init().update(key).digest("binary");
        }
      }),
  );
  return [row];
}
