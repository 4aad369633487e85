/**
 * Consumes one lease from its beginning to its end, as the KCL's ShardConsumer does: initialize, then one
 * delivery at a time, and at last one of shardEnded, leaseLost and shutdownRequested.
 */
import {
  type LeaseCheckpoint,
  type OwnedLease,
  pause,
  ResourceNotFoundError,
  withSignal,
} from "@millrace/engine";
import type { ShardHashKeys } from "../aggregation/index.ts";
import {
  type FilteredShard,
  REPEATS_STATE_PREFIX,
  type RepeatFilter,
} from "../replication/repeat-filter.ts";
import type { AutomaticCheckpoints } from "./automatic-checkpoints.ts";
import { backOffMs } from "./back-off.ts";
import { Deliveries, type Delivery, positionOf, recordsAfter } from "./deliveries.ts";
import type { EpochCommitter } from "./epoch-committer.ts";
import { GapWatch } from "./gap-watch.ts";
import type { ShardProcessor, WorkerEvent } from "./group-types.ts";
import { comparePositions, type HeldLease, type RecordPosition } from "./held-lease.ts";
import { LeaseCheckpointer } from "./lease-checkpointer.ts";
import { type FetchedPart, ShardGoneError, type ShardSource } from "./shard-source.ts";
import type { WorkerSettings } from "./worker-settings.ts";
import type { WorkerSurroundings } from "./worker-surroundings.ts";

/** The consumer is to come to its end. */
const LEAVING = Symbol("leaving");
/** First pause before what must be done is tried again, in ms. */
const RETRY_MS = 200;

/** How a consumer ended: "stalled" means that a delivery did not end in time, and may be under way for ever. */
export type ConsumerEnd = "shard-ended" | "lease-lost" | "shut-down" | "stalled";

/** A shard that can be read. */
export interface OpenShard {
  readonly source: ShardSource;
  readonly shard: ShardHashKeys;
  /** Leaves out what was shipped here before; undefined where that is to be delivered, too. */
  readonly repeats?: RepeatFilter | undefined;
  /** The shards that came of it, once it is closed. @throws while they are not known. */
  readonly children?: () => Promise<readonly FilteredShard[]>;
}

/** What a consumer works with. */
export interface ConsumerParts {
  readonly client: WorkerSurroundings;
  readonly settings: WorkerSettings;
  readonly lease: HeldLease;
  /** Finds where the records come from, when it is time to begin. */
  readonly open: () => Promise<OpenShard>;
  readonly committer: EpochCommitter;
  readonly automatic: AutomaticCheckpoints;
  readonly factory: (lease: { readonly shardId: string }) => ShardProcessor;
  /** Puts away records that were given up; undefined where they are not. */
  readonly park:
    | ((delivery: Delivery, attempts: number, error: unknown) => Promise<void>)
    | undefined;
  readonly tell: (event: WorkerEvent) => void;
}

/** See above. */
export class ShardConsumer {
  readonly lease: HeldLease;
  /** Rejects only when the engine is gone, or with what is no error of a processor. */
  readonly ended: Promise<ConsumerEnd>;
  readonly #parts: ConsumerParts;
  readonly #leaving = new AbortController();
  #processor: ShardProcessor | undefined;
  /** The last record whose delivery went well. */
  #processed: RecordPosition | undefined;
  /** The delivery that did not end in time. */
  #stuck: Promise<void> | undefined;

  constructor(parts: ConsumerParts) {
    this.#parts = parts;
    this.lease = parts.lease;
    this.#processed = parts.lease.processed;
    parts.lease.signal.addEventListener("abort", () => this.requestShutdown(), { once: true });
    this.ended = this.#run();
  }

