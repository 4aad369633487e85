/** Tests that run one after the other, each with a remark about what it saw. */

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
