/** The KCL's rules over tables of rows: which leases there are to be, and who is to have them. */
import type { GroupPosition, ShardDescription } from "@millrace/engine";
import type { LeaseRow } from "millrace/remote";
import { describe, expect, it } from "vitest";
import { CounterWatch } from "../../../src/remote/groups/counter-watch.ts";
import { planLeases } from "../../../src/remote/groups/lease-plan.ts";
import { newRow, shardIdOf } from "../../../src/remote/groups/lease-rows.ts";
import { stateAfter, stateOf } from "../../../src/remote/groups/lease-state.ts";
import { goneLeases, missingLeases } from "../../../src/remote/groups/missing-leases.ts";
import { ReadNumbers } from "../../../src/remote/groups/read-numbers.ts";

/** A shard that was created and perhaps closed at some second. */
function shard(
  shardIndex: number,
  [created, closed]: readonly [number, number?],
  parents: readonly number[] = [],
): ShardDescription {
  const [parentShardIndex, adjacentParentShardIndex] = parents;
  return {
    ...{ shardId: shardIdOf(shardIndex), shardIndex, createdSeconds: created },
    ...{ startingHashKey: "0", endingHashKey: "9", startingSequenceNumber: "1" },
    ...(closed === undefined ? {} : { closedMs: closed * 1000 }),
    ...(parentShardIndex === undefined ? {} : { parentShardIndex }),
    ...(adjacentParentShardIndex === undefined ? {} : { adjacentParentShardIndex }),
  };
}

/** The KCL's own example: 0 and 1 become 6, 2 and 3 become 7, 6 and 7 become 8; 5 becomes 9 and 10. */
const EXAMPLE = [
  ...[0, 1, 2, 3].map((index) => shard(index, [0, 102])),
  shard(4, [0]),
  shard(5, [0, 205]),
  shard(6, [103, 205], [0, 1]),
  shard(7, [103, 205], [2, 3]),
  shard(8, [206], [6, 7]),
  shard(9, [206], [5]),
  shard(10, [206], [5]),
];
const START = { checkpoint: "TRIM_HORIZON", timestampMs: undefined };

function rowsOf(...indexes: readonly number[]): LeaseRow[] {
  return EXAMPLE.filter(({ shardIndex }) => indexes.includes(shardIndex)).map((one) =>
    newRow(one, START, 0),
  );
}

/** What is missing, as index and start. */
function missing(position: GroupPosition, rows: readonly LeaseRow[], shards = EXAMPLE) {
  const found = missingLeases({ shards, position, nowMs: 300_000 }, rows);
  return found.map(({ shard: { shardIndex }, start }) => `${shardIndex} ${start.checkpoint}`);
}

describe("the leases of a new table", () => {
  it("are those of all shards from the oldest record on, parents first", () => {
    expect(missing({ type: "TRIM_HORIZON" }, [])).toEqual(
      EXAMPLE.map(({ shardIndex }) => `${shardIndex} TRIM_HORIZON`),
    );
  });

  it("are those of the open shards at the newest", () => {
    expect(missing({ type: "LATEST" }, [])).toEqual([4, 8, 9, 10].map((i) => `${i} LATEST`));
  });

  it("begin at LATEST as a clock has it that may be minutes ahead of the service's", () => {
    const wanted = { shards: EXAMPLE, position: { type: "LATEST" }, nowMs: 900_000 } as const;
    const starts = missingLeases(wanted, []).map(({ start }) => start.timestampMs);
    expect(starts).toEqual(Array(4).fill(600_000));
  });

  it("are those of the shards that took records then, and of what came of them", () => {
    expect(missing({ type: "AT_TIMESTAMP", timestampMs: 150_000 }, [])).toEqual([
      ...[4, 5, 6, 7].map((i) => `${i} AT_TIMESTAMP`),
      ...[8, 9, 10].map((i) => `${i} TRIM_HORIZON`),
    ]);
  });
});

