/** Workers over a lease table that leave while a change is on its way: no lease is left to them, or promised to them. */
import { expect, it } from "vitest";
import { VirtualClock } from "../../../../engine/host/src/platform/virtual-clock.ts";
import type { LeaseRow, LeaseTable } from "../../../src/lease-table.ts";
import { TableSession } from "../../../src/remote/groups/table-session.ts";
import { newGate, settle } from "../../direct-client.ts";

const ROW = {
  ...{ owner: null, counter: 1, checkpoint: "TRIM_HORIZON", timestampMs: undefined },
  ...{ subSequenceNumber: 0, ownerSwitches: 0, parentShardIds: [], wantedBy: null },
  ...{ startingHashKey: "0", endingHashKey: "9", state: undefined },
} as const;

/** The rows of two leases. */
class Rows {
  readonly byKey = new Map<string, LeaseRow>(
    ["shardId-000000000000", "shardId-000000000001"].map((leaseKey) => [
      leaseKey,
      { ...ROW, leaseKey },
    ]),
  );

  /** Who has each, and who waits for it. */
  get holders(): string[] {
    return [...this.byKey.values()].map(({ owner, wantedBy }) => `${owner}, ${wantedBy}`);
  }

  replace(row: LeaseRow, seenCounter: number): boolean {
    if (this.byKey.get(row.leaseKey)?.counter !== seenCounter) return false;
    this.byKey.set(row.leaseKey, structuredClone(row));
    return true;
  }
}

/** The way of one worker to the rows. */
class Way {
  /** Its changes are not made before that. */
  held: Promise<void> | undefined;
  /** It is gone: nothing more of it arrives. */
  gone = false;
  readonly table: LeaseTable;

  constructor(rows: Rows) {
    this.table = {
      name: "rows",
      open: async () => undefined,
      list: async () => structuredClone([...rows.byKey.values()]),
      insert: async () => false,
      replace: async (row, seenCounter) => {
        if (this.gone) throw new Error("gone");
        await this.held;
        return rows.replace(row, seenCounter);
      },
      remove: async () => false,
      drop: async () => undefined,
    };
  }
}

/** A worker, which gives up what it is asked for if it is `willing`. */
function join(way: Way, workerId: string, willing = true): TableSession {
  const { table } = way;
  const session: TableSession = new TableSession({
    ...{ table, workerId, leasesMax: undefined, failoverMs: 60_000, handOverMs: 60_000 },
    surroundings: { clock: new VirtualClock(0), closed: false } as never,
    discovery: { rows: () => table.list(), run: async () => 60_000 } as never,
    onFailure: () => undefined,
    onLeases: (leases) => {
      for (const lease of willing ? leases : []) if (lease.handOver) void session.release(lease);
    },
  });
  void session.run();
  return session;
}

it.each([false, true])("leaves while it takes a lease (of another worker: %s)", async (others) => {
  const rows = new Rows();
  const owner = others ? join(new Way(rows), "owner") : undefined;
  await settle();
  const way = new Way(rows);
  const gate = newGate();
  way.held = gate.opened;
  const leaving = join(way, "leaving");
  await settle();
  const left = leaving.leave().then(() => {
    way.gone = true;
  });
  await settle();
  way.held = undefined;
  gate.open();
  await left;
  await settle();
  // The owner looks at its rows again.
  owner?.discoverSoon();
  await settle();
  expect(rows.holders).toEqual(Array(2).fill(others ? "owner, null" : "null, null"));
});

it("leaves while the owner renews the lease that it asked for", async () => {
  const rows = new Rows();
  // Busy with a delivery.
  join(new Way(rows), "owner", false);
  await settle();
  const way = new Way(rows);
  const leaving = join(way, "leaving");
  await settle();
  const asked = [...rows.byKey.values()].find(({ wantedBy }) => wantedBy === "leaving");
  const gate = newGate();
  way.held = gate.opened;
  const left = leaving.leave();
  await settle();
  const { leaseKey = "" } = asked ?? {};
  const row = rows.byKey.get(leaseKey);
  expect(row !== undefined && rows.replace({ ...row, counter: row.counter + 1 }, row.counter)).toBe(
    true,
  );
  way.held = undefined;
  gate.open();
  await left;
  expect(rows.holders).toEqual(Array(2).fill("owner, null"));
});
