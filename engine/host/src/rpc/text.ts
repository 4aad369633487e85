/** UTF-8 between strings and packed buffers, with a short cut for the short and plain. */

const ENCODER = new TextEncoder();
// A byte order mark belongs to the data, and is not to be eaten.
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });
/** Up to here a loop over characters beats a call of the encoder or decoder. */
const LOOP_CHARACTERS_MAX = 96;
/** Up to here room for the worst case is cheaper than to measure first. */
const WORST_CASE_CHARACTERS_MAX = 16_384;
/** Bytes of UTF-8 that one UTF-16 code unit becomes at most. */
const BYTES_PER_CODE_UNIT_MAX = 3;

/** Text as a writer takes it: as it is when short, encoded when it is long. */
export function prepareText(text: string): string | Uint8Array {
  return text.length <= WORST_CASE_CHARACTERS_MAX ? text : ENCODER.encode(text);
}

/** Bytes that {@link writeText} needs at most. */
export function textBytesMax(text: string): number {
  return text.length * BYTES_PER_CODE_UNIT_MAX;
}

/** Writes a text as UTF-8 and returns its length in bytes; the room is the caller's to have checked. */
export function writeText(bytes: Uint8Array, at: number, text: string): number {
  const plain = Math.min(text.length, LOOP_CHARACTERS_MAX);
  for (let i = 0; i < plain; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 127) return i + encodeRest(bytes, at + i, text.slice(i));
    bytes[at + i] = unit;
  }
  if (plain === text.length) return plain;
  // A surrogate pair is never cut in two here: its first half is above 127.
  return plain + encodeRest(bytes, at + plain, text.slice(plain));
}

function encodeRest(bytes: Uint8Array, at: number, text: string): number {
  return ENCODER.encodeInto(text, bytes.subarray(at)).written;
}

/** Reads UTF-8. Bytes that are none read as U+FFFD. */
export function readText(bytes: Uint8Array): string {
  if (bytes.byteLength > LOOP_CHARACTERS_MAX) return DECODER.decode(bytes);
  let text = "";
  for (const byte of bytes) {
    if (byte > 127) return DECODER.decode(bytes);
    text += String.fromCharCode(byte);
  }
  return text;
}
