/**
 * Faults that need a whole browser: `node test/faults/run.mjs [crash] [memory]`. The last line is
 * `N passed, N failed`.
 */
import { bundle } from "../harness/bundle.mjs";
import { closingLine } from "../tools/test-counts.mjs";
import { crashTests } from "./crash.mjs";
import { memoryTests } from "./memory.mjs";

/** Runs tests one after the other, prints each, and counts. */
class Suite {
  passed = 0;
  failed = 0;

  /** `body` resolves with a remark about what it saw. */
  async test(name, body) {
    const start = performance.now();
    try {
      const remark = await body();
      this.passed += 1;
      this.#print("passed", name, start, remark);
    } catch (error) {
      this.failed += 1;
      this.#print("FAILED", name, start, error.stack ?? String(error));
    }
  }

  #print(verdict, name, start, remark) {
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    process.stdout.write(`${verdict} ${name} (${seconds} s)\n  ${remark}\n`);
  }
}

const SUITES = {
  crash: { tests: crashTests, page: "test/faults/crash-page.ts" },
  memory: { tests: memoryTests, page: "test/faults/memory-page.ts" },
};

const wanted = process.argv.slice(2);
const suite = new Suite();
for (const [name, { tests, page }] of Object.entries(SUITES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  try {
    const entries = { page, worker: "engine/host/src/worker.ts" };
    await tests(suite, [await bundle(`faults-${name}`, entries)]);
  } catch (error) {
    suite.failed += 1;
    process.stdout.write(`FAILED ${name} could not be run\n  ${error.stack ?? error}\n`);
  }
}
process.stdout.write(`${closingLine(suite)}\n`);
process.exitCode = suite.failed === 0 ? 0 : 1;
