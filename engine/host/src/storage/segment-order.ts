/** The order of segment keys: IndexedDB's order of arrays, for stores that sort by themselves. */
import type { SegmentKey } from "./log-store.ts";

/** Below zero when `left` comes before `right`, above when after, zero when they are the same key. */
export function compareSegmentKeys(left: SegmentKey, right: SegmentKey): number {
  for (const [i, part] of left.entries()) {
    const difference = part - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** A segment's key as one word, unique per key: for maps and messages. */
export function segmentKeyText(key: SegmentKey): string {
  return key.join("/");
}
