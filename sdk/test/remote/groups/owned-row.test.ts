/** A row that a worker owns: its changes, answers that are lost, and when it is no more the worker's. */
import { LeaseLostError } from "millrace";
import type { LeaseRow } from "millrace/remote";
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../../engine/host/src/platform/virtual-clock.ts";
import { OwnedRow } from "../../../src/remote/groups/owned-row.ts";
import { failureOf } from "../../support.ts";
import { LeasesBehind, MemoryLeases } from "../memory-leases.ts";

const KEY = "shardId-000000000000";
const ROW: LeaseRow = {
  ...{ leaseKey: KEY, owner: "me", counter: 5, checkpoint: "TRIM_HORIZON", subSequenceNumber: 0 },
  ...{ timestampMs: undefined, ownerSwitches: 1, parentShardIds: [], wantedBy: null },
  ...{ startingHashKey: "0", endingHashKey: "9", state: undefined },
};
const KEEP_MS = 900;

function own() {
  const leases = new MemoryLeases();
  leases.rows.set(KEY, ROW);
  const table = new LeasesBehind(leases);
  const clock = new VirtualClock(0);
  const lost: OwnedRow[] = [];
  const parts = { table, clock, workerId: "me", keepMs: KEEP_MS };
  const owned = new OwnedRow({ ...parts, onLost: (row) => lost.push(row) }, ROW, 0);
  const found = (): LeaseRow => leases.rows.get(KEY) ?? ROW;
  const write = (change: Partial<LeaseRow>): void => {
    leases.rows.set(KEY, { ...found(), counter: found().counter + 1, ...change });
  };
  return { leases, table, clock, owned, lost, found, write };
}

const checkpoint = (number: string) => (row: LeaseRow) => ({
  ...row,
  ...{ checkpoint: number, ownerSwitches: 0 },
});

describe("an owned row", () => {
  it("is changed in turn, each time with another counter", async () => {
    const { owned, found, leases } = own();
    await Promise.all(["1", "2", "3"].map((number) => owned.change(checkpoint(number))));
    expect(found()).toMatchObject({ checkpoint: "3", counter: 8 });
    expect(leases.changes).toEqual(["me 1", "me 2", "me 3"]);
  });

  it("is lost in time when no change went well, counted from when the last one was begun", async () => {
    const { owned, clock, lost, table } = own();
    clock.advanceBy(KEEP_MS - 1);
    await owned.change((row) => row);
    clock.advanceBy(KEEP_MS - 1);
    expect(owned.lost).toBe(false);
    table.trouble = () => "refused";
    expect(String(await failureOf(owned.change((row) => row)))).toContain("was refused");
    clock.advanceBy(1);
    expect(owned.lost).toBe(true);
    expect(lost).toEqual([owned]);
    expect(await failureOf(owned.change((row) => row))).toBeInstanceOf(LeaseLostError);
    expect(clock.pendingTimers).toBe(0);
  });

  it("is still owned after an answer was lost, whether the change was made or not", async () => {
    const { owned, table, found } = own();
    for (const trouble of ["answers lost", "refused"] as const) {
      table.trouble = () => trouble;
      await failureOf(owned.change(checkpoint(trouble)));
      table.trouble = () => "none";
      await owned.change(checkpoint(`after ${trouble}`));
      expect(found().checkpoint).toBe(`after ${trouble}`);
    }
  });

  it("is changed over what others change of it: who waits for it, and a counter that went on", async () => {
    const { owned, write, found } = own();
    write({ wantedBy: "other" });
    await owned.change(checkpoint("1"));
    expect(found()).toMatchObject({ owner: "me", wantedBy: "other", checkpoint: "1" });
    write({ counter: 1000 });
    await owned.change(checkpoint("2"));
    expect(found()).toMatchObject({ checkpoint: "2", counter: 1001 });
  });

  it.each<[string, Partial<LeaseRow>]>([
    ["another worker took it", { owner: "other", ownerSwitches: 2 }],
    ["somebody set it back", { owner: null }],
    ["a worker of the same name took it", { ownerSwitches: 2 }],
    ["a worker of the same name went on with it", { checkpoint: "77", ownerSwitches: 0 }],
  ])("is lost when %s", async (_what, change) => {
    const { owned, write, found, lost } = own();
    write(change);
    const before = found();
    expect(await failureOf(owned.change(checkpoint("1")))).toBeInstanceOf(LeaseLostError);
    expect(found()).toEqual(before);
    expect(lost).toHaveLength(1);
  });

  it("is lost when it is gone, and what an older list says is passed over", () => {
    const { owned, lost } = own();
    owned.follow({ ...ROW, counter: 4, owner: "before" });
    expect(lost).toEqual([]);
    owned.follow(undefined);
    expect(lost).toEqual([owned]);
  });

  it("is given up once, to whoever waits for it", async () => {
    const { owned, write, found, leases } = own();
    write({ wantedBy: "other" });
    await Promise.all([owned.giveUp(), owned.giveUp()]);
    expect(found()).toMatchObject({ owner: "other", wantedBy: null, ownerSwitches: 2 });
    expect(leases.changes).toHaveLength(1);
  });

  it("that was finished or given up by a call whose answer was lost is no loss", async () => {
    const finished = (row: LeaseRow) => ({ ...row, checkpoint: "SHARD_END", owner: null });
    for (const sees of ["the same call", "a list", "a renewal"] as const) {
      const { owned, table, lost, leases } = own();
      table.trouble = () => "answers lost";
      await failureOf(owned.change(finished));
      table.trouble = () => "none";
      if (sees === "a list") owned.follow(leases.rows.get(KEY));
      if (sees === "a renewal") await owned.change((row) => row);
      await owned.change(finished);
      expect(lost).toEqual([]);
      expect(leases.changes).toEqual(["null SHARD_END"]);
    }
    const { owned, table, lost, leases } = own();
    table.trouble = () => "answers lost";
    await failureOf(owned.giveUp());
    table.trouble = () => "none";
    await owned.giveUp();
    expect(lost).toEqual([]);
    expect(leases.changes).toHaveLength(1);
  });

  it("is not changed once it is given up, finished or forgotten, and leaves no timer", async () => {
    const { owned, write, clock, leases } = own();
    write({ wantedBy: "other" });
    const given = owned.giveUp();
    const late = owned.change((row) => row);
    const later = failureOf(owned.change(checkpoint("1")));
    await Promise.all([given, late]);
    expect(await later).toBeInstanceOf(LeaseLostError);
    expect(leases.changes).toHaveLength(1);
    owned.forget();
    expect(clock.pendingTimers).toBe(0);
    const next = own();
    const under = next.owned.change(checkpoint("1"));
    next.owned.forget();
    await under.catch(() => undefined);
    expect(await failureOf(next.owned.change((row) => row))).toBeInstanceOf(LeaseLostError);
    expect(next.lost).toEqual([]);
    expect(next.clock.pendingTimers).toBe(0);
  });
});
