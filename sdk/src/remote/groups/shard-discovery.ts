/**
 * Keeps a lease table in step with a stream's shards: makes the leases that it lacks, removes those that nobody needs.
 * Any worker may do so at any time; of two that do the same, one does nothing.
 */
import {
  type GroupPosition,
  ResourceInUseError,
  ResourceNotFoundError,
  type ShardDescription,
} from "@millrace/engine";
import type { LeaseRow, LeaseTable } from "../../lease-table.ts";
import { PolledShard } from "../polled-shard.ts";
import type { RemoteCalls } from "../remote-calls.ts";
import {
  listRemoteShards,
  type RemoteStreamDescription,
  summarize,
} from "../remote-description.ts";
import { isEnded, isForeign, newRow } from "./lease-rows.ts";
import { goneLeases, type MissingLease, missingLeases } from "./missing-leases.ts";

/** Positions that are asked for at once. */
const BEGUN_AT_ONCE = 8;
/** When shards are looked at again without a reason, in ms (KCL: shardSyncIntervalMillis). */
const IDLE_MS = 60_000;

/** The group whose leases are looked after. */
export interface DiscoveryParts {
  readonly calls: RemoteCalls;
  readonly stream: Pick<RemoteStreamDescription, "name" | "createdMs">;
  readonly table: LeaseTable;
  readonly groupName: string;
  readonly position: GroupPosition;
  readonly pollMs: number;
  /** Shards must be missing for so long before their leases are removed, in ms: lists may be a little old. */
  readonly patienceMs: number;
}

/** A reading from LATEST on, of the lease that begins at that time. */
interface LatestReading {
  readonly source: PolledShard;
  readonly timestampMs: number | undefined;
}

/** See above. */
export class ShardDiscovery {
  readonly #parts: DiscoveryParts;
  /** Readings that began at the newest record when the lease was made, until somebody here takes them over. */
  readonly #latest = new Map<string, LatestReading>();
  /** When the shard of a lease was first missing (monotonic, in ms). */
  readonly #missingMs = new Map<string, number>();

  constructor(parts: DiscoveryParts) {
    this.#parts = parts;
  }

  /**
   * Makes the group's first leases; where there are some, it looks after those. @throws ResourceInUseError when the table
   * has leases of another stream; and as {@link run}.
   */
  async begin(): Promise<void> {
    await this.#run(await this.#parts.table.list(), new AbortController().signal);
  }

  /**
   * Looks at shards and leases; gives when it is to be done again, in ms from now. @throws ResourceNotFoundError when
   * the stream is not there any more or the group has no leases, what calls and the table throw, and the signal's reason.
   */
  async run(signal: AbortSignal): Promise<number> {
    return await this.#run(await this.rows(), signal);
  }

  /** All leases. @throws ResourceNotFoundError when there are none, as of a group that was deleted. */
  async rows(): Promise<LeaseRow[]> {
    const { table, groupName } = this.#parts;
    const rows = await table.list();
    if (rows.length > 0) return rows;
    throw new ResourceNotFoundError(`consumer group ${groupName} was deleted`, {
      ...{ argument: "groupName", value: groupName },
    });
  }

