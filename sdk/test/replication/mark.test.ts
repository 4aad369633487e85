/** The mark of records that were shipped: what is written as tags comes back, and anything else is none. */
import { decodeAggregate, encodeAggregate } from "millrace/aggregation";
import { describe, expect, it } from "vitest";
import { type HashKey, hashKeyFrom, rangeHolds } from "../../src/aggregation/hash-key.ts";
import {
  briefRange,
  commonRange,
  decodeRange,
  encodeRange,
  joinRun,
  type MarkSource,
  marksOf,
  nameOfStream,
  type ReplicationMark,
  relayed,
  sourceOf,
  tagOf,
} from "../../src/replication/mark.ts";
import { randomOf } from "./random.ts";

const RING_END = (1n << 128n) - 1n;
const RUN = "0011223344556677";

function rangeFrom(start: bigint, end: bigint): { start: HashKey; end: HashKey } {
  return { start: hashKeyFrom(start), end: hashKeyFrom(end) };
}

/** Aggregates members with these marks, and reads them. */
function written(marks: readonly ReplicationMark[]) {
  let before: ReplicationMark | undefined;
  const members = marks.map((mark, i) => {
    const tag = tagOf(mark, before);
    before = mark;
    return { partitionKey: `k${i}`, data: new Uint8Array([i & 255]), tags: [tag] };
  });
  return decodeAggregate(encodeAggregate(members)) ?? [];
}

/** Marks that a run took up say the same, of an origin of that run's own, in as many bytes. */
function expectJoined(
  members: ReturnType<typeof written>,
  marks: readonly ReplicationMark[],
): void {
  const joined = joinRun(members, RUN) ?? [];
  expect(encodeAggregate(joined).byteLength).toBe(encodeAggregate(members).byteLength);
  const origins = new Map<string, string>();
  const back = (marksOf(joined) ?? []).map((mark, i) => {
    const before = marks[i]?.source.origin ?? "";
    const { origin = "" } = mark?.source ?? {};
    expect(origins.get(before) ?? origin).toBe(origin);
    origins.set(before, origin);
    return { ...mark, source: { ...mark?.source, origin: before } };
  });
  expect(back).toEqual(marks);
  expect(new Set([...origins.keys(), ...origins.values()]).size).toBe(2 * origins.size);
}

