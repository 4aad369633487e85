/** One worker of a consumer group: a consumer for each lease that the leader gives it, until it stops. */
import {
  type EngineClient,
  GroupSessionLostError,
  type OwnedLease,
  pause,
  ResourceNotFoundError,
  type StreamDescription,
} from "@millrace/engine";
import { checkMembers, checkOneOf, refuse } from "../check.ts";
import { AutomaticCheckpoints } from "./automatic-checkpoints.ts";
import { backOffMs } from "./back-off.ts";
import { parkRecords } from "./dead-letter.ts";
import { EpochCommitter } from "./epoch-committer.ts";
import { EpochOutputs } from "./epoch-outputs.ts";
import { FanOutReader } from "./fan-out-reader.ts";
import type { ShardProcessor, WorkerEvent } from "./group-types.ts";
import type { GivenLease, HeldLease } from "./held-lease.ts";
import { type FormerConsumer, HeldLeases } from "./held-leases.ts";
import { LeaseSession } from "./lease-session.ts";
import { PollingReader } from "./polling-reader.ts";
import { type ConsumerParts, type OpenShard, ShardConsumer } from "./shard-consumer.ts";
import { ShardDirectory } from "./shard-directory.ts";
import { HeldBytes, type ReadFailureListener } from "./shard-source.ts";
import type { WorkerSettings } from "./worker-settings.ts";

/** First pause before a shard is begun again whose delivery did not end in time, in ms. */
const STALLED_MS = 1000;
const RELEASE_RETRY_MS = 200;
const KINDS = [
  "lease-taken",
  "lease-lost",
  "shard-ended",
  "processing-failed",
  "dead-letter",
  "aggregate-dropped",
  "stalled",
] as const satisfies readonly WorkerEvent["kind"][];

/** Makes the processor of a lease. */
export type ProcessorFactory = (lease: { readonly shardId: string }) => ShardProcessor;

/** Kinds of events: see `WorkerEvent`. */
export type WorkerEventKind = WorkerEvent["kind"];

/** Events of one kind. */
export type WorkerEventOf<Kind extends WorkerEventKind> = Extract<WorkerEvent, { kind: Kind }>;

/** What a worker works with. */
export interface GroupWorkerParts {
  readonly client: EngineClient;
  readonly stream: StreamDescription;
  readonly groupName: string;
  readonly settings: WorkerSettings;
  readonly factory: ProcessorFactory;
}

interface Listener {
  readonly kind: WorkerEventKind;
  readonly tell: (event: never) => void;
}