  /** Settles when nothing of the processor is under way any more. */
  get settled(): Promise<unknown> {
    return this.ended.then(() => this.#stuck).catch(() => undefined);
  }

  /** The processor is to finish the delivery under way, checkpoint and leave. */
  requestShutdown(): void {
    this.#leaving.abort(LEAVING);
  }

  async #run(): Promise<ConsumerEnd> {
    const { automatic } = this.#parts;
    let source: ShardSource | undefined;
    try {
      const open = await this.#open();
      ({ source } = open);
      // Whoever has the lease next may not have to wait for a delivery that is under way.
      this.lease.signal.addEventListener("abort", () => open.source.close(), { once: true });
      await this.#initialize();
      // A processor may finish a closed shard without its records.
      if (!this.lease.ended) await this.#process(open);
      await this.#endShard(open);
      return "shard-ended";
    } catch (error) {
      if (error !== LEAVING) throw error;
    } finally {
      source?.close();
      if (this.lease.lost || this.lease.ended) automatic.forget(this.lease);
    }
    if (this.#stuck !== undefined) return "stalled";
    if (!this.lease.lost) await this.#shutDown();
    if (!this.lease.lost) return "shut-down";
    await this.#loseLease();
    return "lease-lost";
  }

  async #open(): Promise<OpenShard> {
    let open: OpenShard | undefined;
    await this.#untilDone(async () => {
      open = await this.#wait(this.#parts.open());
    });
    if (open === undefined) throw LEAVING;
    return open;
  }

  async #initialize(): Promise<void> {
    const { factory, lease, committer } = this.#parts;
    const { shardId } = lease;
    const checkpointer = new LeaseCheckpointer(committer, lease, () => lease.checkpoint);
    const { signal: leaving } = this.#leaving;
    await this.#untilDone(async () => {
      const processor = factory({ shardId });
      // What an attempt before this one has committed is part of it.
      const state = processorState(lease.state);
      await processor.initialize?.({ shardId, state, checkpointer, leaving });
      this.#processor = processor;
    });
    lease.forgetState();
  }

  /** Delivers all records of the shard; returns at its end. */
  async #process({ source, shard, repeats }: OpenShard): Promise<void> {
    const { settings, tell, lease } = this.#parts;
    const { shardId } = lease;
    const onDropped = (sequenceNumber: string, records: number): void =>
      tell({ kind: "aggregate-dropped", shardId, sequenceNumber, records });
    const { batchRecordsMax: recordsMax, deaggregate } = settings;
    const onRepeats = (records: number): void =>
      tell({ kind: "repeats-dropped", shardId, records });
    const { indexOf } = lease;
    const rules = { shard, recordsMax, deaggregate, indexOf, onDropped, repeats, onRepeats };
    lease.companion = repeats;
    const deliveries = new Deliveries(rules, lease.processed);
    const gaps = new GapWatch(indexOf, lease.processed);
    for (let ahead = prefetch(source); ; ) {
      const fetched = await this.#fetch(ahead, gaps);
      const gap = gaps.look(fetched);
      if (gap !== undefined) {
        repeats?.forget();
        tell({ kind: "gap", shardId, ...gap });
      }
      const { shardClosed } = fetched.part;
      // The next part is read while this one is processed.
      if (!shardClosed) ahead = prefetch(source);
      try {
        for (const delivery of deliveries.of(fetched)) await this.#deliver(delivery);
      } finally {
        fetched.release();
      }
      if (shardClosed) return;
    }
  }

  /** A part that is read. Of a shard that is gone, the lease goes, too. */
  async #fetch(ahead: Promise<FetchedPart>, gaps: GapWatch): Promise<FetchedPart> {
    try {
      return await this.#wait(ahead);
    } catch (error) {
      const gone = error instanceof ShardGoneError || error instanceof ResourceNotFoundError;
      if (!gone || this.#parts.client.closed) throw error;
      if (error instanceof ShardGoneError) {
        this.#parts.tell({ kind: "gap", shardId: this.lease.shardId, ...gaps.gone() });
      }
      return await this.#wait(new Promise<never>(() => undefined));
    }
  }

  async #deliver(delivery: Delivery): Promise<void> {
    this.#leaving.signal.throwIfAborted();
    const { settings, lease, automatic } = this.#parts;
    const [first] = delivery.records;
    lease.deliveredFrom = first === undefined ? delivery.end : positionOf(first, lease.indexOf);
    lease.delivered = delivery.end;
    if (delivery.records.length > 0) await this.#processRecords(delivery);
    this.#processed = delivery.end;
    if (settings.checkpoints === "batch" && !lease.lost) automatic.note(lease, delivery.end);
  }

  /** Delivers until it goes well or the records are given up. */
  async #processRecords(delivery: Delivery): Promise<void> {
    const { settings, park } = this.#parts;
    const { attemptsMax, retryMs } = settings;
    for (let attempt = 1, rest = delivery; rest.records.length > 0; attempt++) {
      try {
        await this.#processOnce(rest);
        return;
      } catch (error) {
        if (error === LEAVING || this.lease.lost) throw LEAVING;
        const last = attempt >= attemptsMax;
        const pauseMs = last ? undefined : backOffMs(retryMs, attempt);
        this.#failed(attempt, error, pauseMs);
        if (pauseMs !== undefined) await this.#pause(pauseMs);
        else if (park === undefined) await this.#wait(new Promise<never>(() => undefined));
        else {
          await this.#park(park, this.#restOf(rest), attempt, error);
          return;
        }
        rest = this.#restOf(rest);
      }
    }
  }

  /** What the processor has not checkpointed; that it does not get again. */
  #restOf(delivery: Delivery): Delivery {
    const { processed, indexOf } = this.lease;
    return { ...delivery, records: recordsAfter(delivery.records, processed, indexOf) };
  }

  async #processOnce({ records, end, millisBehindLatest }: Delivery): Promise<void> {
    const { committer, lease, settings } = this.#parts;
    const checkpointer = new LeaseCheckpointer(committer, lease, () => end);
    const input = { records, checkpointer, millisBehindLatest, signal: lease.signal };
    const work = Promise.resolve().then(() => this.#processor?.processRecords(input));
    const { processMsMax } = settings;
    if (processMsMax === undefined) await work;
    else await this.#within(processMsMax, work);
  }

  /** Gives the lease up when a delivery does not end in time. */
  async #within(processMsMax: number, work: Promise<void>): Promise<void> {
    const { client, tell } = this.#parts;
    const begunMs = client.clock.monotonicMs();
    let cancel: () => void = () => undefined;
    const late = new Promise<"late">((resolve) => {
      cancel = client.clock.after(processMsMax, () => resolve("late"));
    });
    const first = await Promise.race([work, late]).finally(() => cancel());
    if (first !== "late") return;
    // Its end is awaited by nobody but the processor, which is not called before.
    this.#stuck = work.catch(() => undefined).then(() => this.#loseLease());
    const elapsedMs = client.clock.monotonicMs() - begunMs;
    tell({ kind: "stalled", shardId: this.lease.shardId, elapsedMs });
    this.lease.lose();
    throw LEAVING;
  }

  async #park(
    park: NonNullable<ConsumerParts["park"]>,
    delivery: Delivery,
    attempts: number,
    error: unknown,
  ): Promise<void> {
    const { tell } = this.#parts;
    // What fails in between is tried again with what is left.
    await this.#untilDone(() => park(this.#restOf(delivery), attempts, error), attempts);
    const { shardId } = this.lease;
    tell({ kind: "dead-letter", shardId, records: delivery.records.length, error });
  }

  /** All records were delivered: the processor is told, and the shard's end checkpointed. */
  async #endShard({ repeats, children }: OpenShard): Promise<void> {
    const { committer, lease, automatic, tell } = this.#parts;
    const checkpoint: LeaseCheckpoint = { at: "SHARD_END" };
    const checkpointer = new LeaseCheckpointer(committer, lease, () => checkpoint);
    await this.#untilDone(async () => {
      if (repeats?.empty === false) repeats.children = (await children?.()) ?? [];
      await this.#processor?.shardEnded?.({ checkpointer });
      automatic.forget(lease);
      if (!lease.ended) await committer.commit({ lease, checkpoint }, {});
    });
    tell({ kind: "shard-ended", shardId: lease.shardId });
  }

  /** The processor's last moment with the lease. What fails here is told, and the lease is left all the same. */
  async #shutDown(): Promise<void> {
    const { committer, lease, automatic } = this.#parts;
    const standing = (): LeaseCheckpoint => {
      const [noted, checkpointed] = [this.#processed, lease.processed];
      if (noted === undefined || checkpointed === undefined) return noted ?? lease.checkpoint;
      return comparePositions(noted, checkpointed) > 0 ? noted : checkpointed;
    };
    const checkpointer = new LeaseCheckpointer(committer, lease, standing);
    try {
      await this.#processor?.shutdownRequested?.({ checkpointer });
    } catch (error) {
      if (!lease.lost) this.#failed(1, error, undefined);
    }
    try {
      await automatic.settle(lease);
    } catch (error) {
      if (!lease.lost) this.#failed(1, error, undefined);
    }
  }

  async #loseLease(): Promise<void> {
    try {
      await this.#processor?.leaseLost?.();
    } catch (error) {
      this.#failed(1, error, undefined);
    }
  }

  /** Does what must be done, again after a pause when it fails. @throws LEAVING. */
  async #untilDone(work: () => Promise<void>, failuresBefore = 0): Promise<void> {
    for (let attempt = failuresBefore + 1; ; attempt++) {
      this.#leaving.signal.throwIfAborted();
      try {
        await work();
        return;
      } catch (error) {
        if (error === LEAVING || this.lease.lost) throw LEAVING;
        if (this.#parts.client.closed) throw error;
        const retryMs = backOffMs(Math.max(RETRY_MS, this.#parts.settings.retryMs), attempt);
        this.#failed(attempt, error, retryMs);
        await this.#pause(retryMs);
      }
    }
  }

  #failed(attempt: number, error: unknown, retryMs: number | undefined): void {
    const { shardId } = this.lease;
    this.#parts.tell({ kind: "processing-failed", shardId, attempt, error, retryMs });
  }

  async #wait<Value>(promise: Promise<Value>): Promise<Value> {
    return await withSignal(this.#leaving.signal, promise);
  }

  async #pause(ms: number): Promise<void> {
    await pause(this.#parts.client.clock, ms, this.#leaving.signal);
  }
}

/** The state of a lease without what is not the processor's. */
function processorState(state: OwnedLease["state"]): OwnedLease["state"] {
  const own = Object.entries(state).filter(([key]) => !key.startsWith(REPEATS_STATE_PREFIX));
  return Object.fromEntries(own);
}

/** Reads on; whoever awaits it later hears of a failure. */
function prefetch(source: ShardSource): Promise<FetchedPart> {
  const ahead = source.next();
  ahead.catch(() => undefined);
  return ahead;
}
