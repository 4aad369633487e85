/** A consumer group of a stream elsewhere: described, worked on, set back and deleted. */
import {
  type GroupPosition,
  NotSupportedError,
  ResourceInUseError,
  ResourceNotFoundError,
} from "@millrace/engine";
import { checkMembers, checkName, refuse } from "../../check.ts";
import { clientOf } from "../../client-of.ts";
import type { GroupReadOptions } from "../../groups/consumer-group.ts";
import {
  checkResetOptions,
  checkSpan,
  type ResetOptions,
  toGroupPosition,
} from "../../groups/group-options.ts";
import { GroupReader, refuseProcessorOptions } from "../../groups/group-reader.ts";
import type { GroupStart, WorkerOptions } from "../../groups/group-types.ts";
import { GroupWorker, type ProcessorFactory } from "../../groups/group-worker.ts";
import { checkWorkerOptions } from "../../groups/worker-settings.ts";
import type { LeaseRow, LeaseTable } from "../../lease-table.ts";
import type { RemoteStreamDescription } from "../remote-description.ts";
import { PLACE_OF_CLIENT } from "../service-options.ts";
import { BoundedTable } from "./bounded-table.ts";
import { describeGroup } from "./describe-group.ts";
import { EngineLeases } from "./engine-leases.ts";
import { latestMs, newRow, type RowStart } from "./lease-rows.ts";
import type { RemoteGroupDescription, RemoteGroupOptions } from "./remote-group-types.ts";
import { ShardDiscovery } from "./shard-discovery.ts";
import { TableBackend, type TableGroup } from "./table-backend.ts";

const FAILOVER_MS = 10_000;
const HAND_OVER_MS = 30_000;
const CHECKPOINT_MS = 1000;
/** A call of a table that keeps no lease may take so long even where leases are short, in ms. */
const CALL_MS_MIN = 1000;
const TABLE_METHODS = ["open", "list", "insert", "replace", "remove", "drop"];

/** What a group takes from its stream. */
export type GroupSurroundings = Pick<TableGroup, "calls" | "desk" | "stream" | "pollMs">;

/** See above. It does what a group of an engine does, except for outputs of checkpoints and for fan-out. */
export class RemoteConsumerGroup {
  readonly #group: TableGroup;
  readonly #position: GroupPosition;

  /** Made by `stream.group()`. */
  constructor(group: TableGroup, position: GroupPosition) {
    this.#group = group;
    this.#position = position;
  }

  /** As the group was called; its leases are its table's, whatever it is called. */
  get name(): string {
    return this.#group.groupName;
  }

  /** The stream that it reads. */
  get streamName(): string {
    return this.#group.stream.name;
  }

  /** The group as it is: its leases with their checkpoints, and who has them. @throws what the table throws. */
  async describe(): Promise<RemoteGroupDescription> {
    const { failoverMs, handOverMs, table } = this.#group;
    const definition = {
      ...{ name: this.name, streamName: this.streamName, startingPosition: this.#position },
      ...{ failoverMs, handOverMs },
    };
    return describeGroup(definition, await table.list());
  }

  /**
   * Starts a worker, which takes its part of the leases and makes a processor for each. Its checkpoints take no outputs,
   * and its dead letters go to a stream of the same service, at least once. `checkpointIntervalMs` is 1,000 when absent:
   * every checkpoint of a lease is a change of its row.
   *
   * @throws InvalidArgumentError; NotSupportedError for `reads: "fan-out"`.
   */
  start(factory: ProcessorFactory, options: WorkerOptions = {}): GroupWorker {
    if (typeof factory !== "function") refuse("factory", "a function", factory, "function");
    const { checkpointIntervalMs = CHECKPOINT_MS } = options;
    const settings = checkWorkerOptions({ ...options, checkpointIntervalMs });
    if (settings.reads === "fan-out") {
      throw new NotSupportedError("groups of a stream elsewhere read by polling", {
        ...{ argument: "options.reads", value: settings.reads, limit: "polling" },
      });
    }
    const group = this.#group;
    return new GroupWorker({ settings, factory, backend: (host) => new TableBackend(group, host) });
  }

  /** Works as a loop: see `ConsumerGroup.read`. @throws as {@link start}; from the loop what ends a worker. */
  read(options: GroupReadOptions = {}): GroupReader {
    const settings = checkWorkerOptions(options);
    refuseProcessorOptions(options);
    return new GroupReader((factory) => this.start(factory, { ...options }), settings.signal);
  }

  /**
   * Sets the group, or its lease of one shard, back to a position; the processors' state goes, too. Leases are changed one
   * after the other: a failure in between leaves some as they were, and the same call may be made again. LATEST begins
   * five minutes before by this machine's clock, which may be ahead of the service's: too early only repeats records.
   *
   * @throws ResourceInUseError when one of the leases has an owner, alive or dead, or gets one meanwhile, unless `force`
   * is true: that lease stays as it is;
   * ResourceNotFoundError, InvalidArgumentError, and what the table throws.
   */
  async reset(from: GroupStart, options: ResetOptions = {}): Promise<void> {
    const { shardId, force } = checkResetOptions(options);
    const position = toGroupPosition(from);
    const { table, calls, discovery } = this.#group;
    discovery.forgetLatest();
    const rows = await table.list();
    const chosen = rows.filter(({ leaseKey }) => leaseKey === (shardId ?? leaseKey));
    if (shardId !== undefined && chosen.length === 0) {
      throw new ResourceNotFoundError(`consumer group ${this.name} has no lease of ${shardId}`, {
        ...{ argument: "shardId", value: shardId },
      });
    }
    if (!force) this.#requireFree(chosen);
    if (shardId !== undefined) {
      await this.#setBack(shardId, startAt(position, calls.clock.nowMs()), force);
      return;
    }
    const wanted = await discovery.first(position);
    for (const { shard, start } of wanted) {
      const row = newRow(shard, start, calls.clock.nowMs());
      if (!(await table.insert(row))) await this.#setBack(shard.shardId, start, force);
    }
    const kept = new Set(wanted.map(({ shard }) => shard.shardId));
    for (const { leaseKey } of rows) if (!kept.has(leaseKey)) await this.#remove(leaseKey, force);
  }

  /** Deletes the group with its leases and state; its workers end. @throws what the table throws. */
  async delete(): Promise<void> {
    await this.#group.table.drop();
  }

  /** @throws ResourceInUseError. */
  #requireFree(rows: readonly LeaseRow[]): void {
    const owners = [...new Set(rows.flatMap(({ owner }) => owner ?? []))];
    if (owners.length === 0) return;
    throw new ResourceInUseError(
      `Leases of consumer group ${this.name} are owned by ${owners.join(", ")}; stop these workers, or use force ` +
        "to take the leases from them.",
      { argument: "name", value: this.name },
    );
  }

