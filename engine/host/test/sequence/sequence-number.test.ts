/** Sequence numbers and shard ids as text. */
import { assert } from "chai";
import fc from "fast-check";
import { InvalidArgumentError } from "../../src/errors/index.ts";
import {
  formatSequenceNumber,
  parseSequenceNumber,
  shardIdOf,
  shardIndexOf,
} from "../../src/sequence/sequence-number.ts";
import { thrown } from "../core/suite/support.ts";

const DOCUMENTED = "49590338271490256608559692538361571095921575989136588898";
const parts = fc.record({
  createdSeconds: fc.integer({ min: 0, max: 2 ** 36 - 1 }),
  sequenceIndex: fc.maxSafeNat(),
  arrivalSeconds: fc.integer({ min: 0, max: 2 ** 36 - 1 }),
  shardIndex: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
});

describe("sequence numbers", () => {
  it("reads the one that AWS documents, and writes it again", () => {
    const parsed = parseSequenceNumber(DOCUMENTED);
    const day = (seconds: number): string => new Date(seconds * 1_000).toISOString().slice(0, 10);
    assert.equal(day(parsed.createdSeconds), "2018-11-21");
    assert.equal(parsed.sequenceIndex, 1_734_642_199);
    assert.equal(day(parsed.arrivalSeconds), "2018-12-17");
    assert.equal(parsed.shardIndex, 6);
    assert.equal(formatSequenceNumber(parsed), DOCUMENTED);
  });

  it("have 56 digits and come back as they went, whatever they consist of", () => {
    const property = fc.property(parts, (fields) => {
      const text = formatSequenceNumber(fields);
      assert.match(text, /^[0-9]{56}$/);
      assert.deepEqual(parseSequenceNumber(text), fields);
    });
    fc.assert(property);
  });

  it("sort inside a shard as text by creation, index and arrival", () => {
    const property = fc.property(parts, parts, (one, other) => {
      const a = { ...one, shardIndex: 3 };
      const b = { ...other, createdSeconds: one.createdSeconds, shardIndex: 3 };
      fc.pre(a.sequenceIndex !== b.sequenceIndex);
      const before = formatSequenceNumber(a) < formatSequenceNumber(b);
      assert.equal(before, a.sequenceIndex < b.sequenceIndex);
    });
    fc.assert(property);
  });

  it("write the end of a closed shard, whose index is the largest there is", () => {
    const text = formatSequenceNumber({
      createdSeconds: 1,
      sequenceIndex: 2n ** 63n - 1n,
      arrivalSeconds: 2,
      shardIndex: 3,
    });
    assert.equal(
      BigInt(text).toString(16),
      "2000000001" + "3" + "7fffffffffffffff" + "00" + "000000002" + "00000003" + "2",
    );
    assert.equal(parseSequenceNumber(text).sequenceIndex, 2 ** 63);
  });

  it("are refused when they are none, with the value", () => {
    const wrongNibble = (BigInt(DOCUMENTED) ^ (1n << 144n)).toString();
    const wrongVersion = (BigInt(DOCUMENTED) ^ 1n).toString();
    const negativeIndex = (BigInt(DOCUMENTED) | (1n << 143n)).toString();
    const longText = "9".repeat(1_000_000);
    const bad = [
      "",
      "0",
      "abc",
      "-1",
      `${DOCUMENTED}0`,
      DOCUMENTED.slice(1),
      " 5",
      "0x12",
      "LATEST",
    ];
    for (const text of [...bad, wrongNibble, wrongVersion, negativeIndex, longText]) {
      const error = thrown(InvalidArgumentError, () => parseSequenceNumber(text));
      assert.equal(error.argument, "sequenceNumber");
      assert.equal(error.value, text.slice(0, 80));
    }
  });

  it("are not written from parts that do not fit", () => {
    const good = { createdSeconds: 1, sequenceIndex: 1, arrivalSeconds: 1, shardIndex: 1 };
    const bad = [
      { createdSeconds: -1 },
      { createdSeconds: 2 ** 36 },
      { sequenceIndex: 1.5 },
      { sequenceIndex: 2n ** 63n },
      { arrivalSeconds: Number.NaN },
      { shardIndex: 2 ** 31 },
    ];
    for (const part of bad) {
      const error = thrown(InvalidArgumentError, () => formatSequenceNumber({ ...good, ...part }));
      assert.equal(error.argument, Object.keys(part)[0]);
    }
  });
});

describe("shard ids", () => {
  it("have at least twelve digits", () => {
    assert.equal(shardIdOf(0), "shardId-000000000000");
    assert.equal(shardIdOf(2 ** 31 - 1), "shardId-002147483647");
    thrown(InvalidArgumentError, () => shardIdOf(-1));
  });

  it("are read with any word in front, or none, and any number of zeros", () => {
    for (const id of [
      "shardId-000000000005",
      "shardId-5",
      "x-5",
      "-5",
      "5",
      "0000000000000000005",
    ]) {
      assert.equal(shardIndexOf(id), 5, id);
    }
  });

  it("are refused when there is no number or one too large", () => {
    for (const id of ["", "shardId-", "shardId", "5x", "a-b-5", "2147483648", "9".repeat(70)]) {
      assert.equal(thrown(InvalidArgumentError, () => shardIndexOf(id)).argument, "shardId", id);
    }
  });
});
