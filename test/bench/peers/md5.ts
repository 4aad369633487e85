/**
 * MD5 of short keys in plain TypeScript, unrolled and without allocation: what the core's kernel is
 * compared with where no library would be a fair peer.
 */

/** Keys up to here fit one block. */
export const KEY_BYTES_MAX = 55;

/** Hashes the first `byteLength` bytes at `at`; the digest's four words, little endian, go to `digest`. */
export type HashKey = (
  bytes: Uint8Array,
  at: number,
  byteLength: number,
  digest: Int32Array,
) => void;

const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
];
const MIXES = ["(d ^ (b & (c ^ d)))", "(c ^ (d & (b ^ c)))", "(b ^ c ^ d)", "(c ^ (b | ~d))"];
const WORD_OF = [
  (i: number) => i,
  (i: number) => 5 * i + 1,
  (i: number) => 3 * i + 5,
  (i: number) => 7 * i,
];

/** One unrolled step as source, its four variables in turn. */
function step(i: number): string {
  const round = i >> 4;
  const names = ["a", "b", "c", "d"];
  const turn = (name: string): string => names[(names.indexOf(name) - (i % 4) + 4) % 4] ?? name;
  const renamed = (source: string): string => source.replace(/[abcd]/g, turn);
  const constant = Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0;
  const word = (WORD_OF[round]?.(i) ?? 0) % 16;
  const shift = SHIFTS[round]?.[i % 4] ?? 0;
  const [a, b] = [turn("a"), turn("b")];
  return (
    `${a} = (${a} + ${renamed(MIXES[round] ?? "")} + (w[${word}] | 0) + ${constant}) | 0; ` +
    `${a} = (((${a} << ${shift}) | (${a} >>> ${32 - shift})) + ${b}) | 0;`
  );
}

/** Compiles the unrolled rounds. */
function compileRounds(): (w: Int32Array, digest: Int32Array) => void {
  const steps = Array.from({ length: 64 }, (_, i) => step(i)).join("\n");
  const source = `
    let a = 0x67452301, b = -0x10325477, c = -0x67452302, d = 0x10325476;
    ${steps}
    digest[0] = (a + 0x67452301) | 0; digest[1] = (b - 0x10325477) | 0;
    digest[2] = (c - 0x67452302) | 0; digest[3] = (d + 0x10325476) | 0;`;
  return new Function("w", "digest", source) as (w: Int32Array, digest: Int32Array) => void;
}

/** Makes a hasher with a block of its own. */
export function keyHasher(): HashKey {
  const rounds = compileRounds();
  const words = new Int32Array(16);
  const block = new Uint8Array(words.buffer);
  return (bytes, at, byteLength, digest) => {
    for (let i = 0; i < byteLength; i++) block[i] = bytes[at + i] ?? 0;
    block.fill(0, byteLength);
    block[byteLength] = 0x80;
    words[14] = byteLength << 3;
    rounds(words, digest);
  };
}
