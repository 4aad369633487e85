/** The work of the site's workers: they count records, and store the count with the checkpoint. */
import type { InitializeInput, ProcessInput, ShardProcessor } from "millrace";
import { type Counted, countedIn, countedWith, type GroupTally } from "./group-tally.ts";

/** Shortest time between two checkpoints of a shard, in ms: a commit for every few records would help nobody. */
const BATCH_MS_MIN = 250;

/** How a worker works, as the person set it. */
export interface WorkSettings {
  /** Time that a record takes, in ms. */
  readonly msPerRecord: number;
  /** Whether every delivery throws. */
  readonly throwing: boolean;
}

/** What a processor works with. */
export interface CountingParts {
  readonly shardId: string;
  readonly tally: GroupTally;
  /** The settings at this moment. */
  readonly settings: () => WorkSettings;
  /** Is told what had been counted before this worker. */
  readonly onBegin: (counted: Counted) => void;
  /** Is told of records that are checkpointed. */
  readonly onStored: (records: number) => void;
}

/** Resolves after a time, or when the signal is aborted. */
function rest(durationMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || durationMs <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, durationMs);
    signal.addEventListener("abort", wake);
  });
}

/** The processor of one lease. */
export class CountingProcessor implements ShardProcessor {
  readonly #parts: CountingParts;
  #counted: Counted = { records: 0, bytes: 0 };

  constructor(parts: CountingParts) {
    this.#parts = parts;
  }

  initialize({ shardId, state }: InitializeInput): void {
    this.#counted = countedIn(state);
    this.#parts.tally.begin(shardId, this.#counted);
    this.#parts.onBegin(this.#counted);
  }

  /** @throws Error when it is set to, and what the checkpoint throws. */
  async processRecords({ records, checkpointer, signal }: ProcessInput): Promise<void> {
    const { shardId, tally, settings, onStored } = this.#parts;
    const beganMs = performance.now();
    tally.deliver(shardId, records);
    if (settings().throwing) {
      tally.drop(shardId);
      throw new Error("this group's workers are set to throw at every batch");
    }
    await rest(records.length * settings().msPerRecord, signal);
    if (signal.aborted) {
      tally.drop(shardId);
      return;
    }
    const counted = countedWith(this.#counted, records);
    await checkpointer.checkpoint({ state: { ...counted } });
    this.#counted = counted;
    tally.store(shardId, counted, records.length, performance.now());
    onStored(records.length);
    await rest(BATCH_MS_MIN - (performance.now() - beganMs), signal);
  }
}
