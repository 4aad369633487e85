/** Tests that run one after the other, each with a remark about what it saw. */
import { failureText } from "../tools/failures.mjs";

const secondsSince = (startMs) => ((performance.now() - startMs) / 1000).toFixed(1);

/** Runs, prints and counts. */
export class Suite {
  passed = 0;
  failed = 0;

  /** `body` resolves with a remark about what it saw. */
  async test(name, body) {
    const start = performance.now();
    try {
      const remark = await body();
      this.passed += 1;
      process.stdout.write(`passed ${name} (${secondsSince(start)} s)\n  ${remark}\n`);
    } catch (error) {
      this.fail(`${name} (${secondsSince(start)} s)`, error);
    }
  }

  /** Counts and prints what failed outside a test. */
  fail(name, error) {
    this.failed += 1;
    process.stdout.write(failureText(name, error.stack ?? String(error)));
  }
}
