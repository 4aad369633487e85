/** Bytes as hexadecimal digits. */

/** Bytes as hexadecimal digits, two each. */
export function hexOfBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The bytes of hexadecimal digits, two each. */
export function bytesOfHex(digits: string): Uint8Array {
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16),
  );
}

/** 16 bytes in the form of a UUID: 8-4-4-4-12 hexadecimal digits. */
export function uuidOfBytes(bytes: Uint8Array): string {
  return hexOfBytes(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
