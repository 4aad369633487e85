/** One worker of a consumer group: a consumer for each lease that is given to it, until it stops. */
import { GroupSessionLostError, pause } from "@millrace/engine";
import { checkMembers } from "../check.ts";
import { type EventOfKind, Listeners } from "../listeners.ts";
import { AutomaticCheckpoints } from "./automatic-checkpoints.ts";
import { backOffMs } from "./back-off.ts";
import { EpochCommitter } from "./epoch-committer.ts";
import { type ShardProcessor, WORKER_EVENT_KINDS, type WorkerEvent } from "./group-types.ts";
import type { GivenLease, HeldLease } from "./held-lease.ts";
import { type FormerConsumer, HeldLeases } from "./held-leases.ts";
import { type ConsumerParts, type OpenShard, ShardConsumer } from "./shard-consumer.ts";
import { HeldBytes, type ReadFailureListener } from "./shard-source.ts";
import type { WorkerBackend, WorkerHost } from "./worker-backend.ts";
import type { WorkerSettings } from "./worker-settings.ts";

/** First pause before a shard is begun again whose delivery did not end in time, in ms. */
const STALLED_MS = 1000;
const RELEASE_RETRY_MS = 200;

/** Makes the processor of a lease. */
export type ProcessorFactory = (lease: { readonly shardId: string }) => ShardProcessor;

/** Kinds of events: see `WorkerEvent`. */
export type WorkerEventKind = WorkerEvent["kind"];

/** Events of one kind. */
export type WorkerEventOf<Kind extends WorkerEventKind> = EventOfKind<WorkerEvent, Kind>;

/** What a worker works with. */
export interface GroupWorkerParts {
  readonly settings: WorkerSettings;
  readonly factory: ProcessorFactory;
  /** Makes what the worker works over. */
  readonly backend: (host: WorkerHost) => WorkerBackend;
}

/** See above. Stop it before the engine is closed. */
export class GroupWorker {
  readonly #parts: GroupWorkerParts;
  readonly #listeners = new Listeners<WorkerEvent>(WORKER_EVENT_KINDS);
  readonly #backend: WorkerBackend;
  readonly #committer: EpochCommitter;
  readonly #automatic: AutomaticCheckpoints;
  readonly #leases: HeldLeases;
  readonly #ending = new AbortController();
  #abandon: () => void = () => undefined;
  readonly #abandoned: Promise<void>;
  #abandoning: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #finish: () => void = () => undefined;
  #breakOff: (error: unknown) => void = () => undefined;
  #closed = false;
  /**
   * Resolves when the worker has stopped. Rejects with ResourceNotFoundError when its group was deleted, with
   * EngineClosedError when the engine was closed under it, and with what else ended it.
   */
  readonly finished: Promise<void>;

