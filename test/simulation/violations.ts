/** What a checker found. */

/** A promise of the engine that a simulation saw broken. */
export class Violation extends Error {
  /** Which checker found it. */
  readonly checker: string;

  constructor(checker: string, message: string) {
    super(`${checker}: ${message}`);
    this.name = "Violation";
    this.checker = checker;
  }
}

/** Collects violations; the first few of a run tell enough. */
export class Verdict {
  readonly violations: Violation[] = [];

  /** Notes a violation. */
  report(checker: string, message: string): void {
    if (this.violations.length < 20) this.violations.push(new Violation(checker, message));
  }

  /** Whether anything was found. */
  get failed(): boolean {
    return this.violations.length > 0;
  }
}
