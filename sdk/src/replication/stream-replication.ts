/**
 * Ships a stream of an engine to a stream elsewhere: a consumer group keeps the progress, its worker in this thread
 * hands what it reads to a shipper, and this tells how that goes.
 */
import {
  type EngineClient,
  type GroupDescription,
  type MillraceError,
  parseSequenceNumber,
  pause,
  type StreamDescription,
  systemRandom,
  toMillraceError,
} from "@millrace/engine";
import { type ConsumerGroup, openGroup } from "../groups/consumer-group.ts";
import type { WorkerOptions } from "../groups/group-types.ts";
import type { GroupWorker, ProcessorFactory } from "../groups/group-worker.ts";
import { Listeners } from "../listeners.ts";
import { ExpiryWatch } from "./expiry-watch.ts";
import { claimFarSide } from "./far-side.ts";
import { findLostHeads, type LostHead } from "./lost-heads.ts";
import { LostShards } from "./lost-shards.ts";
import type { NetworkWatch } from "./network.ts";
import { PageEnd } from "./page-end.ts";
import {
  checkReplicateOptions,
  type ReplicateOptions,
  type ReplicateSettings,
  type ReplicationRemote,
} from "./replication-options.ts";
import { ReplicationProgress } from "./replication-progress.ts";
import {
  REPLICATION_KINDS,
  type Replication,
  type ReplicationEvent,
  type ReplicationEventKind,
  type ReplicationEventOf,
  type ReplicationGap,
  type ReplicationStatus,
} from "./replication-types.ts";
import { Shipper } from "./shipper.ts";
import { ShippingProcessor } from "./shipping-processor.ts";

/** Records that are handed over at once; what they hold waits in memory until it is stored. */
const DELIVERY_RECORDS_MAX = 10_000;
/** Between two looks at the group, in ms: while there is something to send, and while there is not. */
const BUSY_LOOK_MS = 2000;
const IDLE_LOOK_MS = 15_000;

/** What a replication is begun with. */
interface ReplicationBasis {
  readonly client: EngineClient;
  readonly stream: StreamDescription;
  readonly group: ConsumerGroup;
  /** Starts its worker in the group. */
  readonly start: (factory: ProcessorFactory, options: WorkerOptions) => GroupWorker;
  readonly remote: ReplicationRemote;
  readonly settings: ReplicateSettings;
}

/** What a replication is made of. */
interface StreamReplicationParts extends ReplicationBasis {
  /** Random id of the local log. */
  readonly incarnation: string;
  readonly network: NetworkWatch;
  /** Shards whose first records may have been gone before it began. */
  readonly lostHeads: readonly LostHead[];
}

/** See above. */
export class StreamReplication implements Replication {
  readonly #parts: StreamReplicationParts;
  readonly #listeners = new Listeners<ReplicationEvent>(REPLICATION_KINDS);
  readonly #progress: ReplicationProgress;
  readonly #shipper: Shipper;
  readonly #worker: GroupWorker;
  readonly #expiry: ExpiryWatch;
  readonly #lost: LostShards;
  readonly #pageEnd: PageEnd | undefined;
  readonly #ending = new AbortController();
  readonly finished: Promise<void>;
  /** The far side was closed. */
  #failure: MillraceError | undefined;
  #stopping: Promise<void> | undefined;
  /** Counts what has begun and ended to be shipped: what was asked for before says nothing of it. */
  #shipped = 0;
  /** Whether nothing was left at the last look. */
  #idle = false;
  /** Whether it is to be looked what is left, at once. */
  #lookDue = false;
  #wakeWatch: () => void = () => undefined;

