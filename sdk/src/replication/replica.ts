/** A replica: a local, readable copy of a stream elsewhere, kept up for as long as it runs anywhere. */
import { type MillraceError, systemRandom } from "@millrace/engine";
import type { ReplicaGroupOptions } from "../groups/consumer-group.ts";
import type { GroupWorker } from "../groups/group-worker.ts";
import { Listeners } from "../listeners.ts";
import type { RemoteCalls } from "../remote/remote-calls.ts";
import type { RemoteStreamDescription } from "../remote/remote-description.ts";
import type { Stream } from "../stream.ts";
import { PatientCalls } from "./patient-calls.ts";
import { ReplicaCopy } from "./replica-copy.ts";
import { ReplicaGate } from "./replica-gate.ts";
import { ReplicaLag } from "./replica-lag.ts";
import {
  checkLocal,
  checkReplicaOptions,
  type ReplicaOptions,
  type ReplicaSettings,
} from "./replica-options.ts";
import { textOfSource } from "./replica-positions.ts";
import { ReplicaSeat, type ReplicaSeatParts } from "./replica-seat.ts";
import { ReplicationProgress } from "./replication-progress.ts";
import {
  REPLICATION_KINDS,
  type Replication,
  type ReplicationEvent,
  type ReplicationEventKind,
  type ReplicationEventOf,
  type ReplicationStatus,
} from "./replication-types.ts";

/** The stream elsewhere. */
export interface ReplicaSource {
  readonly calls: RemoteCalls;
  readonly stream: RemoteStreamDescription;
  readonly pollMs: number;
}

/** What a replica is made of. */
interface ReplicaParts {
  readonly source: ReplicaSource;
  readonly local: Stream;
  readonly settings: ReplicaSettings;
}

/** See above. */
class Replica implements Replication {
  readonly #parts: ReplicaParts;
  readonly #listeners = new Listeners<ReplicationEvent>(REPLICATION_KINDS);
  readonly #gate = new ReplicaGate();
  readonly #progress: ReplicationProgress;
  readonly #lag: ReplicaLag;
  readonly #reader: PatientCalls;
  #worker: GroupWorker | undefined;
  #working: Promise<void> = Promise.resolve();
  #closed = false;
  #failure: unknown;
  #finish: () => void = () => undefined;
  #breakOff: (error: unknown) => void = () => undefined;
  readonly finished: Promise<void>;

  constructor(parts: ReplicaParts) {
    const { calls } = parts.source;
    this.#parts = parts;
    this.#progress = new ReplicationProgress(calls.clock, this.#listeners);
    this.#lag = new ReplicaLag(calls.clock);
    this.finished = new Promise((resolve, reject) => {
      this.#finish = resolve;
      this.#breakOff = reject;
    });
    this.finished.catch(() => undefined);
    this.#reader = new PatientCalls({
      ...{ calls, network: parts.settings.network },
      onRetry: (kind, error, retryMs) => this.#retrying(kind, error, retryMs),
      onAnswer: () => this.#answered(),
    });
  }

  get name(): string {
    return this.#parts.settings.name;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Begins. @throws ResourceInUseError, ResourceNotFoundError. */
  async start(): Promise<void> {
    const { local, settings, source } = this.#parts;
    const replicaOf = textOfSource(source.stream);
    const options: ReplicaGroupOptions = { from: "LATEST", replicaOf };
    const group = await local.group(settings.name, options);
    const seat: ReplicaSeatParts = {
      ...{ groupName: group.name, groupCreatedMs: group.definition.createdMs },
      ...{ calls: source.calls, gate: this.#gate, progress: this.#progress },
      localShards: () => local.shards(),
      copy: (target, state) => this.#copy(group.definition.replicaOf ?? replicaOf, target, state),
      onWork: (work) => {
        this.#working = work;
      },
      onClosed: (error) => void this.#break(error),
    };
    const { signal } = settings;
    this.#worker = group.start(() => new ReplicaSeat(seat), {
      ...{ checkpoints: "manual", deaggregate: false, repeats: "keep" },
      ...(signal === undefined ? {} : { signal }),
    });
    this.#worker.finished.then(
      () => this.#end(),
      (error: unknown) => this.#end(error),
    );
  }

  async status(): Promise<ReplicationStatus> {
    return this.#progress.status(this.#lag.figures);
  }

  async pause(): Promise<void> {
    if (this.#closed) return;
    this.#gate.close();
    await this.#working;
  }

  resume(): void {
    this.#gate.open();
  }

  async stop(): Promise<void> {
    await this.#worker?.stop();
    this.#end();
  }

  on<Kind extends ReplicationEventKind>(
    kind: Kind,
    listener: (event: ReplicationEventOf<Kind>) => void,
  ): () => void {
    return this.#listeners.on(kind, listener);
  }

  #copy(replicaOf: string, ...[target, state]: Parameters<ReplicaSeatParts["copy"]>): ReplicaCopy {
    const { source, local, settings } = this.#parts;
    const { name: groupName, from } = settings;
    return new ReplicaCopy(
      {
        ...{ calls: this.#reader, streamName: source.stream.name, pollMs: source.pollMs },
        ...{ from, groupName, replicaOf, localName: local.name, lag: this.#lag, target },
        random: systemRandom,
        onStored: (records, bytes) => this.#progress.copied(records, bytes),
        onRead: () => this.#progress.reached(this.#lag.none),
        onGap: (shardId, after, before) => this.#progress.gap({ shardId, after, before }),
      },
      state,
    );
  }

  #retrying(kind: "throttled" | "outage", error: MillraceError, retryMs: number): void {
    this.#progress.retrying(kind, error, retryMs);
    if (kind !== "outage") return;
    this.#lag.silent();
    const { network } = this.#parts.settings;
    if (!this.#gate.closed && !network.online()) this.#progress.enter("waiting-offline");
  }

  #answered(): void {
    this.#lag.heard();
    if (!this.#gate.closed) this.#progress.enter("running");
  }

  /** Ends it with an error, and leaves the work to others. */
  async #break(error: MillraceError): Promise<void> {
    this.#failure ??= error;
    await this.#worker?.stop();
  }

  #end(error: unknown = this.#failure): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#progress.enter("stopped");
    if (error === undefined) this.#finish();
    else this.#breakOff(error);
  }
}

/**
 * Starts a replica. @throws InvalidArgumentError; ResourceInUseError when another stream has a group of that
 * name, and when the local stream has a replica of the same stream under another name: nothing was copied then, and
 * the error's `limit` is that name; ResourceNotFoundError when the local stream was deleted.
 */
export async function openReplica(
  source: ReplicaSource,
  local: Stream,
  options?: ReplicaOptions,
): Promise<Replication> {
  checkLocal(local, source.stream);
  const settings = checkReplicaOptions(source.stream.name, options);
  settings.signal?.throwIfAborted();
  const replica = new Replica({ source, local, settings });
  await replica.start();
  return replica;
}
