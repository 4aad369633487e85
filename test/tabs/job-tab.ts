/** What a tab does in the runs with jobs: defines the copying job, puts numbers, looks at the copies. */
import type { Millrace } from "millrace";

const INPUT = "numbers";
const OUTPUT = "copies";
const KEYS = 16;

/** What became of the copies. */
export interface CopyReport {
  readonly records: number;
  readonly distinct: number;
  /** Longest time between two copies, in ms. */
  readonly gapMs: number;
}

/** Puts numbers until it is told to stop. */
export class NumberProducer {
  readonly #millrace: Millrace;
  #acknowledged = 0;
  #running: Promise<void> | undefined;
  #over = false;

  constructor(millrace: Millrace) {
    this.#millrace = millrace;
  }

  /** Makes the streams and the job, and begins. */
  async start(everyMs: number): Promise<void> {
    await this.#millrace.streams.ensure(INPUT, { shards: 4 });
    await this.#millrace.streams.ensure(OUTPUT);
    await this.#millrace.jobs.define("copies", {
      module: "/copy-job.js",
      export: "copy",
      settings: OUTPUT,
      group: { streamName: INPUT, options: { from: "TRIM_HORIZON", failoverMs: 60_000 } },
    });
    this.#running = this.#run(everyMs);
  }

  /** How many were acknowledged. */
  async stop(): Promise<number> {
    this.#over = true;
    await this.#running;
    return this.#acknowledged;
  }

  async #run(everyMs: number): Promise<void> {
    const stream = await this.#millrace.streams.get(INPUT);
    for (let number = 0; !this.#over; number += 1) {
      const data = JSON.stringify({ number, random: crypto.randomUUID() });
      await stream.putRecord({ partitionKey: `key-${number % KEYS}`, data });
      this.#acknowledged += 1;
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }
}

/** Reads all copies. */
export async function reportCopies(millrace: Millrace): Promise<CopyReport> {
  const stream = await millrace.streams.get(OUTPUT);
  const texts = new Set<string>();
  let [records, gapMs, lastMs] = [0, 0, 0];
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    if (records > 0) gapMs = Math.max(gapMs, record.arrivalMs - lastMs);
    lastMs = record.arrivalMs;
    records += 1;
    texts.add(record.text());
  }
  return { records, distinct: texts.size, gapMs };
}
