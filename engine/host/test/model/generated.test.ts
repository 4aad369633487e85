/** The generated shapes are those of the client and the constraints that lie beside the generator. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { assert } from "chai";

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

describe("kinesis-shapes.generated.ts", () => {
  it("is what its generator writes", () => {
    const generator = pathOf("../../model/generate.mjs");
    const printed = execFileSync(process.execPath, [generator, "--print"], { encoding: "utf8" });
    const committed = readFileSync(pathOf("../../src/model/kinesis-shapes.generated.ts"), "utf8");
    // Compared in full, but without a difference of megabytes in the report.
    assert.isTrue(printed === committed, "run engine/host/model/generate.mjs");
  });
});
