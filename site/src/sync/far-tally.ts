/** Counts at the far side what has arrived of this page's records: each one, in order, and none twice. */
import type { GroupWorker, ShardProcessor, Stream } from "millrace";
import { type NumberedPut, numberIn } from "./numbered-put.ts";

/** The group that counts. It goes on where it was, so that a page begins with what is new. */
const GROUP = "sync-tally";

/** What arrived. */
export interface Arrivals {
  /** Records of this page, each counted once. */
  readonly records: number;
  /** Records that were delivered a second time. */
  readonly twice: number;
  /** Records that came after a later one of the same key. */
  readonly disordered: number;
  /** Records that were stored a second time, which the group knew by their marks and left out. */
  readonly dropped: number;
}

/** See above. */
export class FarTally {
  readonly #run: string;
  readonly #seen = new Set<number>();
  /** The newest number of each key. */
  readonly #newest = new Map<string, number>();
  #twice = 0;
  #disordered = 0;
  #dropped = 0;
  #worker: GroupWorker | undefined;

  /** Of the records of one run of this page. */
  constructor(run: string) {
    this.#run = run;
  }

  /** What arrived so far. */
  get arrivals(): Arrivals {
    const [records, twice, disordered] = [this.#seen.size, this.#twice, this.#disordered];
    return { records, twice, disordered, dropped: this.#dropped };
  }

  /** Begins to count what comes into a stream from now on. */
  async start(there: Stream): Promise<void> {
    const group = await there.group(GROUP, { from: "LATEST" });
    this.#worker = group.start(() => this.#processor());
    this.#worker.on("repeats-dropped", ({ records }) => {
      this.#dropped += records;
    });
  }

  /** Ends it. */
  async stop(): Promise<void> {
    await this.#worker?.stop();
  }

  #processor(): ShardProcessor {
    const decoder = new TextDecoder();
    return {
      processRecords: ({ records }) => {
        for (const { partitionKey, data } of records) {
          const put = numberIn(decoder.decode(data));
          if (put?.run === this.#run) this.#count(partitionKey, put);
        }
      },
    };
  }

  #count(partitionKey: string, { number }: NumberedPut): void {
    if (this.#seen.has(number)) {
      this.#twice += 1;
      return;
    }
    this.#seen.add(number);
    const newest = this.#newest.get(partitionKey) ?? -1;
    if (number < newest) this.#disordered += 1;
    this.#newest.set(partitionKey, Math.max(newest, number));
  }
}