describe("the leases that a table lacks", () => {
  it("are as in the KCL's example, and those of children, which wait", () => {
    const rows = rowsOf(4, 5, 7);
    expect(missing({ type: "TRIM_HORIZON" }, rows)).toEqual(
      [0, 1, 6, 8, 9, 10].map((i) => `${i} TRIM_HORIZON`),
    );
    // The KCL makes one of 6 at LATEST, which has nothing to give: it is closed.
    expect(missing({ type: "LATEST" }, rows)).toEqual([8, 9, 10].map((i) => `${i} TRIM_HORIZON`));
  });

  it("are none where all shards have theirs", () => {
    for (const type of ["TRIM_HORIZON", "LATEST"] as const) {
      expect(missing({ type }, rowsOf(4, 8, 9, 10))).toEqual([]);
    }
  });

  it("begin at the oldest record where nobody knows what they came of", () => {
    const [late] = [shard(12, [900], [11])];
    expect(missing({ type: "LATEST" }, rowsOf(5), [late])).toEqual(["12 TRIM_HORIZON"]);
  });
});

describe("leases whose shards are gone", () => {
  it("are needed until the children of a finished one have begun", () => {
    const [five, nine, ten] = rowsOf(5, 9, 10);
    if (five === undefined || nine === undefined || ten === undefined) throw new Error("rows");
    const ended = { ...five, checkpoint: "SHARD_END" };
    const shards = EXAMPLE.filter(({ shardIndex }) => shardIndex !== 5);
    expect(goneLeases(shards, [ended, nine, ten])).toEqual([]);
    const begun = [nine, ten].map((row) => ({ ...row, checkpoint: "12345" }));
    expect(goneLeases(shards, [ended, ...begun])).toEqual([ended]);
    expect(goneLeases(EXAMPLE, [ended, ...begun])).toEqual([]);
    expect(goneLeases(shards, [five, nine, ten])).toEqual([five]);
  });
});

describe("a plan", () => {
  const rows = Array.from({ length: 6 }, (_, i) => newRow(shard(i, [0]), START, 0));
  const owned = (...owners: readonly (string | null)[]): LeaseRow[] =>
    rows.slice(0, owners.length).map((row, i) => ({ ...row, owner: owners[i] ?? null }));
  const plan = (
    given: readonly LeaseRow[],
    options: Partial<Parameters<typeof planLeases>[0]> = {},
  ) =>
    planLeases({
      ...{ rows: given, workerId: "me", leasesMax: Number.POSITIVE_INFINITY, failoverMs: 100 },
      ...{ stillMs: () => 0, below: () => 0, ...options },
    });

  it("takes all that is free for the only worker, and its part beside others", () => {
    expect(plan(owned(null, null, null)).take).toHaveLength(3);
    expect(plan(owned("a", null, null, null)).take).toHaveLength(2);
    expect(plan(owned(null, null, null), { leasesMax: 1 }).take).toHaveLength(1);
  });

  it("takes what stood still, and counts no dead worker", () => {
    const stillMs = (row: LeaseRow) => (row.owner === "dead" ? 100 : 99);
    const { take, ask } = plan(owned("dead", "dead", "me", "a"), { stillMs });
    expect(take.map(({ owner }) => owner)).toEqual(["dead"]);
    expect(ask).toBeUndefined();
  });

  it("asks for one of the most loaded worker's only where that makes the load more even", () => {
    expect(plan(owned("a", "a", "b")).ask?.owner).toBe("a");
    expect(plan(owned("a", "a", "a", "me")).ask?.owner).toBe("a");
    expect(plan(owned("a", "a", "me")).ask).toBeUndefined();
    expect(plan(owned("a", "me")).ask).toBeUndefined();
    // Three have two, two and none: the target is two.
    expect(plan(owned("a", "a", "b", "b")).ask).toBeDefined();
  });

  it("counts a lease that is asked for as had by whoever asked", () => {
    const asked = owned("a", "a").map((row, i) => ({ ...row, wantedBy: i === 0 ? "me" : null }));
    expect(plan(asked).ask).toBeUndefined();
  });

  it("leaves what waits for its parents, and what is finished", () => {
    const parent = newRow(shard(0, [0, 5]), START, 0);
    const child = newRow(shard(1, [5], [0]), START, 0);
    expect(plan([parent, child]).take).toEqual([parent]);
    const ended = { ...parent, checkpoint: "SHARD_END" };
    expect(plan([ended, child]).take).toEqual([child]);
  });

  it("takes what stays free although the others could", () => {
    const given = owned("a", "a", "me", "me", null);
    expect(plan(given, { stillMs: () => 0, leasesMax: 3 }).take).toHaveLength(1);
    const full = owned("a", "me", "me", null);
    expect(plan(full).take).toEqual([]);
    const stillMs = ({ owner }: LeaseRow) => (owner === null ? 200 : 0);
    expect(plan(full, { stillMs }).take).toHaveLength(1);
  });
});

