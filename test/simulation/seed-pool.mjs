/** Runs seeds in several processes. */
import { fork } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "../harness/bundle.mjs";

const WASM = join(ROOT, "engine/host/wasm/core.wasm");
/** Seeds that a process is given at a time. */
const CHUNK = 10;

/**
 * Runs seeds and calls `onReport` with what came of each. With `untilFailure` no further seeds are begun
 * after the first that failed. A process that dies fails the run.
 */
export async function runSeeds(options, onReport) {
  const { script, processes, seeds, grouped = false } = options;
  const { trace = false, untilFailure = false } = options;
  const left = [...seeds];
  const children = Array.from({ length: Math.min(processes, seeds.length) }, () =>
    work({ script, grouped, trace, untilFailure }, left, onReport),
  );
  await Promise.all(children);
}

/** One process: chunk after chunk, as long as there are seeds. */
function work({ script, grouped, trace, untilFailure }, left, onReport) {
  return new Promise((resolve, reject) => {
    const child = fork(script, [WASM], {
      execArgv: ["--enable-source-maps"],
      serialization: "advanced",
    });
    let expected = 0;
    let current;
    const next = () => {
      const seeds = left.splice(0, CHUNK);
      current = seeds[0];
      if (seeds.length === 0) {
        child.disconnect();
        resolve();
        return;
      }
      expected = seeds.length;
      child.send({ seeds, grouped, trace, untilFailure });
    };
    child.on("message", (message) => {
      if (message === "ready") {
        next();
        return;
      }
      onReport(message);
      expected -= 1;
      current = message.seed + 1;
      if (untilFailure && message.violations.length > 0) {
        left.length = 0;
        expected = 0;
      }
      if (expected === 0) next();
    });
    child.on("exit", (code) => {
      if (code !== 0)
        reject(new Error(`a process of the simulation ended (${code}) near seed ${current}`));
    });
    child.on("error", reject);
  });
}