describe("the replication mark", () => {
  it("comes back from any sequence of marks", () => {
    const random = randomOf(7);
    for (let round = 0; round < 300; round++) {
      const sources: MarkSource[] = Array.from({ length: 1 + random.below(4) }, () => {
        const incarnation = Array.from({ length: 32 }, () => random.below(16).toString(16)).join(
          "",
        );
        const streamUid = random.below(2 ** 32);
        const digits = (): string =>
          random
            .below(2 ** 32)
            .toString(16)
            .padStart(16, "f");
        const [low, high] = [random.hashKey(), random.hashKey()].sort((a, b) => (a < b ? -1 : 1));
        const range = rangeFrom(low ?? 0n, high ?? 0n);
        const log = { incarnation, streamUid };
        let source = sourceOf(log, random.below(2 ** 31), digits(), range);
        for (let hops = random.below(5); hops > 0; hops--) {
          source = relayed(source, digits(), nameOfStream(log), range) ?? source;
        }
        return source;
      });
      let index = random.below(2 ** 50);
      const marks = Array.from({ length: 1 + random.below(40) }, () => {
        const source = sources[random.below(sources.length)] ?? sources[0];
        if (source === undefined) throw new Error("there is one");
        index = random.below(10) === 0 ? random.below(2 ** 50) : index + random.below(3);
        const subSequenceNumber = random.below(3) === 0 ? random.below(5000) : 0;
        return { source, index, subSequenceNumber };
      });
      expect(marksOf(written(marks))).toEqual(marks);
      expectJoined(written(marks), marks);
    }
  });

  it("is left alone where there is none, or none that can be read, when a run takes records up", () => {
    const members = [
      { partitionKey: "a", data: new Uint8Array(1), tags: [{ key: "other", value: "1.2" }] },
      { partitionKey: "b", data: new Uint8Array(1) },
    ];
    expect(joinRun(members, RUN)).toBeUndefined();
    const tags = [{ key: "mr", value: "not a mark" }, { key: "mr" }];
    const malformed = { partitionKey: "c", data: new Uint8Array(1), tags };
    expect(joinRun([...members, malformed], RUN)?.[2]).toEqual(malformed);
  });

  it("takes a few bytes for the record after the one before", () => {
    const range = rangeFrom(0n, RING_END);
    const incarnation = "0123456789abcdef".repeat(2);
    const run = "fedcba9876543210";
    const source = sourceOf({ incarnation, streamUid: 1 }, 0, run, range);
    const first = { source, index: 41, subSequenceNumber: 0 };
    const value = `${incarnation}.1.0-${run}.15.0..`;
    expect(tagOf(first, undefined)).toEqual({ key: "mr", value });
    expect(tagOf({ source, index: 42, subSequenceNumber: 0 }, first)).toEqual({ key: "mr" });
    expect(tagOf({ source, index: 44, subSequenceNumber: 0 }, first).value).toBe("3");
    expect(tagOf({ source, index: 41, subSequenceNumber: 7 }, first).value).toBe("0.7");
  });

  it("is none where tags are malformed, and of members behind such", () => {
    const range = rangeFrom(0n, RING_END);
    const incarnation = "f".repeat(32);
    const source = sourceOf({ incarnation, streamUid: 9 }, 3, "0".repeat(16), range);
    const good = tagOf({ source, index: 5, subSequenceNumber: 0 }, undefined);
    const values = ["", "x y", `${good.value}.`, `${good.value?.slice(1)}`, "1.2.3", "-1"];
    for (const value of values) {
      const tagged = [
        { tags: [good] },
        { tags: [{ key: "mr", value }] },
        { tags: [{ key: "mr" }] },
      ];
      expect(marksOf(tagged)?.map((mark) => mark?.index)).toEqual([5, undefined, undefined]);
    }
    // Somebody's members between ours have no mark, and do not pass for the next ones.
    expect(marksOf([{ tags: [good] }, {}, { tags: [{ key: "mr" }] }])?.[2]).toBeUndefined();
    expect(marksOf([{}, { tags: [good] }])).toBeUndefined();
    expect(marksOf([{ tags: [{ key: "other", value: "1" }] }])).toBeUndefined();
    // Its range ends before it begins.
    const value = `${incarnation}.1.0-${"0".repeat(16)}.1.0.8.1`;
    expect(marksOf([{ tags: [{ key: "mr", value }] }])).toEqual([undefined]);
  });

  it("names at most sixteen streams by way of which a record came", () => {
    const log = { incarnation: "a".repeat(32), streamUid: 1 };
    let source: MarkSource | undefined = sourceOf(log, 0, "0".repeat(16), rangeFrom(0n, 9n));
    for (let hops = 0; hops < 16 && source !== undefined; hops++) {
      source = relayed(source, "1".repeat(16), nameOfStream(log), source.range);
    }
    expect(source?.via).toHaveLength(16);
    if (source === undefined) return;
    const mark = { source, index: 1, subSequenceNumber: 0 };
    expect(marksOf(written([mark]))).toEqual([mark]);
    expect(relayed(source, "1".repeat(16), nameOfStream(log), source.range)).toBeUndefined();
  });

  it("finds a part of a range that is told briefly and holds a key", () => {
    const random = randomOf(5);
    for (let round = 0; round < 200; round++) {
      const [low = 0n, key = 0n, high = 0n] = [
        random.hashKey(),
        random.hashKey(),
        random.hashKey(),
      ].sort((a, b) => (a < b ? -1 : 1));
      const range = rangeFrom(low, high);
      const brief = briefRange(range, hashKeyFrom(key));
      expect(commonRange(brief, range)).toEqual(brief);
      expect(rangeHolds(brief, hashKeyFrom(key))).toBe(true);
      expect(encodeRange(brief).length).toBeLessThanOrEqual(encodeRange(range).length);
    }
  });

  it("writes ranges of hash keys short, and reads them again", () => {
    const random = randomOf(11);
    expect(encodeRange(rangeFrom(0n, RING_END))).toBe(".");
    expect(encodeRange(rangeFrom(1n << 126n, (1n << 127n) - 1n))).toBe("4.7");
    for (let round = 0; round < 200; round++) {
      const [low = 0n, high = 0n] = [random.hashKey(), random.hashKey()].sort((a, b) =>
        a < b ? -1 : 1,
      );
      const range = rangeFrom(low, high);
      const [start = "", end = ""] = encodeRange(range).split(".");
      expect(decodeRange(start, end)).toEqual(range);
      expect(commonRange(range, rangeFrom(0n, RING_END))).toEqual(range);
      if (low > 0n) expect(commonRange(range, rangeFrom(0n, low - 1n))).toBeUndefined();
    }
  });
});
