/** A trigger's part in one shard: takes what is read, filters it, and hands it over in as many lanes as asked. */
import {
  type EngineClient,
  InternalFailureError,
  pause,
  type StreamDescription,
  withSignal,
} from "@millrace/engine";
import { hashKeyOf } from "../aggregation/hash-key.ts";
import { backOffMs } from "../groups/back-off.ts";
import type { InitializeInput, ProcessInput, ShardProcessor } from "../groups/group-types.ts";
import { BatchLane } from "./batch-lane.ts";
import { BatchRunner } from "./batch-runner.ts";
import { type EventMaker, eventBytes } from "./lambda-event.ts";
import { type PendingRecord, ShardProgress } from "./shard-progress.ts";
import type { TriggerSettings } from "./trigger-settings.ts";
import type { LambdaHandler, TriggerEvent } from "./trigger-types.ts";
import { TumblingWindow } from "./tumbling-window.ts";

/** Records of one shard that wait or are under way, besides those of the last delivery, at least. */
const HELD_RECORDS_MIN = 1000;
/** The same as bytes of events: 16 MiB. */
const HELD_BYTES_MAX = 16_777_216;
/** How often a shard without records looks whether its window is over, in ms. */
const IDLE_MS = 500;
/** Records that arrived within a window may become readable so long after it, in ms. */
const LATE_MS = 1000;
/** First pause before the engine is asked again, in ms. */
const RETRY_MS = 200;

/** What all shards of a trigger share. */
export interface ShardTriggerParts {
  readonly client: EngineClient;
  readonly stream: StreamDescription;
  readonly settings: TriggerSettings;
  readonly handler: LambdaHandler;
  readonly events: EventMaker;
  readonly tell: (event: TriggerEvent) => void;
  /** Records were left out by the filter. */
  readonly onFiltered: (count: number) => void;
}

/** A shard at work. */
interface Work {
  readonly lanes: readonly BatchLane[];
  readonly progress: ShardProgress;
  readonly runner: BatchRunner;
  readonly window: TumblingWindow | undefined;
  readonly leaving: AbortSignal;
  readonly now: () => Promise<number>;
  /** Whether nothing of the shard is left to read or to do. */
  readonly isDone: () => Promise<boolean>;
  /** Resolves when no lane hands anything over any more. */
  readonly finished: Promise<readonly PromiseSettledResult<void>[]>;
}

/** See above. */
export class ShardTrigger implements ShardProcessor {
  readonly #parts: ShardTriggerParts;
  #work: Work | undefined;
  /** Whether the newest record of the shard was read. */
  #caughtUp = false;
  /** Whether any record came. */
  #delivered = false;

  constructor(parts: ShardTriggerParts) {
    this.#parts = parts;
  }

