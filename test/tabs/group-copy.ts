/** A worker of a consumer group that copies a stream into another one, one epoch for each batch. */
import type { GroupWorker, Millrace, ProcessInput } from "millrace";

/** What the worker does. */
export interface GroupSettings {
  readonly group: string;
  readonly stream: string;
  readonly output: string;
  readonly workerId: string;
  /** Time that a batch takes before it is committed, in ms. */
  readonly workMs: number;
  readonly batchRecordsMax: number;
}

/** Where the worker is. */
export interface GroupReport {
  /** Ids of the shards whose leases it holds. */
  readonly leases: readonly string[];
  /** Records that it has committed. */
  readonly records: number;
  /** Deliveries that are neither committed nor failed. */
  readonly underWay: number;
  /** When it last committed records of each shard, in ms since the Unix epoch. */
  readonly committedMs: Readonly<Record<string, number>>;
  /** Longest time between two commits, in ms. */
  readonly gapMs: number;
  /** Reads and deliveries that failed and were made again. */
  readonly failures: number;
  /** What it was ended by; it should not end. */
  readonly problems: readonly string[];
}

/** See above. */
export class GroupCopy {
  readonly #settings: GroupSettings;
  readonly #worker: GroupWorker;
  readonly #committedMs: Record<string, number> = {};
  readonly #problems: string[] = [];
  #records = 0;
  #failures = 0;
  #underWay = 0;
  #gapMs = 0;
  #lastMs: number | undefined;

  private constructor(
    settings: GroupSettings,
    start: (process: (input: ProcessInput, shardId: string) => Promise<void>) => GroupWorker,
  ) {
    this.#settings = settings;
    this.#worker = start((input, shardId) => this.#process(input, shardId));
    this.#worker.on("processing-failed", () => {
      this.#failures += 1;
    });
    this.#worker.finished.then(
      () => this.#problems.push("it stopped"),
      (error: unknown) => this.#problems.push(String(error)),
    );
  }

  /** Joins the group, which is created when it is not there. */
  static async start(millrace: Millrace, settings: GroupSettings): Promise<GroupCopy> {
    const { group: name, stream: streamName, workerId, batchRecordsMax } = settings;
    const stream = await millrace.streams.get(streamName);
    const group = await stream.group(name, { from: "TRIM_HORIZON" });
    const options = { workerId, batchRecordsMax, checkpoints: "manual" } as const;
    return new GroupCopy(settings, (process) =>
      group.start(
        ({ shardId }) => ({ processRecords: (input) => process(input, shardId) }),
        options,
      ),
    );
  }

  report(): GroupReport {
    return {
      ...{ leases: this.#worker.leases, records: this.#records, underWay: this.#underWay },
      ...{ committedMs: this.#committedMs, gapMs: this.#gapMs },
      ...{ failures: this.#failures, problems: this.#problems },
    };
  }

  async #process({ records, checkpointer }: ProcessInput, shardId: string): Promise<void> {
    const { output: streamName, workMs } = this.#settings;
    this.#underWay += 1;
    try {
      if (workMs > 0) await new Promise((resolve) => setTimeout(resolve, workMs));
      const outputs = records.map(({ partitionKey, data }) => ({ streamName, partitionKey, data }));
      await checkpointer.checkpoint({ outputs });
    } finally {
      this.#underWay -= 1;
    }
    this.#records += records.length;
    this.#committedMs[shardId] = Date.now();
    const nowMs = performance.now();
    if (this.#lastMs !== undefined) this.#gapMs = Math.max(this.#gapMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
  }
}
