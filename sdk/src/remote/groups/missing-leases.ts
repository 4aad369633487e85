/**
 * Which leases a table lacks, as the KCL's shard syncer finds them: from the open shards up to the ones that have
 * leases. And which of its leases nobody needs any more. Pure.
 */
import type { GroupPosition, ShardDescription } from "@millrace/engine";
import type { LeaseRow } from "../../lease-table.ts";
import { parentsOf } from "../../shard-turns.ts";
import { byShard, isEnded, isFresh, latestMs, type RowStart } from "./lease-rows.ts";

/** A lease that is to be made. */
export interface MissingLease {
  readonly shard: ShardDescription;
  readonly start: RowStart;
}

/** What a table is compared with. */
export interface Wanted {
  /** All that ListShards gives. */
  readonly shards: readonly ShardDescription[];
  readonly position: GroupPosition;
  /** The time now, in ms since the Unix epoch. */
  readonly nowMs: number;
}

/** The leases that are to be made, parents before their children. */
export function missingLeases(wanted: Wanted, rows: readonly LeaseRow[]): MissingLease[] {
  const search = new Search(wanted.shards, rows);
  const missing = search.missing().sort((a, b) => a.shardIndex - b.shardIndex);
  return missing.flatMap((shard) => {
    const start = startOf(wanted, shard, search.follows(shard));
    return start === undefined ? [] : [{ shard, start }];
  });
}

/** Rows of shards that are not there any more, and that nothing waits for. */
export function goneLeases(
  shards: readonly ShardDescription[],
  rows: readonly LeaseRow[],
): LeaseRow[] {
  const known = new Set(shards.map(({ shardId }) => shardId));
  return rows.filter((row) => {
    if (known.has(row.leaseKey)) return false;
    const children = rows.filter(({ parentShardIds }) => parentShardIds.includes(row.leaseKey));
    return !isEnded(row) || children.every((child) => !isFresh(child));
  });
}

/** Where a lease begins; undefined where the position calls for none. */
function startOf(
  { position, nowMs }: Wanted,
  shard: ShardDescription,
  follows: boolean,
): RowStart | undefined {
  const { closedMs, createdSeconds } = shard;
  const oldest: RowStart = { checkpoint: "TRIM_HORIZON", timestampMs: undefined };
  switch (position.type) {
    case "TRIM_HORIZON":
      return oldest;
    case "LATEST":
      if (follows) return oldest;
      if (closedMs !== undefined) return undefined;
      return { checkpoint: "LATEST", timestampMs: latestMs(nowMs) };
    case "AT_TIMESTAMP": {
      const { timestampMs } = position;
      // Sequence numbers tell whole seconds.
      if (closedMs !== undefined && closedMs + 1000 <= timestampMs && !follows) return undefined;
      if (createdSeconds * 1000 >= timestampMs) return oldest;
      return { checkpoint: "AT_TIMESTAMP", timestampMs };
    }
  }
}

class Search {
  readonly #shards: ReadonlyMap<number, ShardDescription>;
  readonly #rows: ReadonlyMap<number, LeaseRow>;
  readonly #missing = new Set<ShardDescription>();
  readonly #follows = new Map<number, boolean>();
  /** A shard went before its children had leases: nobody knows any more what came of it. */
  readonly #slept: boolean;

  constructor(shards: readonly ShardDescription[], rows: readonly LeaseRow[]) {
    this.#shards = new Map(shards.map((shard) => [shard.shardIndex, shard]));
    this.#rows = byShard(rows);
    this.#slept = [...this.#rows.keys()].some((index) => !this.#shards.has(index));
  }

  missing(): ShardDescription[] {
    for (const shard of this.#shards.values()) if (shard.closedMs === undefined) this.#visit(shard);
    return [...this.#missing];
  }

  /** Whether a shard came of one that has a lease. */
  follows(shard: ShardDescription): boolean {
    const found = this.#follows.get(shard.shardIndex);
    if (found !== undefined) return found;
    const follows = parentsOf(shard).some((index) => {
      if (this.#rows.has(index)) return true;
      const parent = this.#shards.get(index);
      return parent === undefined ? this.#slept : this.follows(parent);
    });
    this.#follows.set(shard.shardIndex, follows);
    return follows;
  }

  #visit(shard: ShardDescription): void {
    if (this.#rows.has(shard.shardIndex) || this.#missing.has(shard)) return;
    this.#missing.add(shard);
    for (const index of parentsOf(shard)) {
      const parent = this.#shards.get(index);
      if (parent !== undefined) this.#visit(parent);
    }
  }
}
