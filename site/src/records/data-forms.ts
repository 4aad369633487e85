/** A record's data in words: JSON, text, and bytes. */

/** Bytes of a hex line. */
export const HEX_BYTES_PER_LINE = 16;

/** Bytes that are shown of one record; the rest is counted. */
export const SHOWN_BYTES_MAX = 65_536;

/** One line of a hex dump. */
export interface HexLine {
  /** Position of its first byte, eight hexadecimal digits. */
  readonly position: string;
  /** Two hexadecimal digits per byte, apart by spaces, with a gap in the middle. */
  readonly bytes: string;
  /** The same bytes as ASCII, dots for the others. */
  readonly text: string;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

function asciiOf(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".";
}

/** Lines of a hex dump. */
export function hexLines(data: Uint8Array): HexLine[] {
  const count = Math.ceil(data.length / HEX_BYTES_PER_LINE);
  return Array.from({ length: count }, (_, line) => {
    const first = line * HEX_BYTES_PER_LINE;
    const bytes = [...data.subarray(first, first + HEX_BYTES_PER_LINE)];
    const words = bytes.map((byte) => hex(byte, 2));
    const middle = HEX_BYTES_PER_LINE / 2;
    const halves = [words.slice(0, middle), words.slice(middle)];
    return {
      position: hex(first, 8),
      bytes: halves
        .filter((half) => half.length > 0)
        .map((half) => half.join(" "))
        .join("  "),
      text: bytes.map(asciiOf).join(""),
    };
  });
}

/** A hex dump as one text, as it is copied. */
export function hexDump(data: Uint8Array): string {
  const width = HEX_BYTES_PER_LINE * 3;
  return hexLines(data)
    .map(({ position, bytes, text }) => `${position}  ${bytes.padEnd(width)} ${text}`)
    .join("\n");
}

/** Data as UTF-8 text, with the sign for what is none. */
export function textOf(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

/** Data as JSON set out over lines; undefined with the parser's words when it is none. */
export function prettyJson(data: Uint8Array): { json: string } | { problem: string } {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(data);
    return { json: JSON.stringify(JSON.parse(text), null, 2) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}