  /** Made by `stream.replicateTo()`; begins at once. */
  constructor(parts: StreamReplicationParts) {
    const { client, remote, settings, network } = parts;
    const { aggregate, bytesPerSecondMax, name, warnBeforeMs, hold, atPageEnd } = settings;
    const target = remote.target();
    this.#parts = parts;
    this.#progress = new ReplicationProgress(client.clock, this.#listeners);
    this.#shipper = new Shipper({
      ...{ clock: client.clock, target, network, aggregate, bytesPerSecondMax },
      listener: {
        changed: () => this.#changed(),
        shipping: () => this.#shipping(),
        copied: (records, bytes) => {
          this.#progress.copied(records, bytes);
          void this.#pageEnd?.prepare();
        },
        retrying: (kind, error, retryMs) => this.#progress.retrying(kind, error, retryMs),
        ended: (error) => this.#end(error),
      },
    });
    if (atPageEnd && aggregate) {
      this.#pageEnd = new PageEnd({ target, shipper: this.#shipper, network });
    }
    this.#expiry = new ExpiryWatch({
      ...{ client, streamName: parts.stream.name, name, warnBeforeMs, hold },
      onExpiring: (shardId, expiresMs) => {
        if (!this.closed) this.#listeners.tell({ kind: "expiring", shardId, expiresMs });
      },
    });
    this.#lost = new LostShards({
      ...{ client, name },
      onLost: (gap) => {
        if (!this.closed) this.#gap(gap);
      },
    });
    this.#worker = this.#work();
    this.finished = this.#finish();
    this.finished.catch(() => undefined);
    void this.#watch();
  }

  get name(): string {
    return this.#parts.settings.name;
  }

  get closed(): boolean {
    return this.#ending.signal.aborted;
  }

  async status(): Promise<ReplicationStatus> {
    const description = await this.#describe();
    if (description === undefined) {
      return this.#progress.status({
        ...{ lagRecords: undefined, lagMs: undefined, estimatedMs: undefined },
      });
    }
    const lag = lagOf(description);
    const { recordsPerSecond } = this.#progress.status({ ...lag, estimatedMs: undefined });
    return this.#progress.status({ ...lag, estimatedMs: timeFor(lag, recordsPerSecond) });
  }

  async pause(): Promise<void> {
    await this.#shipper.pause();
  }

  resume(): void {
    this.#shipper.resume();
  }

  async stop(): Promise<void> {
    this.#stopping ??= this.#worker.stop();
    await this.#stopping;
    await this.finished.catch(() => undefined);
  }

  on<Kind extends ReplicationEventKind>(
    kind: Kind,
    listener: (event: ReplicationEventOf<Kind>) => void,
  ): () => void {
    return this.#listeners.on(kind, listener);
  }

  #work(): GroupWorker {
    const { client, stream, start, incarnation } = this.#parts;
    const parts = {
      ...{ client, stream, incarnation, random: systemRandom, shipper: this.#shipper },
      gapped: new Set<string>(),
    };
    const worker = start(({ shardId }) => new ShippingProcessor(parts, shardId), {
      batchRecordsMax: DELIVERY_RECORDS_MAX,
    });
    worker.on("lease-taken", () => this.#changed());
    worker.on("lease-lost", () => this.#changed());
    worker.on("shard-ended", () => this.#changed());
    worker.on("gap", (gap) => {
      parts.gapped.add(gap.shardId);
      this.#gap(gap);
    });
    worker.on("aggregate-dropped", ({ shardId, sequenceNumber }) =>
      this.#progress.gap({ shardId, after: sequenceNumber, before: sequenceNumber }),
    );
    worker.on("repeats-dropped", ({ records }) => this.#progress.repeated(records));
    worker.on("processing-failed", ({ error }) => this.#progress.failed(toMillraceError(error)));
    return worker;
  }

  /** Of a shard that is gone, the worker may have said it, or the group. */
  #gap(gap: ReplicationGap): void {
    if (!this.#progress.gaps.some((told) => isSameLoss(told, gap))) this.#progress.gap(gap);
  }

  /** Works out what it does from what its parts do. */
  #changed(): void {
    if (this.closed) return;
    const { state, reason } = this.#shipper;
    const idle = state === "running" && this.#worker.leases.length === 0;
    this.#progress.enter(idle ? "standby" : state, reason);
  }

  /** A delivery is on its way from now on, or is done with and checkpointed. */
  #shipping(): void {
    if (this.closed) return;
    this.#shipped += 1;
    if (this.#shipper.busy) this.#progress.reached(false);
    // Whoever rests for long is to look again soon, and at what has come to its end at once.
    if (!this.#shipper.busy || this.#idle) this.#look();
  }

  #look(): void {
    this.#lookDue = true;
    this.#wakeWatch();
  }

  #end(error: MillraceError): void {
    this.#failure = error;
    this.#stopping ??= this.#worker.stop({ graceful: false });
    this.#stopping.catch(() => undefined);
  }

  async #finish(): Promise<void> {
    try {
      await this.#worker.finished;
    } finally {
      this.#ending.abort();
      this.#shipper.close();
      this.#pageEnd?.close();
      this.#progress.enter("stopped", this.#failure);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Looks after what is left: whether that is nothing, and whether retention will drop it. */
  async #watch(): Promise<void> {
    const { client, lostHeads } = this.#parts;
    const { clock } = client;
    // Whoever began it listens once this is answered.
    if (lostHeads.length > 0) await this.#describe();
    for (const head of lostHeads) this.#progress.gap({ after: undefined, ...head });
    while (!this.closed) {
      this.#lookDue = false;
      this.#idle = false;
      try {
        this.#idle = !(await this.#lookOnce());
      } catch (error) {
        if (!this.closed) this.#progress.failed(toMillraceError(error));
      }
      await this.#rest(clock, this.#idle ? IDLE_LOOK_MS : BUSY_LOOK_MS);
    }
  }

  /** Answers whether anything is left, as far as it can be said. */
  async #lookOnce(): Promise<boolean> {
    const shipped = this.#shipped;
    const description = await this.#describe();
    if (this.closed || description === undefined) return true;
    const waiting = lagOf(description).lagRecords > 0;
    if (!waiting && (this.#shipper.busy || shipped !== this.#shipped)) return true;
    this.#progress.reached(!waiting);
    try {
      await this.#lost.look(description);
    } finally {
      await this.#expiry.look(description);
    }
    return waiting;
  }

  async #rest(clock: EngineClient["clock"], ms: number): Promise<void> {
    if (this.#lookDue || this.closed) return;
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    this.#wakeWatch = wake;
    this.#ending.signal.addEventListener("abort", wake, { once: true });
    await pause(clock, ms, woken.signal).catch(() => undefined);
    this.#ending.signal.removeEventListener("abort", wake);
    this.#wakeWatch = () => undefined;
  }

  async #describe(): Promise<GroupDescription | undefined> {
    try {
      return await this.#parts.group.describe();
    } catch {
      // Of a group or an engine that is gone, the worker says it.
      return undefined;
    }
  }
}

/** Whether two gaps are what was left of a shard behind one record. */
function isSameLoss(left: ReplicationGap, right: ReplicationGap): boolean {
  const isLoss = left.before === undefined && right.before === undefined;
  return isLoss && left.shardId === right.shardId && indexOf(left) === indexOf(right);
}

/** One record may be named with different times of arrival. */
function indexOf({ after }: ReplicationGap): number | undefined {
  return after === undefined ? undefined : parseSequenceNumber(after).sequenceIndex;
}

function lagOf({ leases }: GroupDescription): { lagRecords: number; lagMs: number } {
  return {
    lagRecords: leases.reduce((sum, lease) => sum + lease.lagRecords, 0),
    lagMs: Math.max(0, ...leases.map(({ iteratorAgeMs }) => iteratorAgeMs)),
  };
}

function timeFor({ lagRecords }: { lagRecords: number }, perSecond: number): number | undefined {
  if (lagRecords === 0) return 0;
  return perSecond > 0 ? (lagRecords * 1000) / perSecond : undefined;
}

/**
 * Ships a stream to a stream elsewhere. @throws InvalidArgumentError, ResourceNotFoundError; ResourceInUseError
 * when another stream has a group of its name, and when the group ships to another stream elsewhere.
 */
export async function replicateStream(
  client: EngineClient,
  stream: StreamDescription,
  remote: ReplicationRemote,
  options?: ReplicateOptions,
): Promise<Replication> {
  const settings = checkReplicateOptions(remote, options);
  const { from, name } = settings;
  const group = await openGroup(client, stream, name, { from });
  const start: ReplicationBasis["start"] = (factory, worker) => group.start(factory, worker);
  return await replicateGroup({ client, stream, group, start, remote, settings });
}

/** As {@link replicateStream}, for a group that is there, of the settings' name. @throws what the engine throws. */
export async function replicateGroup(basis: ReplicationBasis): Promise<Replication> {
  const { client, stream, group, remote, settings } = basis;
  const { network } = settings;
  const { incarnation } = await client.call("storageReport", {});
  const description = await group.describe();
  await claimFarSide(client, description.definition, remote.target());
  const lostHeads = await findLostHeads(client, stream, description);
  return new StreamReplication({ ...basis, incarnation, network, lostHeads });
}