/** See above. Stop it before the engine is closed. */
export class GroupWorker {
  readonly #parts: GroupWorkerParts;
  readonly #listeners = new Set<Listener>();
  readonly #held = new HeldBytes();
  readonly #outputs: EpochOutputs;
  readonly #committer: EpochCommitter;
  readonly #automatic: AutomaticCheckpoints;
  readonly #directory: ShardDirectory;
  readonly #polling: PollingReader;
  readonly #fanOut: FanOutReader;
  readonly #leases: HeldLeases;
  readonly #session: LeaseSession;
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
    const { client, stream, groupName, settings } = parts;
    const { workerId, leasesMax } = settings;
    this.#parts = parts;
    this.finished = new Promise((resolve, reject) => {
      this.#finish = resolve;
      this.#breakOff = reject;
    });
    this.finished.catch(() => undefined);
    this.#abandoned = new Promise((resolve) => {
      this.#abandon = resolve;
    });
    this.#outputs = new EpochOutputs(client);
    this.#committer = new EpochCommitter({ client, groupName, workerId, outputs: this.#outputs });
    const { checkpointIntervalMs, batchRecordsMax: recordsMax } = settings;
    this.#automatic = new AutomaticCheckpoints(client, this.#committer, checkpointIntervalMs);
    this.#directory = new ShardDirectory(client, stream);
    const onFailure: ReadFailureListener = (shards, failure) => this.#readFailed(shards, failure);
    const held = this.#held;
    this.#polling = new PollingReader({ client, stream, held, recordsMax, onFailure });
    this.#fanOut = new FanOutReader({ client, stream, groupName, held, onFailure });
    this.#leases = new HeldLeases({
      begin: (lease, before) => this.#begin(lease, before),
      lost: (lease) => this.#tell({ kind: "lease-lost", shardId: lease.shardId }),
      release: (lease) => void this.#release(lease),
      failed: (error) => this.#fail(error),
    });
    const onLeases = (leases: readonly OwnedLease[]): void => {
      requireSameStream(parts, leases);
      this.#leases.apply(leases);
    };
    this.#session = new LeaseSession({ client, groupName, workerId, leasesMax, onLeases });
    this.#session.run().catch((error: unknown) => this.#fail(error));
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
    checkOneOf("kind", kind, KINDS);
    if (typeof listener !== "function") refuse("listener", "a function", listener, "function");
    const entry: Listener = { kind, tell: listener };
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
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
    const { consumers } = this.#leases;
    if (graceful) for (const consumer of consumers) consumer.requestShutdown();
    await Promise.race([Promise.all(consumers.map((one) => one.settled)), this.#abandoned]);
    await this.#session.leave().catch(() => undefined);
    this.#end();
    this.#finish();
  }

  /** Leaves all consumers to themselves. */
  async #abandonAll(): Promise<void> {
    // What was said to be processed in this task is due by then.
    await pause(this.#parts.client.clock, 0);
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
    void this.#session.leave().catch(() => undefined);
    this.#breakOff(error);
  }

  #end(): void {
    this.#closed = true;
    this.#polling.close();
    this.#ending.abort();
  }

  #begin(lease: HeldLease, before: FormerConsumer | undefined): ShardConsumer {
    const { client, settings, factory } = this.#parts;
    const { shardId } = lease;
    this.#tell({ kind: "lease-taken", shardId });
    const consumer = new ShardConsumer({
      ...{ client, settings, factory, lease },
      open: () => this.#open(lease, before),
      committer: this.#committer,
      automatic: this.#automatic,
      park: this.#parking(lease),
      tell: (event) => this.#tell(event),
    });
    return consumer;
  }

  /** Finds a shard's records, once nothing of the consumer before is under way; one that stalled may never end. */
  async #open(lease: HeldLease, before: FormerConsumer | undefined): Promise<OpenShard> {
    const { client, settings } = this.#parts;
    if (before !== undefined && before.stalls > 0) {
      const patience = pause(client.clock, backOffMs(STALLED_MS, before.stalls), lease.signal);
      await Promise.race([before.settled, patience]);
    } else await before?.settled;
    const { shardIndex, begun } = lease;
    const shard = await this.#directory.find(shardIndex);
    const source =
      settings.reads === "polling"
        ? this.#polling.source(shardIndex, begun.nextIndex)
        : this.#fanOut.source(shardIndex, begun.nextIndex, shard.createdSeconds);
    return { source, shard };
  }

  #parking(lease: HeldLease): ConsumerParts["park"] {
    const { client, groupName, stream, settings } = this.#parts;
    const { deadLetterStream: streamName } = settings;
    if (streamName === undefined) return undefined;
    const [committer, outputs] = [this.#committer, this.#outputs];
    const parts = { client, committer, outputs, streamName, streamArn: stream.arn, groupName };
    return async ({ records }, attempts, error) =>
      await parkRecords(parts, { lease, records, attempts, error });
  }

  /** Gives a lease back, unless the session is lost: then the next one does. */
  async #release(lease: GivenLease): Promise<void> {
    const { client } = this.#parts;
    for (let failures = 1; !this.#closed && !client.closed; failures++) {
      try {
        await this.#session.release(lease);
        return;
      } catch (error) {
        if (error instanceof GroupSessionLostError) return;
        await pause(client.clock, backOffMs(RELEASE_RETRY_MS, failures));
      }
    }
  }

  #readFailed(...[shardIndexes, failure]: Parameters<ReadFailureListener>): void {
    for (const shardIndex of shardIndexes) {
      const shardId = this.#leases.get(shardIndex)?.shardId;
      if (shardId !== undefined) this.#tell({ kind: "processing-failed", shardId, ...failure });
    }
  }

  #tell(event: WorkerEvent): void {
    for (const { kind, tell } of this.#listeners) {
      // A listener that throws is an error of the application's, and not the worker's concern.
      if (kind === event.kind) queueMicrotask(() => tell(event as never));
    }
  }
}

/** Another group may bear the name by now, of another stream. @throws ResourceNotFoundError. */
function requireSameStream(
  { stream, groupName }: GroupWorkerParts,
  leases: readonly OwnedLease[],
): void {
  if (leases.every(({ streamUid }) => streamUid === stream.uid)) return;
  throw new ResourceNotFoundError(
    `consumer group ${groupName} of stream ${stream.name} was deleted, and another one bears its name`,
    { argument: "groupName", value: groupName },
  );
}
