/** Cores of the real module. */
import { readFile } from "node:fs/promises";
import { Core } from "../../src/core/core.ts";

let compiled: Promise<WebAssembly.Module> | undefined;

export function coreModule(): Promise<WebAssembly.Module> {
  compiled ??= readFile(new URL("../../wasm/core.wasm", import.meta.url)).then((bytes) =>
    WebAssembly.compile(bytes),
  );
  return compiled;
}

export async function newCore(arenaBytesMax = 64 * 1024 * 1024): Promise<Core> {
  return await Core.instantiate(await coreModule(), {
    shardSlotsMax: 64,
    routesMax: 16,
    arenaBytesMax,
  });
}
