/** Records in the list and in the inspector: order, filter, forms of data, rows in sight, times. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hexDump, hexLines, prettyJson } from "../src/records/data-forms.ts";
import { ROW_PX, rowWindow, scrollTo } from "../src/records/row-window.ts";
import {
  matchesFilter,
  mergeByArrival,
  previewOf,
  type RecordRow,
  shortSequenceNumber,
} from "../src/records/rows.ts";
import { formatMoment, fromLocalInput, toLocalInput } from "../src/records/times.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function row(shardIndex: number, sequenceNumber: number, arrivalMs: number): RecordRow {
  return {
    ...{ shardIndex, shardId: `shard ${shardIndex}`, arrivalMs, partitionKey: "Key-é" },
    ...{ sequenceNumber: String(sequenceNumber), data: bytes("GET /Images/logo.png") },
  };
}

describe("rows of several shards", () => {
  it("are merged by arrival, and each shard keeps its order whatever its clock did", () => {
    const given = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 50 })),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(given, (list) => {
        const rows = list.map(([shardIndex, atMs], i) => row(shardIndex, i, atMs));
        const merged = mergeByArrival(rows);
        expect(merged).toHaveLength(rows.length);
        for (const index of [0, 1, 2, 3]) {
          const ofShard = (all: RecordRow[]): RecordRow[] =>
            all.filter(({ shardIndex }) => shardIndex === index);
          expect(ofShard(merged)).toEqual(ofShard(rows));
        }
      }),
    );
    const orderly = [row(0, 1, 10), row(0, 2, 30), row(1, 3, 20)];
    expect(mergeByArrival(orderly).map(({ arrivalMs }) => arrivalMs)).toEqual([10, 20, 30]);
  });

  it("match a filter in key, sequence number or data, without regard to case", () => {
    const one = row(0, 4711, 0);
    for (const filter of ["", "kEY-É", "471", "images/LOGO"]) {
      expect(matchesFilter(one, filter)).toBe(true);
    }
    expect(matchesFilter(one, "favicon")).toBe(false);
  });

  it("are previewed on one line", () => {
    expect(previewOf(bytes("a\n\tb\u0000c"))).toBe("a b·c");
    expect(previewOf(bytes("x".repeat(1000)))).toHaveLength(240);
    expect(shortSequenceNumber("49590338271490256608559692538361571095921575989136588898")).toBe(
      "495903…989136588898",
    );
  });
});

describe("forms of data", () => {
  it("are hex lines of sixteen bytes with their position and ASCII", () => {
    const data = Uint8Array.from({ length: 20 }, (_, i) => i + 0x38);
    expect(hexLines(data)).toEqual([
      {
        position: "00000000",
        bytes: "38 39 3a 3b 3c 3d 3e 3f  40 41 42 43 44 45 46 47",
        text: "89:;<=>?@ABCDEFG",
      },
      { position: "00000010", bytes: "48 49 4a 4b", text: "HIJK" },
    ]);
    expect(hexDump(data).split("\n")).toHaveLength(2);
    expect(hexLines(Uint8Array.of(0, 255))[0]?.text).toBe("..");
  });

  it("are JSON where it is JSON, and say why not elsewhere", () => {
    expect(prettyJson(bytes(`{"a":[1]}`))).toEqual({ json: `{\n  "a": [\n    1\n  ]\n}` });
    expect(prettyJson(bytes("GET /"))).toHaveProperty("problem");
    expect(prettyJson(Uint8Array.of(0x22, 0xff, 0x22))).toHaveProperty("problem");
  });
});

describe("rows in sight", () => {
  it("cover the box, and with the free heights make up the whole list", () => {
    const list = fc.tuple(fc.nat(60_000), fc.nat(2_000_000), fc.nat(2000));
    fc.assert(
      fc.property(list, ([count, scrollPx, heightPx]) => {
        const { first, end, abovePx, belowPx } = rowWindow(count, scrollPx, heightPx);
        expect(abovePx + (end - first) * ROW_PX + belowPx).toBe(count * ROW_PX);
        const reachable = Math.min(scrollPx, Math.max(0, count * ROW_PX - heightPx));
        if (scrollPx === reachable) {
          expect(abovePx).toBeLessThanOrEqual(scrollPx);
          expect(end * ROW_PX).toBeGreaterThanOrEqual(
            Math.min(count * ROW_PX, scrollPx + heightPx),
          );
        }
        expect(end - first).toBeLessThanOrEqual(Math.ceil(heightPx / ROW_PX) + 16);
      }),
    );
  });

  it("are scrolled to only as far as needed", () => {
    expect(scrollTo(5, 0, 400)).toBe(0);
    expect(scrollTo(20, 0, 300)).toBe(21 * ROW_PX - 300);
    expect(scrollTo(3, 500, 300)).toBe(3 * ROW_PX);
  });
});

describe("times", () => {
  it("go through the input to the second", () => {
    const atMs = new Date(2026, 10, 21, 13, 4, 5, 678).getTime();
    expect(formatMoment(atMs)).toBe("2026-11-21 13:04:05.678");
    expect(toLocalInput(atMs)).toBe("2026-11-21T13:04:05");
    expect(fromLocalInput(toLocalInput(atMs))).toBe(atMs - 678);
    expect(fromLocalInput("")).toBeUndefined();
  });
});
