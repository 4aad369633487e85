/** What a page loads: bundling its entry must bring in nothing of the engine's own thread. */
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { assert } from "chai";
import { rolldown } from "rolldown";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Repository paths of all modules that a bundle of the entry contains. */
async function modulesOf(entry) {
  const bundle = await rolldown({
    input: join(root, entry),
    external: [/^node:/, "@millrace/engine/local"],
    platform: "browser",
    resolve: { conditionNames: ["@millrace/source", "browser", "import"] },
  });
  const { output } = await bundle.generate({ format: "esm" });
  await bundle.close();
  return output
    .flatMap((chunk) => Object.keys(chunk.modules ?? {}))
    .map((path) => relative(root, path));
}

const ENGINE_ONLY = /^engine\/host\/src\/(core|log|storage|streams|quotas|service)\/|\/idb\//;

describe("the page's bundle", () => {
  for (const entry of ["engine/host/src/index.ts", "sdk/src/index.ts"]) {
    it(`of ${entry} holds no code of the engine's thread`, async () => {
      const modules = await modulesOf(entry);
      assert.include(modules, entry);
      assert.deepEqual(
        modules.filter((path) => ENGINE_ONLY.test(path)),
        [],
      );
    });
  }

  it("would show that code if it were there", async () => {
    const modules = await modulesOf("engine/host/src/storage/indexeddb-store.ts");
    assert.isAbove(modules.filter((path) => ENGINE_ONLY.test(path)).length, 2);
  });
});
