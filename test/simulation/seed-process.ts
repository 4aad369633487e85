/** A process that runs seeds: takes ranges from its parent, and answers with what it found. */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { SeededRandom } from "../../engine/host/src/platform/seeded-random.ts";
import { runSeed, type SeedReport } from "./run-seed.ts";

/** From the parent: run these seeds. */
export interface SeedOrder {
  readonly seeds: readonly number[];
  /** Give all of them a consumer group. */
  readonly grouped: boolean;
  /** Print the trace. */
  readonly trace: boolean;
  /** Stop at the first violation. */
  readonly untilFailure: boolean;
}

/** Product code may not wait for the machine that runs the simulation, nor look at its clock. */
function forbidTheRealMachine(): void {
  const forbid = (name: string) => (): never => {
    throw new Error(`${name} was used in a simulation`);
  };
  Date.now = forbid("Date.now");
  Math.random = forbid("Math.random");
  // Compiled modules can be instantiated at once, so that no other thread decides when it is done.
  Object.assign(WebAssembly, {
    instantiate: async (module: WebAssembly.Module, imports: WebAssembly.Imports) =>
      new WebAssembly.Instance(module, imports),
  });
}

/** What pages draw from the machine's randomness, they draw from a seed. */
function seedRandomness(seed: number): void {
  const random = new SeededRandom(seed);
  const getRandomValues = (bytes: Uint8Array): Uint8Array => random.fill(bytes);
  Object.defineProperty(crypto, "getRandomValues", { value: getRandomValues, configurable: true });
}

async function main(): Promise<void> {
  const [wasmPath = ""] = process.argv.slice(2);
  const module = await WebAssembly.compile(await readFile(wasmPath));
  forbidTheRealMachine();
  const send = (report: SeedReport): void => {
    process.send?.(report);
  };
  process.on("message", (order: SeedOrder) => {
    void (async () => {
      for (const seed of order.seeds) {
        const print = (line: string): boolean => process.stdout.write(`${line}\n`);
        seedRandomness(seed);
        const { grouped, trace } = order;
        const report = await runSeed(seed, module, { grouped, print: trace ? print : undefined });
        send(report);
        if (order.untilFailure && report.violations.length > 0) break;
      }
    })();
  });
  process.send?.("ready");
}

await main();
