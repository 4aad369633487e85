/** A worker's backend where group and stream are in an engine: its leader gives leases and commits epochs. */
import {
  type EngineClient,
  type OwnedLease,
  ResourceNotFoundError,
  type StreamDescription,
} from "@millrace/engine";
import { type OwnStream, RepeatFilter } from "../replication/repeat-filter.ts";
import { parkRecords } from "./dead-letter.ts";
import { EngineEpochs } from "./engine-epochs.ts";
import type { EpochCommitter, EpochStore } from "./epoch-committer.ts";
import { EpochOutputs } from "./epoch-outputs.ts";
import { FanOutReader } from "./fan-out-reader.ts";
import { GroupWorker, type ProcessorFactory } from "./group-worker.ts";
import type { HeldLease } from "./held-lease.ts";
import { LeaseSession } from "./lease-session.ts";
import { PollingReader } from "./polling-reader.ts";
import type { OpenShard } from "./shard-consumer.ts";
import { ShardDirectory } from "./shard-directory.ts";
import type { GivenUpDelivery, LeaseGiver, WorkerBackend, WorkerHost } from "./worker-backend.ts";
import type { WorkerSettings } from "./worker-settings.ts";

/** A group of an engine. */
export interface EngineGroup {
  readonly client: EngineClient;
  readonly stream: StreamDescription;
  readonly groupName: string;
}

/** Starts a worker of a group of an engine. */
export function startEngineWorker(
  group: EngineGroup,
  settings: WorkerSettings,
  factory: ProcessorFactory,
): GroupWorker {
  const backend = (host: WorkerHost): EngineBackend => new EngineBackend(group, host);
  return new GroupWorker({ settings, factory, backend });
}

/** See above. */
class EngineBackend implements WorkerBackend {
  readonly surroundings: EngineClient;
  readonly session: LeaseGiver;
  readonly epochs: EpochStore;
  readonly #group: EngineGroup;
  readonly #settings: WorkerSettings;
  readonly #outputs: EpochOutputs;
  readonly #directory: ShardDirectory;
  readonly #polling: PollingReader;
  readonly #fanOut: FanOutReader;
  /** Of the log that the stream is in; asked for once. */
  #incarnation: Promise<string> | undefined;

  constructor(group: EngineGroup, { settings, held, onFailure, onLeases }: WorkerHost) {
    const { client, stream, groupName } = group;
    const { workerId, leasesMax, batchRecordsMax: recordsMax } = settings;
    this.surroundings = client;
    this.#group = group;
    this.#settings = settings;
    this.#outputs = new EpochOutputs(client);
    this.epochs = new EngineEpochs({ client, groupName, workerId, outputs: this.#outputs });
    this.#directory = new ShardDirectory(client, stream);
    this.#polling = new PollingReader({ client, stream, held, recordsMax, onFailure });
    this.#fanOut = new FanOutReader({ client, stream, groupName, held, onFailure });
    this.session = new LeaseSession({
      ...{ client, groupName, workerId, leasesMax },
      onLeases: (leases) => {
        requireSameStream(group, leases);
        onLeases(leases);
      },
    });
  }

  async open({ shardIndex, begun }: HeldLease): Promise<OpenShard> {
    const shard = await this.#directory.find(shardIndex);
    const source =
      this.#settings.reads === "polling"
        ? this.#polling.source(shardIndex, begun.nextIndex)
        : this.#fanOut.source(shardIndex, begun.nextIndex, shard.createdSeconds);
    const own = await this.#ownStream();
    const repeats =
      own === undefined ? undefined : new RepeatFilter({ shard, state: begun.state, own });
    return { source, shard, repeats, children: () => this.#directory.childrenOf(shardIndex) };
  }

  async park(
    streamName: string,
    lease: HeldLease,
    { delivery: { records }, attempts, error }: GivenUpDelivery,
    committer: EpochCommitter,
  ): Promise<void> {
    const { client, groupName, stream } = this.#group;
    const outputs = this.#outputs;
    await parkRecords(
      {
        ...{ streamName, streamArn: stream.arn, groupName },
        now: () => client.call("now", {}),
        recordBytesMax: () => outputs.recordBytesMax(streamName),
        put: (letters, checkpoint) => committer.commit({ lease, checkpoint }, { outputs: letters }),
      },
      { lease, records, attempts, error },
    );
  }

  close(): void {
    this.#polling.close();
  }

  /** What tells records that were put here first; undefined where repeats are to be delivered, too. */
  async #ownStream(): Promise<OwnStream | undefined> {
    const { client, stream } = this.#group;
    if (this.#settings.repeats === "keep") return undefined;
    this.#incarnation ??= client.call("storageReport", {}).then(({ incarnation }) => incarnation);
    try {
      return { incarnation: await this.#incarnation, streamUid: stream.uid };
    } catch (error) {
      this.#incarnation = undefined;
      throw error;
    }
  }
}

/** Another group may bear the name by now, of another stream. @throws ResourceNotFoundError. */
function requireSameStream(
  { stream, groupName }: EngineGroup,
  leases: readonly OwnedLease[],
): void {
  if (leases.every(({ streamUid }) => streamUid === stream.uid)) return;
  throw new ResourceNotFoundError(
    `consumer group ${groupName} of stream ${stream.name} was deleted, and another one bears its name`,
    { argument: "groupName", value: groupName },
  );
}
