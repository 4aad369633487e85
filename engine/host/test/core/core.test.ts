/** The suite of the core in Node, over each of its builds. */
import { readFile } from "node:fs/promises";
import { BUILD_PATHS, type CoreBuild } from "./suite/build.ts";
import { coreSuite } from "./suite/index.ts";

const root = new URL("../../../../", import.meta.url);

for (const name of ["debug", "release", "scalar"] as const satisfies CoreBuild["name"][]) {
  const bytes = await readFile(new URL(BUILD_PATHS[name], root));
  coreSuite({ name, module: await WebAssembly.compile(bytes) });
}
