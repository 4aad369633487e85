/** What a run of faults came to, a row for each: printed at its end, and written down when that is asked for. */
import { writeFileSync } from "node:fs";

const HEADINGS = ["fault", "where", "times", "acknowledged", "lost", "reported", "longest outage"];

/** Rows of what happened to the data. */
export class FaultTable {
  #rows = [];

  /**
   * Adds a row. `lost` and `reported` are numbers of records, or a few words; `outageMs` is the longest time
   * without an acknowledgement or an answer, and left out where nobody was waiting.
   */
  add({ fault, where, times, acknowledged, lost, reported, outageMs }) {
    const outage = outageMs === undefined ? "-" : `${Math.round(outageMs).toLocaleString("en")} ms`;
    const count = (value) => (typeof value === "number" ? value.toLocaleString("en") : value);
    this.#rows.push([fault, where, times, acknowledged, lost, reported, outage].map(count));
  }

  /** The table in Markdown; empty without rows. */
  toString() {
    if (this.#rows.length === 0) return "";
    const line = (cells) => `| ${cells.join(" | ")} |`;
    return [HEADINGS, HEADINGS.map(() => "---"), ...this.#rows].map(line).join("\n");
  }

  /** Prints the table, and writes it to `file` when one is given. */
  close(file) {
    if (this.#rows.length === 0) return;
    process.stdout.write(`\n${this}\n\n`);
    if (file !== undefined) writeFileSync(file, `${this}\n`);
  }
}
