/** Writes the generated MD5 sources: `node engine/core/generate/md5.mjs`. */
import { writeFileSync } from "node:fs";
import { lanesSource, scalarSource } from "./md5-source.mjs";

writeFileSync(new URL("../assembly/hash/md5-block.ts", import.meta.url), scalarSource());
writeFileSync(new URL("../assembly/hash/md5-lanes.ts", import.meta.url), lanesSource());
