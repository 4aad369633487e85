/** How tokens become text, and the check sum that tells a mistyped one from one of ours. */

/** FNV-1a over bytes: an unsigned 32-bit integer. Not a signature. */
export function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Standard base64 with padding. */
export function base64Of(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Bytes of a text that {@link base64Of} wrote; undefined when the text is anything else. */
export function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  // Bits of the last character that stand for nothing may be set: then it is not the same text.
  return base64Of(bytes) === text ? bytes : undefined;
}
