/** The suite of the core in a browser, over each of its builds. */
import { assert } from "chai";
import { coreFileName, supportsSimd } from "../../../engine/host/src/core/simd.ts";
import { BUILD_PATHS, type CoreBuild } from "../../../engine/host/test/core/suite/build.ts";
import { coreSuite } from "../../../engine/host/test/core/suite/index.ts";

const root = new URL("../../../", import.meta.url);

for (const name of ["debug", "release", "scalar"] as const satisfies CoreBuild["name"][]) {
  const module = await WebAssembly.compileStreaming(fetch(new URL(BUILD_PATHS[name], root)));
  coreSuite({ name, module });
}

describe("the choice of a build", () => {
  it("takes the build with SIMD where there is SIMD", () => {
    assert.isTrue(supportsSimd());
    assert.equal(coreFileName(), "core.wasm");
  });
});
