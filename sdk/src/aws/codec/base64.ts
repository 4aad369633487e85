/**
 * Base64 as fast as the platform allows: its own codec where it has one, Node's Buffer, or a table.
 * All three refuse what AWS refuses: the alphabet of URLs, missing padding, line breaks, stray bits.
 */

/** Base64 with the standard alphabet and padding. */
export interface Base64 {
  encode(bytes: Uint8Array): string;
  /** Undefined when the text is not exactly what some bytes are encoded to. */
  decode(text: string): Uint8Array | undefined;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PADDING = 61;
/** A code unit that stands for no six bits. */
const INVALID = 64;

const CODES = Uint8Array.from(ALPHABET, (character) => character.charCodeAt(0));
const SIX_BITS = new Uint8Array(256).fill(INVALID);
for (const [bits, code] of CODES.entries()) SIX_BITS[code] = bits;

/** Bytes that a text of this length and padding stands for; NaN when there is none such. */
function decodedLength(text: string): number {
  if (text.length % 4 !== 0) return Number.NaN;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return (text.length / 4) * 3 - padding;
}

/** The six bits that a character stands for, or {@link INVALID}. */
function bitsAt(text: string, at: number): number {
  return SIX_BITS[text.charCodeAt(at)] ?? INVALID;
}

/** The last group of a text, with its padding, as 24 bits; negative when it is malformed. */
function lastGroup(text: string, byteCount: number): number {
  const at = text.length - 4;
  const first = bitsAt(text, at);
  const second = bitsAt(text, at + 1);
  const third = byteCount > 1 ? bitsAt(text, at + 2) : 0;
  const fourth = byteCount > 2 ? bitsAt(text, at + 3) : 0;
  if (((first | second | third | fourth) & INVALID) !== 0) return -1;
  const unused = byteCount === 1 ? second & 15 : byteCount === 2 ? third & 3 : 0;
  return unused === 0 ? (first << 18) | (second << 12) | (third << 6) | fourth : -1;
}

function decodeByTable(text: string): Uint8Array | undefined {
  const byteLength = decodedLength(text);
  if (Number.isNaN(byteLength)) return undefined;
  const bytes = new Uint8Array(byteLength);
  if (byteLength === 0) return text === "" ? bytes : undefined;
  const wholeBytes = byteLength - (((byteLength - 1) % 3) + 1);
  let from = 0;
  let seen = 0;
  for (let to = 0; to < wholeBytes; to += 3) {
    const a = bitsAt(text, from);
    const b = bitsAt(text, from + 1);
    const c = bitsAt(text, from + 2);
    const d = bitsAt(text, from + 3);
    seen |= a | b | c | d;
    bytes[to] = (a << 2) | (b >> 4);
    bytes[to + 1] = (b << 4) | (c >> 2);
    bytes[to + 2] = (c << 6) | d;
    from += 4;
  }
  const last = lastGroup(text, byteLength - wholeBytes);
  if (last < 0 || (seen & INVALID) !== 0) return undefined;
  for (let i = wholeBytes; i < byteLength; i++) bytes[i] = last >> (16 - 8 * (i - wholeBytes));
  return bytes;
}

const ascii = new TextDecoder("latin1");

function encodeByTable(bytes: Uint8Array): string {
  const codes = new Uint8Array(Math.ceil(bytes.byteLength / 3) * 4).fill(PADDING);
  const code = (bits: number): number => CODES[bits & 63] ?? PADDING;
  let to = 0;
  for (let from = 0; from < bytes.byteLength; from += 3) {
    const left = bytes.byteLength - from;
    const group =
      ((bytes[from] ?? 0) << 16) | ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 2] ?? 0);
    codes[to] = code(group >> 18);
    codes[to + 1] = code(group >> 12);
    if (left > 1) codes[to + 2] = code(group >> 6);
    if (left > 2) codes[to + 3] = code(group);
    to += 4;
  }
  return ascii.decode(codes);
}

/** Base64 without help of the platform. */
export const tableBase64: Base64 = { encode: encodeByTable, decode: decodeByTable };

/** What Node's Buffer offers of use here. */
interface NodeBuffers {
  from(
    bytes: ArrayBufferLike,
    byteOffset: number,
    byteLength: number,
  ): { toString(encoding: "base64"): string };
  from(text: string, encoding: "base64"): Uint8Array;
}

/** Whether the bits of the last character that stand for nothing are zero. */
function endsCleanly(text: string, byteLength: number): boolean {
  return byteLength === 0 || lastGroup(text, ((byteLength - 1) % 3) + 1) >= 0;
}

/** Base64 by Node's Buffer, which by itself takes almost anything for base64. */
export function bufferBase64(buffers: NodeBuffers): Base64 {
  return {
    encode: ({ buffer, byteOffset, byteLength }) =>
      buffers.from(buffer, byteOffset, byteLength).toString("base64"),
    decode: (text) => {
      // Buffer leaves out what it cannot read, so that what remains is too short.
      const bytes = buffers.from(text, "base64");
      const { buffer, byteOffset, byteLength } = bytes;
      const fits = byteLength === decodedLength(text) && endsCleanly(text, byteLength);
      if (!fits || text.includes("-") || text.includes("_")) return undefined;
      return new Uint8Array(buffer, byteOffset, byteLength);
    },
  };
}

/** What newer platforms offer on Uint8Array and its instances. */
interface NativeBase64 {
  fromBase64(text: string, options: { lastChunkHandling: "strict" }): Uint8Array;
}

/** Base64 by the platform's own codec, which by itself skips white space. */
export function nativeBase64(native: NativeBase64): Base64 {
  return {
    encode: (bytes) => (bytes as Uint8Array & { toBase64(): string }).toBase64(),
    decode: (text) => {
      try {
        const bytes = native.fromBase64(text, { lastChunkHandling: "strict" });
        return bytes.byteLength === decodedLength(text) ? bytes : undefined;
      } catch (error) {
        if (error instanceof SyntaxError) return undefined;
        throw error;
      }
    },
  };
}

function chooseBase64(): Base64 {
  const { Buffer: buffers } = globalThis as { Buffer?: NodeBuffers };
  if (buffers !== undefined) return bufferBase64(buffers);
  if ("fromBase64" in Uint8Array)
    return nativeBase64(Uint8Array as typeof Uint8Array & NativeBase64);
  return tableBase64;
}

/** The fastest of this platform. Decoded bytes may be a view of a larger buffer. */
export const base64: Base64 = chooseBase64();
