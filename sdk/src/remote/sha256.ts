/**
 * SHA-256 (FIPS 180-4) and its HMAC (RFC 2104) as AWS's clients take them: in this task, where the platform's own
 * answers in a later one, which a page that ends does not have.
 */

const BLOCK_BYTES = 64;
const LENGTH_BYTES = 8;
const DIGEST_WORDS = 8;
const ROUNDS = 64;
const ENCODER = new TextEncoder();

/** The first bits of the fractions of a root of the first primes: of the cube roots, and of the square roots. */
const { roundConstants, initialState } = constants();

function constants(): { roundConstants: Uint32Array; initialState: Uint32Array } {
  const primes: number[] = [];
  for (let candidate = 2; primes.length < ROUNDS; candidate++) {
    if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate);
  }
  const fraction = (value: number): number => Math.floor((value - Math.floor(value)) * 2 ** 32);
  return {
    roundConstants: Uint32Array.from(primes, (prime) => fraction(Math.cbrt(prime))),
    initialState: Uint32Array.from(primes.slice(0, DIGEST_WORDS), (prime) =>
      fraction(Math.sqrt(prime)),
    ),
  };
}

function rotated(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

/** Takes a block into the state. */
function takeBlock(state: Uint32Array, view: DataView, at: number, words: Uint32Array): void {
  const word = (i: number): number => words[i] ?? 0;
  for (let i = 0; i < 16; i++) words[i] = view.getUint32(at + i * 4);
  for (let i = 16; i < ROUNDS; i++) {
    const [near, far] = [word(i - 2), word(i - 15)];
    const small = rotated(far, 7) ^ rotated(far, 18) ^ (far >>> 3);
    const large = rotated(near, 17) ^ rotated(near, 19) ^ (near >>> 10);
    words[i] = word(i - 16) + small + word(i - 7) + large;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < ROUNDS; i++) {
    const mixed = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
    const first = (h + mixed + ((e & f) ^ (~e & g)) + (roundConstants[i] ?? 0) + word(i)) | 0;
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const second = ((rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + majority) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  for (const [i, sum] of [a, b, c, d, e, f, g, h].entries()) state[i] = (state[i] ?? 0) + sum;
}

/** The digest of a message. */
export function sha256(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const blocks = Math.ceil((message.byteLength + 1 + LENGTH_BYTES) / BLOCK_BYTES);
  const padded = new Uint8Array(blocks * BLOCK_BYTES);
  padded.set(message);
  padded[message.byteLength] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.byteLength - LENGTH_BYTES, BigInt(message.byteLength) * 8n);
  const state = new Uint32Array(initialState);
  const words = new Uint32Array(ROUNDS);
  for (let at = 0; at < padded.byteLength; at += BLOCK_BYTES) takeBlock(state, view, at, words);
  const digest = new Uint8Array(DIGEST_WORDS * 4);
  const out = new DataView(digest.buffer);
  for (const [i, word] of state.entries()) out.setUint32(i * 4, word);
  return digest;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(first.byteLength + second.byteLength);
  whole.set(first);
  whole.set(second, first.byteLength);
  return whole;
}

/** What AWS's clients may hand over to be hashed. */
type Source = string | ArrayBuffer | ArrayBufferView;

function bytesOf(source: Source): Uint8Array {
  if (typeof source === "string") return ENCODER.encode(source);
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
}

/** A hash, or with a secret an HMAC, as AWS's clients make one of for every request. */
export class Sha256 {
  readonly #secret: Uint8Array | undefined;
  #message: Uint8Array = new Uint8Array(0);

  constructor(secret?: Source) {
    if (secret === undefined) return;
    const bytes = bytesOf(secret);
    const short = bytes.byteLength > BLOCK_BYTES ? sha256(bytes) : bytes;
    this.#secret = joined(short, new Uint8Array(BLOCK_BYTES - short.byteLength));
  }

  /** Takes more of the message. */
  update(source: Source): void {
    this.#message = joined(this.#message, bytesOf(source));
  }

  /** The digest of the message so far. */
  async digest(): Promise<Uint8Array> {
    const secret = this.#secret;
    if (secret === undefined) return sha256(this.#message);
    const pad = (byte: number): Uint8Array => secret.map((one) => one ^ byte);
    return sha256(joined(pad(0x5c), sha256(joined(pad(0x36), this.#message))));
  }

  /** Begins another message. */
  reset(): void {
    this.#message = new Uint8Array(0);
  }
}
