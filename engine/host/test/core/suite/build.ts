/** Which build of the core a suite runs on. */
import { Core } from "../../../src/core/core.ts";
import type { CoreOptions } from "../../../src/core/core-types.ts";

/** One build of the core, loaded once for all suites. */
export interface CoreBuild {
  readonly name: "debug" | "release" | "scalar";
  readonly module: WebAssembly.Module;
}

/** Path of each build from the root of the repository. */
export const BUILD_PATHS: Readonly<Record<CoreBuild["name"], string>> = {
  debug: "engine/core/build/core.debug.wasm",
  release: "engine/host/wasm/core.wasm",
  scalar: "engine/host/wasm/core.scalar.wasm",
};

/** 16 slots, 2 routes, 32 MiB. */
export const SMALL_OPTIONS: CoreOptions = {
  shardSlotsMax: 16,
  routesMax: 2,
  arenaBytesMax: 32 * 1_048_576,
};

/** A new core of a build. */
export async function newCore(build: CoreBuild, options: Partial<CoreOptions> = {}): Promise<Core> {
  return await Core.instantiate(build.module, { ...SMALL_OPTIONS, ...options });
}
