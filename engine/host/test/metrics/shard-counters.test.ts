/** Counts of shards: added up, and forgotten with the shards when there are too many. */
import { describe, expect, it } from "vitest";
import { ShardCounters } from "../../src/metrics/shard-counters.ts";

describe("counters of shards", () => {
  it("add up, and forget the shards that are gone before there are too many", () => {
    const counters = new ShardCounters();
    counters.follow((uid) => uid <= 2 || uid > 8192);
    for (let uid = 1; uid <= 8192; uid++) counters.add(uid, { incomingRecords: uid });
    counters.add(1, { incomingRecords: 1, outgoingBytes: 5 });
    expect(counters.of(3).incomingRecords).toBe(3);
    counters.add(8193, { throttledRecords: 1 });
    expect(counters.of(1)).toEqual({
      ...{ incomingRecords: 2, incomingBytes: 0, throttledRecords: 0 },
      ...{ outgoingRecords: 0, outgoingBytes: 5 },
    });
    expect(counters.of(2).incomingRecords).toBe(2);
    expect(counters.of(3).incomingRecords).toBe(0);
    expect(counters.of(8193).throttledRecords).toBe(1);
  });
});
