/** What a run's workers do with a shard: copies or looks at records, takes its time, and throws now and then. */
import { type EngineClient, parseSequenceNumber, pause } from "@millrace/engine";
import type { InitializeInput, ProcessInput, ShardProcessor, UserRecord } from "millrace";
import type { SeededRandom } from "../../engine/host/src/platform/seeded-random.ts";
import { copyOf, type GroupHistory, OUTPUT_STREAM, type Tenure } from "./group-history.ts";
import type { GroupScript } from "./group-script.ts";
import { idOfData } from "./producer.ts";

/** One batch in so many is thrown at. */
const THROWS_ONE_IN = 20;

/** What a processor works with. */
export interface ProcessorParts {
  readonly history: GroupHistory;
  readonly random: SeededRandom;
  readonly clock: EngineClient["clock"];
  readonly script: GroupScript;
  /** Writes something into the trace. */
  readonly note: (what: string) => void;
}

/** See above. */
export class GroupProcessor implements ShardProcessor {
  readonly #parts: ProcessorParts;
  #tenure: Tenure;

  constructor(
    parts: ProcessorParts,
    owner: { readonly workerId: string; readonly shardId: string },
  ) {
    this.#parts = parts;
    this.#tenure = { ...owner, doneIndex: -1 };
  }

  initialize({ state }: InitializeInput): void {
    this.#tenure.doneIndex = typeof state["last"] === "number" ? state["last"] : -1;
  }

  async processRecords({ records, checkpointer }: ProcessInput): Promise<void> {
    const { history, random, clock, script, note } = this.#parts;
    const { workerId, shardId } = this.#tenure;
    note(`${workerId} gets ${records.map(({ data }) => idOfData(data))} of ${shardId}`);
    history.delivered(this.#tenure, records);
    await pause(clock, random.below(script.workMsMax));
    if (random.below(THROWS_ONE_IN) === 0) throw new Error("the processor fails");
    if (script.kind === "note") {
      history.processed(this.#tenure, records);
      return;
    }
    // Now and then a batch is two epochs, of which the first one may be all that is ever committed.
    const half = random.below(3) === 0 ? Math.ceil(records.length / 2) : records.length;
    for (const part of [records.slice(0, half), records.slice(half)]) {
      const at = part.at(-1);
      if (at === undefined) continue;
      const outputs = part.map((record) => ({
        ...{ streamName: OUTPUT_STREAM, partitionKey: record.partitionKey, data: copyOf(record) },
      }));
      await checkpointer.checkpoint({ at, outputs, state: { last: indexOf(at) } });
      history.processed(this.#tenure, part);
    }
  }
}

function indexOf({ sequenceNumber }: UserRecord): number {
  return parseSequenceNumber(sequenceNumber).sequenceIndex;
}
