/**
 * Records that tell by themselves where they belong and whether they are whole: which lane put them, as
 * partition key; their number in it, from 0; a checksum; and random bytes, which no store can compress.
 */

/** Bytes before the random ones: u32 number, u32 checksum, little endian. */
const HEADER_BYTES = 8;

/** A record as `putRecords` takes it. */
export interface NumberedRecord {
  readonly partitionKey: string;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** FNV-1a over the number and the random bytes. */
function checksumOf(data: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const [at, byte] of data.entries()) {
    if (at < 4 || at >= HEADER_BYTES) hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}

/** The record of a lane under a number, with so many random bytes (at most 65,536). */
export function numberedRecord(lane: string, number: number, randomBytes: number): NumberedRecord {
  const data = new Uint8Array(HEADER_BYTES + randomBytes);
  crypto.getRandomValues(data.subarray(HEADER_BYTES));
  const view = new DataView(data.buffer);
  view.setUint32(0, number, true);
  view.setUint32(4, checksumOf(data), true);
  return { partitionKey: lane, data };
}

/** The number that a record's data holds; undefined when it is not whole. */
export function numberIn(data: Uint8Array): number | undefined {
  if (data.byteLength < HEADER_BYTES) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return view.getUint32(4, true) === checksumOf(data) ? view.getUint32(0, true) : undefined;
}
