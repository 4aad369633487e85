/** A worker's backend where the stream is in a Kinesis elsewhere, and the leases are in a table. */
import { type GroupPosition, LeaseLostError, type ShardDescription } from "@millrace/engine";
import { backOffMs } from "../../groups/back-off.ts";
import { parkRecords } from "../../groups/dead-letter.ts";
import type { EpochCommitter } from "../../groups/epoch-committer.ts";
import type { OutputRecord } from "../../groups/group-types.ts";
import type { HeldLease } from "../../groups/held-lease.ts";
import type { OpenShard } from "../../groups/shard-consumer.ts";
import type { GivenUpDelivery, WorkerBackend, WorkerHost } from "../../groups/worker-backend.ts";
import type { WorkerSurroundings } from "../../groups/worker-surroundings.ts";
import type { LeaseRow, LeaseTable } from "../../lease-table.ts";
import { RepeatFilter } from "../../replication/repeat-filter.ts";
import { PolledShard } from "../polled-shard.ts";
import type { RemoteCalls } from "../remote-calls.ts";
import { childrenIn, type RemoteStreamDescription } from "../remote-description.ts";
import type { RemoteDesk } from "../remote-desk.ts";
import { RemoteUnavailableError } from "../remote-errors.ts";
import { RemoteTarget } from "../remote-target.ts";
import type { SourceStart } from "../shard-source.ts";
import { isFresh, shardIdOf } from "./lease-rows.ts";
import { LeaseSource } from "./lease-source.ts";
import { ReadNumbers } from "./read-numbers.ts";
import type { ShardDiscovery } from "./shard-discovery.ts";
import { TableEpochs } from "./table-epochs.ts";
import { TableSession } from "./table-session.ts";

/** AWS's: entries of one PutRecords. */
const LETTERS_AT_ONCE = 500;
/** First pause before letters are put again that were refused, in ms. */
const RETRY_MS = 100;

/** A group of a stream elsewhere. */
export interface TableGroup {
  readonly calls: RemoteCalls;
  readonly desk: RemoteDesk;
  readonly stream: RemoteStreamDescription;
  readonly groupName: string;
  /** Where the group begins. */
  readonly position: GroupPosition;
  readonly table: LeaseTable;
  readonly discovery: ShardDiscovery;
  readonly pollMs: number;
  readonly failoverMs: number;
  readonly handOverMs: number;
}

/** See above. */
export class TableBackend implements WorkerBackend {
  readonly surroundings: WorkerSurroundings;
  readonly session: TableSession;
  readonly epochs: TableEpochs;
  readonly #group: TableGroup;
  readonly #host: WorkerHost;

  constructor(group: TableGroup, host: WorkerHost) {
    const { calls: surroundings, table, discovery, failoverMs, handOverMs } = group;
    const { onLeases, onFailure } = host;
    const { workerId, leasesMax } = host.settings;
    this.surroundings = surroundings;
    this.#group = group;
    this.#host = host;
    this.session = new TableSession({
      ...{ table, surroundings, discovery, workerId, leasesMax },
      ...{ failoverMs, handOverMs, onLeases, onFailure },
    });
    this.epochs = new TableEpochs({
      table,
      session: this.session,
      discovery,
      surroundings,
      onFailure,
    });
  }

