/** Records for the benchmarks: random, because a browser compresses what it stores. */

/** One record as an application has it: data in a buffer of its own. */
export interface BenchRecord {
  readonly partitionKey: string;
  readonly data: Uint8Array<ArrayBuffer>;
}

const RANDOM_BYTES_MAX = 65_536;

/** Random bytes in a buffer of their own. */
export function randomBytes(byteLength: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(byteLength);
  for (let at = 0; at < byteLength; at += RANDOM_BYTES_MAX) {
    crypto.getRandomValues(bytes.subarray(at, at + RANDOM_BYTES_MAX));
  }
  return bytes;
}

/** Records with keys of 36 characters, as identifiers usually are. */
export function randomRecords(count: number, dataBytes: number): BenchRecord[] {
  return Array.from({ length: count }, () => ({
    partitionKey: crypto.randomUUID(),
    data: randomBytes(dataBytes),
  }));
}

/** A size as people write it. */
export function sizeText(byteLength: number): string {
  return byteLength < 1024 ? `${byteLength} B` : `${byteLength / 1024} KiB`;
}