  async #setBack(leaseKey: string, start: RowStart, force: boolean): Promise<void> {
    await this.#change(leaseKey, force, (row) => {
      const nobody = { owner: null, wantedBy: null, subSequenceNumber: 0, ownerSwitches: 0 };
      const next = { ...row, ...start, ...nobody, state: undefined, counter: row.counter + 1 };
      return this.#group.table.replace(next, row.counter);
    });
  }

  async #remove(leaseKey: string, force: boolean): Promise<void> {
    await this.#change(leaseKey, force, ({ counter }) =>
      this.#group.table.remove(leaseKey, counter),
    );
  }

  /**
   * Changes a row until nobody else changes it at the same time. A worker may have taken it since it was looked at.
   * @throws ResourceInUseError unless `force` is true.
   */
  async #change(
    leaseKey: string,
    force: boolean,
    make: (row: LeaseRow) => Promise<boolean>,
  ): Promise<void> {
    for (;;) {
      const row = (await this.#group.table.list()).find((one) => one.leaseKey === leaseKey);
      if (row === undefined) return;
      if (!force) this.#requireFree([row]);
      if (await make(row)) return;
    }
  }
}

/**
 * The group of that name over a table, whose leases are made where there are none.
 * @throws InvalidArgumentError; ResourceNotFoundError for the stream; ResourceInUseError for a table with leases of another
 * stream; what calls and the table throw.
 */
export async function openRemoteGroup(
  { calls, desk, stream, pollMs }: GroupSurroundings,
  name: string,
  options: RemoteGroupOptions,
): Promise<RemoteConsumerGroup> {
  checkName("name", name);
  checkMembers("options", options, ["from", "failoverMs", "handOverMs", "leases"]);
  const { from = "LATEST" } = options;
  const position = toGroupPosition(from);
  const failoverMs = checkSpan("failoverMs", options.failoverMs ?? FAILOVER_MS);
  const handOverMs = checkSpan("handOverMs", options.handOverMs ?? HAND_OVER_MS);
  const table = new BoundedTable(tableOf(options.leases, stream, name, calls.place), calls.clock, {
    changeMs: failoverMs / 3,
    callMs: Math.max(CALL_MS_MIN, failoverMs / 3),
  });
  const discovery = new ShardDiscovery({
    ...{ calls, stream, table, groupName: name, position, pollMs, patienceMs: failoverMs },
  });
  // A table of the engine forgets the leases of another stream: a handle of one that is gone must not come so far.
  await discovery.shards();
  await table.open();
  await discovery.begin();
  const group = { calls, desk, stream, groupName: name, position, table, discovery, pollMs };
  return new RemoteConsumerGroup({ ...group, failoverMs, handOverMs }, position);
}

/** @throws InvalidArgumentError. */
function tableOf(
  leases: unknown,
  { arn, createdMs }: RemoteStreamDescription,
  name: string,
  place: string,
): LeaseTable {
  const limit = "a lease table, or an open engine";
  if (typeof leases !== "object" || leases === null)
    return refuse("options.leases", limit, leases, limit);
  if (isLeaseTable(leases)) return leases;
  const client = clientIn(leases);
  if (client === undefined) return refuse("options.leases", limit, leases, limit);
  if (place === PLACE_OF_CLIENT) {
    // By the stream alone, two services would have one table of an engine, and each would forget the other's leases.
    const table = "a lease table where the client does not tell its endpoint";
    return refuse("options.leases", table, "an engine", "a lease table");
  }
  return new EngineLeases(client, `${name} ${arn} ${encodeURI(place)}`, String(createdMs));
}

function isLeaseTable(leases: object): leases is LeaseTable {
  const members = leases as Readonly<Record<string, unknown>>;
  return TABLE_METHODS.every((method) => typeof members[method] === "function");
}

function clientIn(owner: object): ReturnType<typeof clientOf> | undefined {
  try {
    return clientOf(owner);
  } catch {
    return undefined;
  }
}

/** Where one lease begins that is set back. */
function startAt(position: GroupPosition, nowMs: number): RowStart {
  const { type: checkpoint } = position;
  if (checkpoint === "TRIM_HORIZON") return { checkpoint, timestampMs: undefined };
  const timestampMs = checkpoint === "LATEST" ? latestMs(nowMs) : position.timestampMs;
  return { checkpoint, timestampMs };
}
