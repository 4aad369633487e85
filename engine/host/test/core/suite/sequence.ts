/** Sequence numbers: the core's words, the TypeScript text, and numbers that AWS documents. */
import { assert } from "chai";
import fc from "fast-check";
import { CoreInstance } from "../../../src/core/core-instance.ts";
import {
  formatSequenceNumber,
  parseSequenceNumber,
  type SequenceNumberParts,
} from "../../../src/sequence/sequence-number.ts";
import type { CoreBuild } from "./build.ts";

const parts = fc.record({
  createdSeconds: fc.integer({ min: 0, max: 2 ** 36 - 1 }),
  sequenceIndex: fc.maxSafeNat(),
  arrivalSeconds: fc.integer({ min: 0, max: 2 ** 36 - 1 }),
  shardIndex: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
});

function packed(core: CoreInstance, fields: SequenceNumberParts): bigint {
  const { createdSeconds, sequenceIndex, arrivalSeconds, shardIndex } = fields;
  core.exports.packSequence(createdSeconds, sequenceIndex, arrivalSeconds, shardIndex);
  const words = [0, 8, 16].map((at) => core.view.getBigUint64(core.scratchBytes + at, true));
  return words.reduceRight((number, word) => (number << 64n) | word, 0n);
}

function unpacked(core: CoreInstance, number: bigint): SequenceNumberParts | undefined {
  for (const [i, at] of [0, 8, 16].entries()) {
    const word = BigInt.asUintN(64, number >> BigInt(64 * i));
    core.view.setBigUint64(core.scratchBytes + at, word, true);
  }
  if (core.exports.unpackSequence() === 0) return undefined;
  return {
    createdSeconds: core.field(0),
    sequenceIndex: core.field(1),
    arrivalSeconds: core.field(2),
    shardIndex: core.field(3),
  };
}

/** The suite. */
export function sequenceSuite(build: CoreBuild): void {
  describe(`sequence numbers of the ${build.name} core`, () => {
    it("packs and unpacks the number that AWS documents", async () => {
      const core = await CoreInstance.instantiate(build.module);
      const text = "49590338271490256608559692538361571095921575989136588898";
      const fields = parseSequenceNumber(text);
      assert.equal(packed(core, fields), BigInt(text));
      assert.deepEqual(unpacked(core, BigInt(text)), fields);
    });

    it("agrees with the formatter and the parser on any parts", async () => {
      const core = await CoreInstance.instantiate(build.module);
      const property = fc.property(parts, (fields) => {
        const text = formatSequenceNumber(fields);
        assert.equal(packed(core, fields), BigInt(text));
        assert.deepEqual(unpacked(core, BigInt(text)), fields);
      });
      fc.assert(property, { numRuns: 300 });
    });

    it("refuses words that are no sequence number", async () => {
      const core = await CoreInstance.instantiate(build.module);
      const good = BigInt("49590338271490256608559692538361571095921575989136588898");
      for (const bit of [0n, 4n, 72n, 144n, 184n]) {
        assert.isUndefined(unpacked(core, good ^ (1n << bit)), `bit ${bit}`);
      }
    });
  });
}
