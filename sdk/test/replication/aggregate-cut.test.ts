/** Aggregates that are cut at the borders of a copy's shards: all members, in their order, with their marks. */
import { type AggregateMember, decodeAggregate, encodeAggregate } from "millrace/aggregation";
import { describe, expect, it } from "vitest";
import { hashKeyFrom, hashKeyOf } from "../../src/aggregation/hash-key.ts";
import { cutAggregate, type RoutedPart } from "../../src/replication/aggregate-cut.ts";
import {
  joinRun,
  marksOf,
  type ReplicationMark,
  sourceOf,
  tagOf,
} from "../../src/replication/mark.ts";

const RING = { start: hashKeyFrom(0n), end: hashKeyFrom(2n ** 128n - 1n) };
const RUN = "0123456789abcdef";
const OTHER = { key: "shop", value: "north" };

function markAt(index: number, subSequenceNumber = 0, streamUid = 7): ReplicationMark {
  const log = { incarnation: "a".repeat(32), streamUid };
  return { source: sourceOf(log, 3, RUN, RING), index, subSequenceNumber };
}

/** Members that have these marks as a shipper writes them. */
function marked(marks: readonly ReplicationMark[], dataBytes = 5): AggregateMember[] {
  return marks.map((mark, i) => ({
    partitionKey: `k${i}`,
    data: new Uint8Array(dataBytes).fill(i),
    tags: [tagOf(mark, marks[i - 1]), OTHER],
  }));
}

function routed(members: readonly AggregateMember[], places: readonly number[]): RoutedPart[] {
  return members.map((member, i) => ({
    ...{ member, place: places[i] ?? 0 },
    hashKey: hashKeyOf(member.partitionKey),
  }));
}

/** What a piece holds: each member's key, and where it says that it comes from. */
function read(data: Uint8Array): unknown[] {
  const members = decodeAggregate(data) ?? [];
  const marks = marksOf(members);
  return members.map(({ partitionKey, tags = [] }, i) => {
    const { source, ...position } = marks?.[i] ?? {};
    const others = tags.filter(({ key }) => key !== "mr");
    return { partitionKey, others, origin: source?.origin, ...position };
  });
}

describe("an aggregate that is cut", () => {
  it("has all members once, of each shard in their order, with their marks and their other tags", () => {
    const marks = [markAt(10), markAt(11), markAt(11, 1), markAt(12), markAt(20), markAt(2, 0, 9)];
    const members = marked(marks);
    const data = encodeAggregate(members);
    const pieces = cutAggregate(routed(members, [2, 0, 2, 0, 2, 0]), data.byteLength);
    const whole = read(data);
    expect(pieces.map((piece) => read(piece.data))).toEqual([
      [whole[0], whole[2], whole[4]],
      [whole[1], whole[3], whole[5]],
    ]);
    expect(pieces.map(({ hashKey }) => hashKey)).toEqual([hashKeyOf("k0"), hashKeyOf("k1")]);
    expect(whole.every((one) => (one as { origin: unknown }).origin !== undefined)).toBe(true);
  });

  it("says the run of the copy in every piece", () => {
    const members = marked([markAt(10), markAt(11), markAt(12)]);
    const joined = joinRun(members, "f".repeat(16)) ?? [];
    const origin = marksOf(joined)?.[0]?.source.origin;
    const pieces = cutAggregate(routed(joined, [0, 1, 0]), 1_000_000);
    const origins = pieces.flatMap((piece) =>
      read(piece.data).map((one) => (one as { origin: unknown }).origin),
    );
    expect(origins).toEqual([origin, origin, origin]);
    expect(origin).not.toBe(markAt(0).source.origin);
  });

  it("has no piece that is larger than it was, also where marks take more room apart", () => {
    const marks = Array.from({ length: 40 }, (_, i) => markAt(i));
    const members = marked(marks, 1);
    const data = encodeAggregate(members);
    const lonely = members.map((_, i) => (i === 1 ? 1 : 0));
    const pieces = cutAggregate(routed(members, lonely), data.byteLength);
    expect(Math.max(...pieces.map((piece) => piece.data.byteLength))).toBeLessThanOrEqual(
      data.byteLength,
    );
    expect(pieces.flatMap((piece) => read(piece.data))).toHaveLength(40);
    // In as little room as one member takes, each is by itself.
    const tight = cutAggregate(routed(members, lonely), 60);
    expect(tight.map((piece) => decodeAggregate(piece.data)?.length)).toEqual(marks.map(() => 1));
  });

  it("without marks has none, whatever a member within it bears", () => {
    const [plain, ...others] = marked([markAt(10), markAt(11), markAt(12)]);
    const members = [{ ...plain, tags: [] } as AggregateMember, ...others];
    const pieces = cutAggregate(routed(members, [0, 1, 1]), 1_000_000);
    expect(marksOf(members)).toBeUndefined();
    for (const { data } of pieces) expect(marksOf(decodeAggregate(data) ?? [])).toBeUndefined();
  });
});