  async open(lease: HeldLease): Promise<OpenShard> {
    const { calls } = this.#group;
    const { held, onFailure, settings } = this.#host;
    const { shardId, shardIndex, begun } = lease;
    const row = this.session.find(lease)?.row;
    if (row === undefined) {
      throw new LeaseLostError(`the lease of ${shardId} is not this worker's any more`, {
        ...{ argument: "shardId", value: shardId },
      });
    }
    const numbers = new ReadNumbers(isFresh(row) ? undefined : row.checkpoint);
    this.epochs.number(lease, numbers);
    const source = new LeaseSource({
      ...{ calls, shardIndex, numbers, held, onFailure, polled: this.#polled(row) },
      onClosed: () => this.epochs.noteClosed(lease),
      onGone: () => this.session.discoverSoon(),
    });
    const shard = { shardIndex, ...(await this.#hashKeysOf(row)) };
    const { indexOf } = numbers;
    const { state } = begun;
    const drops = settings.repeats === "drop";
    return {
      ...{ source, shard },
      repeats: drops ? new RepeatFilter({ shard, state, indexOf }) : undefined,
      children: async () => await this.#childrenOf(shardIndex),
    };
  }

  /** The letters are put first: they may be there twice where the worker ends before the checkpoint. */
  async park(
    streamName: string,
    lease: HeldLease,
    { delivery: { records }, attempts, error }: GivenUpDelivery,
    committer: EpochCommitter,
  ): Promise<void> {
    const { calls, desk, stream, groupName } = this.#group;
    const description = await desk.describe(streamName);
    const target = new RemoteTarget(calls, description);
    await parkRecords(
      {
        ...{ streamName, streamArn: stream.arn, groupName },
        now: async () => calls.clock.nowMs(),
        recordBytesMax: async () => description.recordKibMax * 1024,
        put: async (letters, checkpoint) => {
          await this.#put(target, letters, lease);
          await committer.commit({ lease, checkpoint }, {});
        },
      },
      { lease, records, attempts, error },
    );
  }

  close(): void {
    // Each lease's source ends with its consumer.
  }

  async #put(
    target: RemoteTarget,
    letters: readonly OutputRecord[],
    lease: HeldLease,
  ): Promise<void> {
    const encoder = new TextEncoder();
    let waiting = letters.map(({ partitionKey, data }) => ({
      partitionKey,
      data: encoder.encode(String(data)),
    }));
    for (let failures = 0; waiting.length > 0; ) {
      lease.requireHeld();
      const sent = waiting.slice(0, LETTERS_AT_ONCE);
      const outcomes = await target.putRecords(sent);
      const refused = sent.filter((_letter, i) => "errorCode" in (outcomes[i] ?? {}));
      waiting = [...refused, ...waiting.slice(LETTERS_AT_ONCE)];
      failures = refused.length > 0 ? failures + 1 : 0;
      if (failures > 0) await this.#group.calls.pause(backOffMs(RETRY_MS, failures), lease.signal);
    }
  }

  /** What came of a closed shard. @throws RemoteUnavailableError while that is not listed; and what ListShards throws. */
  async #childrenOf(shardIndex: number): Promise<readonly ShardDescription[]> {
    const { calls, discovery } = this.#group;
    const children = childrenIn(await discovery.shards(), shardIndex);
    if (children !== undefined) return children;
    const shardId = shardIdOf(shardIndex);
    throw new RemoteUnavailableError(`${calls.place} does not list yet what came of ${shardId}`);
  }

  #polled(row: LeaseRow): PolledShard {
    const { calls, stream, pollMs, discovery, position } = this.#group;
    const begun = row.checkpoint === "LATEST" ? discovery.takeLatest(row) : undefined;
    if (begun !== undefined) return begun;
    const parts = { calls, streamName: stream.name, shard: { shardId: row.leaseKey } };
    return new PolledShard({ ...parts, start: startOf(row, position), pollMs, toEnd: false });
  }

  /** Rows that an old KCL wrote do not have them. */
  async #hashKeysOf(row: LeaseRow): Promise<Pick<LeaseRow, "startingHashKey" | "endingHashKey">> {
    if (row.startingHashKey !== "") return row;
    const shards = await this.#group.discovery.shards();
    return shards.find(({ shardId }) => shardId === row.leaseKey) ?? row;
  }
}

/** Where the reading of a lease begins: at what is checkpointed, of which a part may not be processed. */
function startOf({ checkpoint, timestampMs }: LeaseRow, position: GroupPosition): SourceStart {
  switch (checkpoint) {
    case "TRIM_HORIZON":
      return { type: checkpoint };
    case "LATEST":
      // A lease that somebody else began at LATEST: what came since then is wanted.
      return timestampMs === undefined ? { type: "LATEST" } : { type: "AT_TIMESTAMP", timestampMs };
    case "AT_TIMESTAMP":
      if (timestampMs !== undefined) return { type: checkpoint, timestampMs };
      // The KCL keeps the time in the worker's configuration, not in the lease.
      return position.type === checkpoint ? position : { type: "TRIM_HORIZON" };
    default:
      return { type: "AT_SEQUENCE_NUMBER", sequenceNumber: checkpoint };
  }
}