  /** Made by `group.start()`; begins at once. */
  constructor(parts: GroupWorkerParts) {
    const { settings } = parts;
    this.#parts = parts;
    this.finished = new Promise((resolve, reject) => {
      this.#finish = resolve;
      this.#breakOff = reject;
    });
    this.finished.catch(() => undefined);
    this.#abandoned = new Promise((resolve) => {
      this.#abandon = resolve;
    });
    const onFailure: ReadFailureListener = (shards, failure) => this.#readFailed(shards, failure);
    this.#backend = parts.backend({
      ...{ settings, held: new HeldBytes(), onFailure },
      onLeases: (leases) => this.#leases.apply(leases),
    });
    const { surroundings, session, epochs } = this.#backend;
    this.#committer = new EpochCommitter(epochs);
    this.#automatic = new AutomaticCheckpoints({
      ...{ client: surroundings, committer: this.#committer },
      intervalMs: settings.checkpointIntervalMs,
      onFailure: (shardId, failure) =>
        this.#listeners.tell({ kind: "processing-failed", shardId, ...failure }),
    });
    this.#leases = new HeldLeases({
      begin: (lease, before) => this.#begin(lease, before),
      lost: (lease) => this.#listeners.tell({ kind: "lease-lost", shardId: lease.shardId }),
      release: (lease) => void this.#release(lease),
      failed: (error) => this.#fail(error),
    });
    session.run().catch((error: unknown) => this.#fail(error));
    const { signal } = settings;
    const abort = (): void => void this.stop({ graceful: false });
    if (signal?.aborted === true) abort();
    else signal?.addEventListener("abort", abort, { once: true, signal: this.#ending.signal });
  }

  /** Its name in the group. */
  get workerId(): string {
    return this.#parts.settings.workerId;
  }

  /** Ids of the shards whose leases it holds, by shard index. */
  get leases(): readonly string[] {
    return this.#leases.shardIds;
  }

  /** Whether it has stopped. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Calls back with every event of one kind from now on. Returns how to end that. @throws InvalidArgumentError. */
  on<Kind extends WorkerEventKind>(
    kind: Kind,
    listener: (event: WorkerEventOf<Kind>) => void,
  ): () => void {
    return this.#listeners.on(kind, listener);
  }

  /**
   * Stops the worker: deliveries under way are awaited, each processor's `shutdownRequested` is called, what
   * was processed is checkpointed, and the leases go to others. With `graceful: false` nothing is awaited but
   * checkpoints that are due: processors hear `leaseLost` when their delivery ends. Safe to call twice; the
   * second call may be less patient than the first.
   */
  async stop(options: { readonly graceful?: boolean } = {}): Promise<void> {
    checkMembers("options", options, ["graceful"]);
    this.#leases.close();
    const graceful = options.graceful !== false;
    if (!graceful) this.#abandoning ??= this.#abandonAll();
    this.#stopping ??= this.#stop(graceful);
    await this.#stopping;
  }

  async #stop(graceful: boolean): Promise<void> {
    const { consumers, underWay } = this.#leases;
    this.#backend.session.closing?.();
    if (graceful) for (const consumer of consumers) consumer.requestShutdown();
    // A delivery that stalled may be under way for ever.
    const ends = underWay.map((consumer) => consumer.ended.catch(() => undefined));
    await Promise.race([Promise.all(ends), this.#abandoned]);
    await this.#backend.session.leave().catch(() => undefined);
    this.#end();
    this.#finish();
  }

  /** Leaves all consumers to themselves. */
  async #abandonAll(): Promise<void> {
    // What was said to be processed in this task is due by then.
    await pause(this.#backend.surroundings.clock, 0);
    await this.#automatic.settleAll();
    this.#leases.loseAll();
    this.#abandon();
  }

  /** Ends with an error. */
  #fail(error: unknown): void {
    if (this.#closed) return;
    this.#leases.close();
    this.#end();
    this.#leases.loseAll();
    this.#abandon();
    void this.#backend.session.leave().catch(() => undefined);
    this.#breakOff(error);
  }

  #end(): void {
    this.#closed = true;
    this.#backend.close();
    this.#ending.abort();
  }

  #begin(lease: HeldLease, before: FormerConsumer | undefined): ShardConsumer {
    const { settings, factory } = this.#parts;
    const { surroundings: client } = this.#backend;
    const { shardId } = lease;
    this.#listeners.tell({ kind: "lease-taken", shardId });
    const consumer = new ShardConsumer({
      ...{ client, settings, factory, lease },
      open: () => this.#open(lease, before),
      committer: this.#committer,
      automatic: this.#automatic,
      park: this.#parking(lease),
      tell: (event) => this.#listeners.tell(event),
    });
    return consumer;
  }

  /** Finds a shard's records, once nothing of the consumer before is under way; one that stalled may never end. */
  async #open(lease: HeldLease, before: FormerConsumer | undefined): Promise<OpenShard> {
    const { clock } = this.#backend.surroundings;
    if (before !== undefined && before.stalls > 0) {
      const patience = pause(clock, backOffMs(STALLED_MS, before.stalls), lease.signal);
      await Promise.race([before.settled, patience]);
    } else await before?.settled;
    return await this.#backend.open(lease);
  }

  #parking(lease: HeldLease): ConsumerParts["park"] {
    const { deadLetterStream } = this.#parts.settings;
    if (deadLetterStream === undefined) return undefined;
    return async (delivery, attempts, error) => {
      const given = { delivery, attempts, error };
      await this.#backend.park(deadLetterStream, lease, given, this.#committer);
    };
  }

  /** Gives a lease back, unless the session is lost: then the next one does. */
  async #release(lease: GivenLease): Promise<void> {
    const { surroundings: client } = this.#backend;
    for (let failures = 1; !this.#closed && !client.closed; failures++) {
      try {
        await this.#backend.session.release(lease);
        return;
      } catch (error) {
        if (error instanceof GroupSessionLostError) return;
        await pause(client.clock, backOffMs(RELEASE_RETRY_MS, failures));
      }
    }
  }

  #readFailed(...[shardIndexes, failure]: Parameters<ReadFailureListener>): void {
    if (shardIndexes.length === 0) this.#listeners.tell({ kind: "leases-failed", ...failure });
    for (const shardIndex of shardIndexes) {
      const shardId = this.#leases.get(shardIndex)?.shardId;
      if (shardId === undefined) continue;
      this.#listeners.tell({ kind: "processing-failed", shardId, ...failure });
    }
  }
}
