/** The generated MD5 sources are what their generator writes. */
import { readFile } from "node:fs/promises";
import { assert } from "chai";
import { lanesSource, scalarSource } from "../generate/md5-source.mjs";

const generated = new Map([
  ["md5-block.ts", scalarSource],
  ["md5-lanes.ts", lanesSource],
]);

describe("the generated sources of the core", () => {
  for (const [file, source] of generated) {
    it(`${file} is what the generator writes`, async () => {
      const path = new URL(`../assembly/hash/${file}`, import.meta.url);
      assert.equal(await readFile(path, "utf8"), source());
    });
  }
});
