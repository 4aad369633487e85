/** Numbered records. */
import type { TestRecord } from "./batches.ts";

/** `count` records with distinct data, keys repeating. */
export function someRecords(count: number, dataBytes = 100, first = 0): TestRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const data = new Uint8Array(dataBytes);
    // Pseudo-random bytes, so that nothing that a store compresses looks smaller than it is.
    let state = (first + i) * 2654435761 + 1;
    for (let at = 0; at < dataBytes; at++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      data[at] = state >>> 24;
    }
    new DataView(data.buffer).setUint32(0, first + i, true);
    return { key: `key-${(first + i) % 17}`, data };
  });
}

/** The number that `someRecords` wrote into a record. */
export function numberOf(record: { readonly data: Uint8Array }): number {
  return new DataView(record.data.buffer, record.data.byteOffset).getUint32(0, true);
}
