/** MD5 of partition keys: the core's kernel against hash-wasm with a hasher that is used again. */
import { createMD5 } from "hash-wasm";
import { randomBytes } from "../payloads.ts";
import { compare, type Row, timed } from "../measure.ts";

const KEYS = 4096;
const KEY_BYTES = 36;
const HASH_KEY_BYTES = 16;

interface KeysExports {
  readonly memory: WebAssembly.Memory;
  init(count: number, keyBytes: number): number;
  hashKeysAddress(): number;
  hashAll(count: number, keyBytes: number, rounds: number): void;
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
  keysWasm: BufferSource,
  where: string,
  rounds: number,
): Promise<Row[]> {
  const { instance } = await WebAssembly.instantiate(keysWasm, { env: { abort: () => undefined } });
  const kernel = instance.exports as unknown as KeysExports;
  const library = await createMD5();
  const keysAt = kernel.init(KEYS, KEY_BYTES) >>> 0;
  const keys = randomBytes(KEYS * KEY_BYTES);
  new Uint8Array(kernel.memory.buffer).set(keys, keysAt);
  const key = (i: number): Uint8Array => keys.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES);

  kernel.hashAll(KEYS, KEY_BYTES, 1);
  for (let i = 0; i < KEYS; i++) {
    const ours = digestOf(kernel.memory, kernel.hashKeysAddress() + i * HASH_KEY_BYTES);
    const theirs = library.init().update(key(i)).digest("binary");
    if (ours.some((byte, at) => byte !== theirs[at])) throw new Error(`key ${i} hashes differently`);
  }

  const [ourRepeats, theirRepeats] = [400, 40];
  const row = await compare(
    {
      name: `MD5 of ${KEY_BYTES}-byte partition keys`,
      where,
      unit: "keys/s",
      peer: "hash-wasm, createMD5 reused",
      rounds,
      target: { atLeast: 5 },
      note: "the core's kernel in a module of its own: same sources, same options as core.wasm",
    },
    () => timed(KEYS * ourRepeats, () => kernel.hashAll(KEYS, KEY_BYTES, ourRepeats)),
    () =>
      timed(KEYS * theirRepeats, () => {
        for (let repeat = 0; repeat < theirRepeats; repeat++) {
          for (let i = 0; i < KEYS; i++) library.init().update(key(i)).digest("binary");
        }
      }),
  );
  return [row];
}