describe("counters", () => {
  it("begin above those of a row that was removed", () => {
    expect(newRow(shard(0, [0]), START, 1_700_000_000_000).counter).toBe(1_700_000_000_000);
  });

  it("stand still from when they were first seen so", () => {
    const watch = new CounterWatch();
    const row = newRow(shard(0, [0]), START, 0);
    expect(watch.stillMs(row, 5)).toBe(0);
    watch.see([row], 10);
    watch.see([row], 20);
    expect(watch.stillMs(row, 25)).toBe(15);
    // Also one that fell, as after a leader that did not know the last ones.
    watch.see([{ ...row, counter: 9 }], 30);
    watch.see([row], 40);
    expect(watch.stillMs(row, 45)).toBe(5);
  });
});

describe("numbers of records that were read", () => {
  it("are the order of reading, whatever is big", () => {
    const big = (last: number) => `4959033827149025660855969253836157109592157598913658${last}`;
    const numbers = new ReadNumbers(big(1000));
    for (const last of [1000, 1003, 1003, 1009]) numbers.add(big(last));
    expect([1000, 1003, 1009].map((last) => numbers.indexOf(big(last)))).toEqual([0, 1, 2]);
    expect(numbers.numberAt(2)).toBe(big(1009));
    for (const unknown of [big(1004), "5", "not a number", ""]) {
      expect(() => numbers.indexOf(unknown)).toThrow("must be the sequence number");
    }
    numbers.forgetBefore(2);
    expect(() => numbers.indexOf(big(1003))).toThrow();
    expect(numbers.indexOf(big(1009))).toBe(2);
    const fresh = new ReadNumbers(undefined);
    fresh.add("99");
    fresh.add("100");
    expect(fresh.indexOf("100")).toBe(2);
  });
});

describe("the state of a lease", () => {
  const [row] = rowsOf(4);
  if (row === undefined) throw new Error("there is one");

  it("is changed entry by entry, and is none when it has none", () => {
    const state = stateAfter(row, [
      ["a", 1],
      ["b", { c: [null, "d"] }],
    ]);
    expect(JSON.parse(state ?? "")).toEqual({ a: 1, b: { c: [null, "d"] } });
    expect(stateAfter({ ...row, state }, [["b", null]])).toBe('{"a":1}');
    expect(stateAfter({ ...row, state: '{"a":1}' }, [["a", null]])).toBe(undefined);
    expect(stateAfter({ ...row, state: '{"a":1}' }, [])).toBe('{"a":1}');
  });

  it("leaves out what is known of repeats before it is too long", () => {
    const repeats = Array.from(
      { length: 16 },
      (_, i) => [`millrace.repeats.0.${i}`, "r".repeat(1000 * (i + 1))] as const,
    );
    const state = stateAfter(row, [...repeats, ["own", "x".repeat(50_000)]]) ?? "";
    expect(state.length).toBeLessThanOrEqual(100_000);
    const kept = Object.keys(JSON.parse(state));
    expect(kept).toContain("own");
    expect(kept).toContain("millrace.repeats.0.0");
    expect(kept).not.toContain("millrace.repeats.0.15");
    expect(() => stateAfter(row, [...repeats, ["own", "x".repeat(100_000)]])).toThrow(
      "at most 100000",
    );
  });

  it("that is no JSON is refused, and told where somebody else wrote it", () => {
    expect(() => stateAfter(row, [["a", undefined as never]])).toThrow("what.state.a must be");
    expect(() => stateAfter(row, [["a", 1n as never]])).toThrow("what.state.a must be");
    for (const state of ["[]", "{", "7"]) {
      expect(() => stateOf({ ...row, state })).toThrow("is no JSON object");
    }
  });
});
