/** The core's MD5 and routing against Node's own implementation. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { assert } from "chai";
import fc from "fast-check";
import { coreFileName, supportsSimd } from "../../src/core/simd.ts";
import { newCore } from "./suite/build.ts";
import { addShards, append, uniformRanges, utf8 } from "./suite/support.ts";

const bytes = await readFile(new URL(`../../wasm/${coreFileName()}`, import.meta.url));
const build = { name: "release", module: await WebAssembly.compile(bytes) } as const;

describe("the core and node:crypto", () => {
  it("agree on the owner of every key", async () => {
    const core = await newCore(build, { shardSlotsMax: 500 });
    addShards(core, 500);
    const ranges = uniformRanges(500);
    const key = fc
      .string({ unit: "binary", minLength: 1, maxLength: 256 })
      .filter((text) => [...text].length <= 256);
    const property = fc.property(fc.array(key, { maxLength: 60 }), (keys) => {
      append(
        core,
        keys.map((one) => ({ key: one, data: utf8("") })),
      );
      for (const [i, one] of keys.entries()) {
        const hashKey = BigInt(`0x${createHash("md5").update(utf8(one)).digest("hex")}`);
        const owner = ranges.findIndex(({ end }) => hashKey <= end);
        assert.equal(core.appendRow(i).slot, owner);
      }
      core.rewind();
    });
    fc.assert(property, { numRuns: 200 });
  });
});

describe("the choice of a build", () => {
  it("takes the build with SIMD where a module with SIMD is valid", () => {
    assert.equal(supportsSimd(), WebAssembly.validate(bytes));
    assert.equal(coreFileName(), "core.wasm");
  });
});
