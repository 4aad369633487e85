/** MD5 and hash keys against Node's and against what is known of them. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  compareHashKeys,
  formatHashKey,
  hashKeyFrom,
  hashKeyOf,
  parseHashKey,
  rangeHolds,
} from "../../src/aggregation/hash-key.ts";
import { md5 } from "../../src/aggregation/md5.ts";

function nodeMd5(bytes: Uint8Array | string): string {
  return createHash("md5").update(bytes).digest("hex");
}

const LAST = (1n << 128n) - 1n;

describe("md5", () => {
  it("is what RFC 1321 says it is", () => {
    const digest = (text: string): string =>
      Buffer.from(md5(new TextEncoder().encode(text))).toString("hex");
    expect(digest("")).toBe("d41d8cd98f00b204e9800998ecf8427e");
    expect(digest("message digest")).toBe("f96b697d7cb7938d525a2f31aaf161d0");
  });

  it("agrees with Node's for every length around the ends of blocks", () => {
    for (let length = 0; length <= 200; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => i * 7 + length);
      expect(Buffer.from(md5(bytes)).toString("hex")).toBe(nodeMd5(bytes));
    }
  });

  it("agrees with Node's for random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
        expect(Buffer.from(md5(bytes)).toString("hex")).toBe(nodeMd5(bytes));
      }),
    );
  });
});

describe("hash keys", () => {
  it("are the MD5 of the partition key as a number", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 2000 });
    fc.assert(
      fc.property(text, (key) => {
        expect(formatHashKey(hashKeyOf(key))).toBe(BigInt(`0x${nodeMd5(key)}`).toString());
      }),
    );
  });

  it("have the order of their numbers, and lie in ranges with both their ends", () => {
    const number = fc.bigInt({ min: 0n, max: LAST });
    fc.assert(
      fc.property(number, number, number, (a, b, c) => {
        expect(Math.sign(compareHashKeys(hashKeyFrom(a), hashKeyFrom(b)))).toBe(
          a < b ? -1 : Number(a > b),
        );
        expect(formatHashKey(hashKeyFrom(a))).toBe(a.toString());
        const [low, high] = a < b ? [a, b] : [b, a];
        const range = { start: hashKeyFrom(low), end: hashKeyFrom(high) };
        expect(rangeHolds(range, hashKeyFrom(c))).toBe(low <= c && c <= high);
        expect([low, high].every((end) => rangeHolds(range, hashKeyFrom(end)))).toBe(true);
      }),
    );
  });

  it("are not read from what is none", () => {
    for (const text of ["", "-1", "1.5", "0x10", " 1", "abc", (LAST + 1n).toString()]) {
      expect(parseHashKey(text)).toBeUndefined();
    }
    expect(parseHashKey(LAST.toString())).toEqual(Array(4).fill(0xffff_ffff));
    expect(parseHashKey("007")).toEqual([0, 0, 0, 7]);
  });
});
