/**
 * Ships a stream of an engine to a stream elsewhere: a consumer group keeps the progress, its worker in this thread
 * hands what it reads to a shipper, and this tells how that goes.
 */
import {
  type EngineClient,
  type GroupDescription,
  type MillraceError,
  pause,
  type StreamDescription,
  toMillraceError,
} from "@millrace/engine";
import { type ConsumerGroup, openGroup } from "../groups/consumer-group.ts";
import type { GroupWorker } from "../groups/group-worker.ts";
import { Listeners } from "../listeners.ts";
import { ExpiryWatch } from "./expiry-watch.ts";
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
  type ReplicationStatus,
} from "./replication-types.ts";
import { Shipper } from "./shipper.ts";
import { ShippingProcessor } from "./shipping-processor.ts";

/** Records that are handed over at once; what they hold waits in memory until it is stored. */
const DELIVERY_RECORDS_MAX = 10_000;
/** Between two looks at the group, in ms: while there is something to send, and while there is not. */
const BUSY_LOOK_MS = 2000;
const IDLE_LOOK_MS = 15_000;

/** What a replication is made of. */
interface StreamReplicationParts {
  readonly client: EngineClient;
  readonly stream: StreamDescription;
  readonly group: ConsumerGroup;
  readonly remote: ReplicationRemote;
  readonly settings: ReplicateSettings;
  /** Random id of the local log. */
  readonly incarnation: string;
  readonly network: NetworkWatch;
}

/** See above. */
export class StreamReplication implements Replication {
  readonly #parts: StreamReplicationParts;
  readonly #listeners = new Listeners<ReplicationEvent>(REPLICATION_KINDS);
  readonly #progress: ReplicationProgress;
  readonly #shipper: Shipper;
  readonly #worker: GroupWorker;
  readonly #expiry: ExpiryWatch;
  readonly #pageEnd: PageEnd | undefined;
  readonly #ending = new AbortController();
  readonly finished: Promise<void>;
  /** The far side was closed. */
  #failure: MillraceError | undefined;
  #stopping: Promise<void> | undefined;
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
      onExpiring: (shardId, expiresMs) =>
        this.#listeners.tell({ kind: "expiring", shardId, expiresMs }),
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
    const { client, stream, group, incarnation } = this.#parts;
    const began = group.definition.startingPosition.type;
    const parts = {
      ...{ client, stream, incarnation, shipper: this.#shipper },
      // Whoever began later has not sent what lies before: its marks must not speak for that.
      group: began === "TRIM_HORIZON" ? undefined : group.definition.createdMs,
      onDelivered: (caughtUp: boolean) => {
        if (caughtUp) this.#wakeWatch();
        else this.#progress.reached(false);
      },
    };
    const worker = group.start(({ shardId }) => new ShippingProcessor(parts, shardId), {
      batchRecordsMax: DELIVERY_RECORDS_MAX,
    });
    worker.on("lease-taken", () => this.#changed());
    worker.on("lease-lost", () => this.#changed());
    worker.on("shard-ended", () => this.#changed());
    worker.on("repeats-dropped", ({ records }) => this.#progress.repeated(records));
    worker.on("processing-failed", ({ error }) => this.#progress.failed(toMillraceError(error)));
    return worker;
  }

  /** Works out what it does from what its parts do. */
  #changed(): void {
    if (this.closed) return;
    const { state, reason } = this.#shipper;
    const idle = state === "running" && this.#worker.leases.length === 0;
    this.#progress.enter(idle ? "standby" : state, reason);
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
    const { clock } = this.#parts.client;
    while (!this.closed) {
      let busy = true;
      try {
        const description = await this.#describe();
        if (description !== undefined) {
          busy = lagOf(description).lagRecords > 0;
          this.#progress.reached(!busy);
          await this.#expiry.look(description);
        }
      } catch (error) {
        this.#progress.failed(toMillraceError(error));
      }
      await this.#rest(clock, busy ? BUSY_LOOK_MS : IDLE_LOOK_MS);
    }
  }

  async #rest(clock: EngineClient["clock"], ms: number): Promise<void> {
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
 * when another stream has a group of its name.
 */
export async function replicateStream(
  client: EngineClient,
  stream: StreamDescription,
  remote: ReplicationRemote,
  options?: ReplicateOptions,
): Promise<Replication> {
  const settings = checkReplicateOptions(remote, options);
  const { from, name, network } = settings;
  const group = await openGroup(client, stream, name, { from });
  const { incarnation } = await client.call("storageReport", {});
  return new StreamReplication({ client, stream, group, remote, settings, incarnation, network });
}