  async #run(rows: readonly LeaseRow[], signal: AbortSignal): Promise<number> {
    const { position, calls, patienceMs } = this.#parts;
    const shards = await this.shards(signal);
    this.#requireOwn(shards, rows);
    const missing = missingLeases({ shards, position, nowMs: calls.clock.nowMs() }, rows);
    for (let i = 0; i < missing.length; i += BEGUN_AT_ONCE) {
      await this.#make(missing.slice(i, i + BEGUN_AT_ONCE), signal);
    }
    const settled = await this.#removeGone(shards, rows);
    const childless = rows.some(
      (row) => isEnded(row) && !rows.some((one) => one.parentShardIds.includes(row.leaseKey)),
    );
    // The service may need a moment to list what came of a shard.
    return settled && (!childless || missing.length > 0) ? IDLE_MS : patienceMs;
  }

  /** All shards of the stream. @throws ResourceNotFoundError, also for another stream of its name. */
  async shards(signal?: AbortSignal): Promise<ShardDescription[]> {
    const { calls, stream } = this.#parts;
    const [summary, shards] = await Promise.all([
      summarize(calls, stream.name, signal),
      listRemoteShards(calls, stream.name, signal),
    ]);
    if (summary.StreamCreationTimestamp.getTime() === stream.createdMs) return shards;
    throw new ResourceNotFoundError(
      `stream ${stream.name} of ${calls.place} was deleted; another one has its name`,
      { argument: "name", value: stream.name },
    );
  }

  /** The leases that a group begins with at a position. */
  async first(position: GroupPosition): Promise<MissingLease[]> {
    const nowMs = this.#parts.calls.clock.nowMs();
    return missingLeases({ shards: await this.shards(), position, nowMs }, []);
  }

  /** The reading that began when this very lease was made; undefined where it did not begin here. Given once. */
  takeLatest({ leaseKey, timestampMs }: LeaseRow): PolledShard | undefined {
    const reading = this.#latest.get(leaseKey);
    this.#latest.delete(leaseKey);
    return reading?.timestampMs === timestampMs ? reading?.source : undefined;
  }

  /** Leases are set back: what was begun with them is of no use any more. */
  forgetLatest(): void {
    this.#latest.clear();
  }

  /** @throws ResourceInUseError when the table is another stream's. */
  #requireOwn(shards: readonly ShardDescription[], rows: readonly LeaseRow[]): void {
    const { table, stream } = this.#parts;
    const byKey = new Map(rows.map((row) => [row.leaseKey, row]));
    for (const shard of shards) {
      const row = byKey.get(shard.shardId);
      if (row === undefined || !isForeign(row, shard)) continue;
      throw new ResourceInUseError(
        `lease table ${table.name} has leases of another stream than ${stream.name} as it is now: ${row.leaseKey} was ` +
          `read up to ${row.checkpoint}, and that shard ${isEnded(row) ? "is open" : "begins after it"}. Drop the table's leases, ` +
          "or use another table.",
        { argument: "options.leases", value: table.name },
      );
    }
  }

  /** Makes some leases. */
  async #make(leases: readonly MissingLease[], signal: AbortSignal): Promise<void> {
    const { table, calls } = this.#parts;
    try {
      await this.#begin(leases, signal);
      for (const { shard, start } of leases) {
        signal.throwIfAborted();
        const made = await table.insert(newRow(shard, start, calls.clock.nowMs()));
        if (!made) this.#latest.delete(shard.shardId);
      }
    } catch (error) {
      for (const { shard } of leases) this.#latest.delete(shard.shardId);
      throw error;
    }
  }

  /** Fixes where LATEST is before anybody can know of the lease. */
  async #begin(leases: readonly MissingLease[], signal: AbortSignal): Promise<void> {
    const { calls, stream, pollMs } = this.#parts;
    const fresh = leases.filter(({ start }) => start.checkpoint === "LATEST");
    await Promise.all(
      fresh.map(async ({ shard, start: { timestampMs } }) => {
        const start = { type: "LATEST" } as const;
        const parts = { calls, streamName: stream.name, shard, start, pollMs, toEnd: false };
        const source = new PolledShard({ ...parts, latestMs: timestampMs });
        await source.begin(signal, false);
        this.#latest.set(shard.shardId, { source, timestampMs });
      }),
    );
  }

  /** Whether nothing is left to be removed. */
  async #removeGone(
    shards: readonly ShardDescription[],
    rows: readonly LeaseRow[],
  ): Promise<boolean> {
    const { table, calls, patienceMs } = this.#parts;
    const nowMs = calls.clock.monotonicMs();
    const gone = goneLeases(shards, rows);
    const known = new Set(shards.map(({ shardId }) => shardId));
    for (const leaseKey of this.#missingMs.keys()) {
      if (known.has(leaseKey)) this.#missingMs.delete(leaseKey);
    }
    let settled = true;
    for (const { leaseKey, counter } of gone) {
      const sinceMs = this.#missingMs.get(leaseKey) ?? nowMs;
      this.#missingMs.set(leaseKey, sinceMs);
      const removed = nowMs - sinceMs >= patienceMs && (await table.remove(leaseKey, counter));
      settled &&= removed;
    }
    return settled;
  }
}
