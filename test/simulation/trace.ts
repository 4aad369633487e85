/** What happened in a simulation: a hash of all of it, and its last lines. */

const LINES_KEPT = 400;

/** Takes lines and hashes them; equal runs have equal hashes. */
export class Trace {
  readonly #print: ((line: string) => void) | undefined;
  readonly #lines: string[] = [];
  #low = 0x811c9dc5;
  #high = 0x01000193;
  #count = 0;

  /** With `print` every line is printed as it comes. */
  constructor(print?: (line: string) => void) {
    this.#print = print;
  }

  /** Two words of 32 bits over all lines, as hexadecimal digits, and the number of lines. */
  get hash(): string {
    const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");
    return `${hex(this.#high)}${hex(this.#low)}/${this.#count}`;
  }

  /** The newest lines, oldest first. */
  get tail(): readonly string[] {
    return this.#lines;
  }

  /** Adds a line: when (virtual ms), whose, what. */
  add(nowMs: number, name: string, what: string): void {
    const line = `${nowMs.toFixed(2)} ${name} ${what}`;
    this.#count += 1;
    for (let i = 0; i < line.length; i += 1) {
      const code = line.charCodeAt(i);
      this.#low = Math.imul(this.#low ^ code, 0x01000193);
      this.#high = Math.imul(this.#high ^ (code + (this.#low >>> 24)), 0x85ebca6b);
    }
    this.#lines.push(line);
    if (this.#lines.length > LINES_KEPT) this.#lines.splice(0, LINES_KEPT / 2);
    this.#print?.(line);
  }
}
