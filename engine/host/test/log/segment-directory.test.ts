import { describe, expect, it } from "vitest";
import { SegmentDirectory } from "../../src/log/segment-directory.ts";
import type { SegmentKey } from "../../src/storage/log-store.ts";

function key(ordinal: number, firstIndex: number, epoch = 1, uid = 1): SegmentKey {
  return [uid, ordinal, firstIndex, firstIndex * 10, firstIndex * 10 + 50, epoch];
}

const SHARD = { uid: 1, sealedThrough: 3, trimmedThrough: 0 };

describe("the segment directory", () => {
  it("counts as declared what the control state says, and tells garbage from what nobody knows", () => {
    const keys = [key(1, 0), key(2, 10), key(3, 20), key(4, 30), key(1, 0, 1, 9)];
    const scan = SegmentDirectory.scan(keys, [SHARD]);
    expect(scan.directory.of(1)).toEqual(keys.slice(0, 3));
    expect(scan.garbage).toEqual([keys[3]]);
    expect(scan.unknown).toEqual([keys[4]]);
    expect(scan.missing).toEqual([]);
  });

  it("takes the higher epoch of two keys for one ordinal, in whatever order they come", () => {
    const rivals = [key(2, 10, 4), key(2, 10, 7)];
    for (const pair of [rivals, [...rivals].reverse()]) {
      const scan = SegmentDirectory.scan([key(1, 0), ...pair, key(3, 20)], [SHARD]);
      expect(scan.directory.of(1)[1]).toEqual(rivals[1]);
      expect(scan.garbage).toEqual([rivals[0]]);
    }
  });

  it("says which declared segments are missing, but not which were trimmed", () => {
    const scan = SegmentDirectory.scan([key(3, 20)], [{ ...SHARD, trimmedThrough: 1 }]);
    expect(scan.missing).toEqual([{ shardUid: 1, ordinal: 2 }]);
  });

  it("finds segments by index and by time", () => {
    const { directory } = SegmentDirectory.scan([key(1, 5), key(2, 10), key(3, 20)], [SHARD]);
    expect(directory.covering(1, 4)).toBeUndefined();
    expect(directory.covering(1, 5)?.[1]).toBe(1);
    expect(directory.covering(1, 19)?.[1]).toBe(2);
    expect(directory.covering(1, 99)?.[1]).toBe(3);
    expect(directory.after(1, 4)?.[1]).toBe(1);
    expect(directory.after(1, 20)).toBeUndefined();
    expect(directory.reaching(1, 0)?.[1]).toBe(1);
    expect(directory.reaching(1, 101)?.[1]).toBe(2);
    expect(directory.reaching(1, 251)).toBeUndefined();
    expect(directory.endedBefore(1, 150).map((one) => one[1])).toEqual([1]);
    expect(directory.endedBefore(1, 100)).toEqual([]);
  });

  it("forgets what is trimmed or dropped", () => {
    const { directory } = SegmentDirectory.scan([key(1, 5), key(2, 10), key(3, 20)], [SHARD]);
    expect(directory.trimThrough(1, 2).map((one) => one[1])).toEqual([1, 2]);
    expect(directory.count).toBe(1);
    expect(directory.drop(1)).toHaveLength(1);
    expect(directory.count).toBe(0);
  });
});
