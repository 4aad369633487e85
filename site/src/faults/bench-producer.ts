/**
 * Puts numbered records for as long as a run lasts, some at once on each lane, and notes what is
 * acknowledged. What the engine refuses is put again; what it leaves open ends the run.
 */
import { type PutRecordsResult, StoreFullError, type Stream } from "millrace";
import { type NumberedRecord, numberedRecord } from "./numbered-record.ts";
import type { Acknowledgements } from "./tally.ts";
import type { Trace } from "./trace.ts";
import { pause } from "./wait.ts";

/** Lanes with a partition key each; a lane puts, waits for the answer, rests and goes on. */
const LANES = 6;
const RECORDS_PER_PUT = 5;
/** Random bytes of a record, at most. */
const RANDOM_BYTES_MAX = 400;
/** Rest of a lane after an answer, in ms. */
const REST_MS = 20;
/** Rest of a lane after a refusal, in ms. */
const REFUSED_MS = 100;

/** Where a producer puts, and where it notes what came of it. */
export interface BenchProducerParts {
  readonly stream: Stream;
  readonly acknowledgements: Acknowledgements;
  readonly trace: Trace;
}

/** See above. */
export class BenchProducer {
  readonly #parts: BenchProducerParts;
  #stopping = false;
  #refusals = 0;
  #failure: unknown;
  #lanes: Promise<void> = Promise.resolve();

  constructor(parts: BenchProducerParts) {
    this.#parts = parts;
  }

  /** Puts that the engine refused for lack of room so far. */
  get refusals(): number {
    return this.#refusals;
  }

  /** What a put failed with, so that no more are made; undefined while all is well. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Begins to put. */
  start(): void {
    const lanes = Array.from({ length: LANES }, (_, lane) => this.#run(`lane-${lane}`));
    this.#lanes = Promise.all(lanes).then(() => undefined);
    // Whoever stops the producer is told, too.
    this.#lanes.catch((error: unknown) => {
      this.#failure = error;
      this.#stopping = true;
    });
  }

  /** Stops and waits for the answers under way. @throws what a put failed with. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#lanes;
  }

  async #run(lane: string): Promise<void> {
    for (let next = 0; !this.#stopping; ) {
      const records = Array.from({ length: RECORDS_PER_PUT }, (_, i) =>
        numberedRecord(lane, next + i, Math.ceil(Math.random() * RANDOM_BYTES_MAX)),
      );
      const taken = await this.#put(lane, next, records);
      next += taken;
      await pause(taken === records.length ? REST_MS : REFUSED_MS);
    }
  }

  /** Puts records and answers how many were taken: the rest of them was refused. */
  async #put(lane: string, first: number, records: readonly NumberedRecord[]): Promise<number> {
    let result: PutRecordsResult;
    try {
      result = await this.#parts.stream.putRecords(records);
    } catch (error) {
      if (!(error instanceof StoreFullError)) throw error;
      // Nothing of it was stored, so that it can be put again under the same numbers.
      this.#refusals += 1;
      return 0;
    }
    const { acknowledgements, trace } = this.#parts;
    let taken = 0;
    for (; taken < result.length; taken += 1) {
      const answer = result.get(taken);
      if ("errorCode" in answer) break;
      const { shardId, sequenceNumber } = answer;
      acknowledgements.take({ lane, number: first + taken, shardId, sequenceNumber });
    }
    if (taken > 0) trace.answered(taken);
    return taken;
  }
}
