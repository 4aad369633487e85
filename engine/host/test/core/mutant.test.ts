/** Temporary. */
import { readFile } from "node:fs/promises";
import { coreSuite } from "./suite/index.ts";
coreSuite({ name: "release", module: await WebAssembly.compile(await readFile(process.env["MUTANT"] ?? "")) });