  initialize({ shardId, state, checkpointer, leaving }: InitializeInput): void {
    const { client, settings, tell } = this.#parts;
    const onFailure = (error: unknown): void => tell({ kind: "checkpoint-failed", shardId, error });
    const progress = new ShardProgress({ client, checkpointer, leaving, onFailure });
    const { windowMs, batchSize, batchWindowMs, parallelizationFactor } = settings;
    const window = windowMs === 0 ? undefined : new TumblingWindow(windowMs, state);
    const together = window?.together ?? (() => true);
    const idleMs = window === undefined ? undefined : IDLE_MS;
    const rules = { client, leaving, batchSize, batchWindowMs, idleMs, together };
    const lanes = Array.from({ length: parallelizationFactor }, () => new BatchLane(rules));
    const now = (): Promise<number> => engineTime(client, leaving);
    const runner = new BatchRunner({ ...this.#parts, shardId, leaving, now, progress, window });
    const isDone = (): Promise<boolean> => hasNoLag(client, settings.name, shardId);
    const work = { lanes, progress, runner, window, leaving, now, isDone };
    const finished = Promise.allSettled(lanes.map((lane) => this.#run(lane, work)));
    this.#work = { ...work, finished };
  }

  async processRecords({ records, millisBehindLatest }: ProcessInput): Promise<void> {
    const { settings, onFiltered } = this.#parts;
    const { lanes, progress, leaving } = this.#require();
    this.#delivered = true;
    this.#caughtUp = millisBehindLatest === 0;
    const filtered: PendingRecord[] = [];
    for (const record of records) {
      const entry = progress.add(record, eventBytes(record));
      if (!settings.takes(record)) filtered.push(entry);
      else lanes[laneOf(record.partitionKey, lanes.length)]?.push(entry);
    }
    if (filtered.length > 0) {
      onFiltered(filtered.length);
      progress.finish(filtered);
    }
    const { batchSize } = settings;
    const recordsMax = Math.max(HELD_RECORDS_MIN, 2 * batchSize * lanes.length);
    while (!leaving.aborted && (progress.size > recordsMax || progress.bytes > HELD_BYTES_MAX)) {
      await withSignal(leaving, progress.change()).catch(() => undefined);
    }
  }

  async shardEnded({
    checkpointer,
  }: Parameters<NonNullable<ShardProcessor["shardEnded"]>>[0]): Promise<void> {
    const { lanes, progress, window, finished, leaving } = this.#require();
    for (const lane of lanes) lane.end();
    const ends = await finished;
    await progress.settle();
    leaving.throwIfAborted();
    // What is not done with must not be left behind by the shard's end.
    if (progress.size > 0) throw undone(progress.size, ends);
    if (window !== undefined) await checkpointer.checkpoint({ state: window.forget() });
  }

  async shutdownRequested(): Promise<void> {
    const { finished, progress } = this.#require();
    await finished;
    await progress.settle();
  }

  /** Hands over a lane's batches, one at a time, to its end. @throws the reason for leaving. */
  async #run(lane: BatchLane, work: Omit<Work, "finished">): Promise<void> {
    const { runner, window } = work;
    for (let batch = await lane.next(); batch !== undefined; batch = await lane.next()) {
      const [first] = batch;
      if (window !== undefined && (await this.#isOver(work, window, first))) {
        await runner.closeWindow();
      }
      if (first === undefined) continue;
      window?.enter(first);
      await runner.run(batch);
    }
    // The children of the shard begin windows of their own.
    if (window?.endMs !== undefined) await runner.closeWindow();
  }

  /** Whether the open window gets no record any more. */
  async #isOver(
    { now, isDone }: Pick<Work, "now" | "isDone">,
    window: TumblingWindow,
    next: PendingRecord | undefined,
  ): Promise<boolean> {
    if (next !== undefined) return window.isPast(next);
    const { endMs } = window;
    if (endMs === undefined || (await now()) < endMs + LATE_MS) return false;
    // A window that was open before the worker began may have got all of its records by then.
    if (this.#caughtUp || this.#delivered) return this.#caughtUp;
    return (await isDone()) && !this.#delivered;
  }

  #require(): Work {
    if (this.#work === undefined) throw new Error("a processor is initialized first");
    return this.#work;
  }
}

/** Asks the engine until it answers, as over a change of the leader. @throws the reason for leaving. */
async function engineTime(client: EngineClient, leaving: AbortSignal): Promise<number> {
  for (let failures = 1; ; failures++) {
    leaving.throwIfAborted();
    try {
      return await client.call("now", {});
    } catch (error) {
      if (client.closed) throw error;
      await pause(client.clock, backOffMs(RETRY_MS, failures), leaving);
    }
  }
}

/** Whether all records of a shard are checkpointed; false as well when that is not to be learned now. */
async function hasNoLag(client: EngineClient, name: string, shardId: string): Promise<boolean> {
  try {
    const { leases } = await client.call("groupsDescribe", { name });
    return leases.some((lease) => lease.shardId === shardId && lease.lagRecords === 0);
  } catch {
    return false;
  }
}

function undone(
  records: number,
  ends: readonly PromiseSettledResult<void>[],
): InternalFailureError {
  const failed = ends.find((end) => end.status === "rejected");
  const message = `the shard has ended, and ${records} of its records are not done with`;
  return new InternalFailureError(message, { value: records, cause: failed?.reason });
}

/** Records of one partition key are always in the same lane. */
function laneOf(partitionKey: string, lanes: number): number {
  return lanes === 1 ? 0 : hashKeyOf(partitionKey)[3] % lanes;
}
