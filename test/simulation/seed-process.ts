/** A process that runs seeds: takes ranges from its parent, and answers with what it found. */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { runSeed, type SeedReport } from "./run-seed.ts";

/** From the parent: run these seeds. */
export interface SeedOrder {
  readonly seeds: readonly number[];
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
        const report = await runSeed(seed, module, order.trace ? print : undefined);
        send(report);
        if (order.untilFailure && report.violations.length > 0) break;
      }
    })();
  });
  process.send?.("ready");
}

await main();
