import { describe, expect, it } from "vitest";
import { parseOldSequenceNumber } from "../../src/sequence/old-sequence-number.ts";
import { formatSequenceNumber } from "../../src/sequence/sequence-number.ts";

describe("sequence numbers of old versions", () => {
  it("tell the shard and its creation in version 0", () => {
    const number = BigInt(
      `0x${(1_400_000_000).toString(16).padStart(9, "0")}00${"5".repeat(16)}0007`,
    );
    expect(parseOldSequenceNumber(number.toString())).toEqual({
      version: 0,
      createdSeconds: 1_400_000_000,
      shardIndex: 7,
    });
    expect(parseOldSequenceNumber("0")).toEqual({ version: 0, createdSeconds: 0, shardIndex: 0 });
  });

  it("tell the shard and its creation in version 1", () => {
    const created = (1_400_000_000).toString(16).padStart(9, "0");
    const number = BigInt(`0x2${created}${"0".repeat(28)}000000091`);
    expect(parseOldSequenceNumber(number.toString())).toEqual({
      version: 1,
      createdSeconds: 1_400_000_000,
      shardIndex: 9,
    });
  });

  it("are not those of version 2, nor other texts", () => {
    const parts = {
      createdSeconds: 1_700_000_000,
      sequenceIndex: 5,
      arrivalSeconds: 1_700_000_001,
      shardIndex: 1,
    };
    expect(parseOldSequenceNumber(formatSequenceNumber(parts))).toBeUndefined();
    for (const text of ["", "x", "-1", (1n << 124n).toString(), "9".repeat(64), "9".repeat(65)]) {
      expect(parseOldSequenceNumber(text)).toBeUndefined();
    }
  });
});
