/** The promises of a LeaseTable, whatever it is made of. */
import type { LeaseRow, LeaseTable } from "millrace/plugin";
import { describe, expect, it } from "vitest";
import { failureOf } from "../support.ts";

/** A new, empty table, and the same one as other workers have it. */
export interface SharedLeases {
  /** Each call gives another client of the table; the first one has opened it. */
  another(): Promise<LeaseTable>;
}

const HASH_KEY_MAX = String(2n ** 128n - 1n);
const SEQUENCE_NUMBER = "49590338271490256608559692538361571095921575989136588898";
const RACES = 200;

/** A lease that nobody has. */
export function leaseRow(changes: Partial<LeaseRow> = {}): LeaseRow {
  return {
    leaseKey: "shardId-000000000000",
    owner: null,
    counter: 0,
    checkpoint: "TRIM_HORIZON",
    subSequenceNumber: 0,
    timestampMs: undefined,
    ownerSwitches: 0,
    parentShardIds: [],
    startingHashKey: "0",
    endingHashKey: HASH_KEY_MAX,
    wantedBy: null,
    state: undefined,
    ...changes,
  };
}

/** The rows of a table in the order of their keys, with parents in order. */
export async function rowsOf(table: LeaseTable): Promise<LeaseRow[]> {
  const rows = await table.list();
  return rows
    .map((row) => ({ ...row, parentShardIds: [...row.parentShardIds].sort() }))
    .sort((a, b) => (a.leaseKey < b.leaseKey ? -1 : 1));
}

/** Numbers from a seed, so that a failure can be had again. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const VARIANTS: readonly (readonly [string, Partial<LeaseRow>])[] = [
  ["of a worker", { owner: "worker-1", counter: 7 }],
  [
    "that another waits for",
    { owner: "worker-1", wantedBy: "worker-2", counter: 8, ownerSwitches: 3 },
  ],
  ["that was given up for another", { owner: null, wantedBy: "worker-2", counter: 9 }],
  [
    "of a worker with any name",
    { owner: "wörker ✓ 😀", checkpoint: "LATEST", timestampMs: 1_763_778_000_123 },
  ],
  ["from a time on", { checkpoint: "AT_TIMESTAMP", timestampMs: 0 }],
  [
    "within an aggregate",
    { checkpoint: SEQUENCE_NUMBER, subSequenceNumber: 41, state: '{"count":1}' },
  ],
  ["of a shard's end", { checkpoint: "SHARD_END", counter: 2 ** 40 }],
  ["with a parent", { parentShardIds: ["shardId-000000000001"], startingHashKey: HASH_KEY_MAX }],
  [
    "with two parents",
    { parentShardIds: ["shardId-000000000002", "shardId-000000000001"], endingHashKey: "0" },
  ],
  ["without a range of hash keys", { startingHashKey: "", endingHashKey: "" }],
  ["with 100,000 characters of state", { state: JSON.stringify("ü".repeat(99_998)) }],
];

/** Registers the tests of one kind of table. */
export function leaseTableContract(kind: string, make: () => Promise<SharedLeases>): void {
  describe(`a table of leases ${kind}`, () => {
    it("is empty when it is made, and can be opened again", async () => {
      const { another } = await make();
      const table = await another();
      await table.open();
      await Promise.all([table.open(), (await another()).open()]);
      expect(await table.list()).toEqual([]);
      expect(table.name).not.toBe("");
    });

    it.each(VARIANTS)("keeps a lease %s as it is", async (_what, changes) => {
      const { another } = await make();
      const [table, other] = [await another(), await another()];
      const row = leaseRow(changes);
      const expected = [{ ...row, parentShardIds: [...row.parentShardIds].sort() }];
      expect(await table.insert(row)).toBe(true);
      expect(await rowsOf(other)).toEqual(expected);
      const counter = row.counter + 1;
      const changed = { ...row, counter, owner: "another", wantedBy: null, state: undefined };
      expect(await other.replace(changed, row.counter)).toBe(true);
      expect(await rowsOf(table)).toEqual([
        { ...changed, parentShardIds: expected[0]?.parentShardIds },
      ]);
      expect(await table.replace({ ...row, counter: counter + 5 }, counter)).toBe(true);
      expect(await rowsOf(other)).toEqual(
        expected.map((one) => ({ ...one, counter: counter + 5 })),
      );
    });

    it("adds a lease of one key once", async () => {
      const { another } = await make();
      const table = await another();
      const first = leaseRow({ owner: "worker-1" });
      expect(await table.insert(first)).toBe(true);
      expect(await table.insert(leaseRow({ owner: "worker-2" }))).toBe(false);
      expect(await table.insert(leaseRow({ leaseKey: "shardId-000000000001" }))).toBe(true);
      expect(await rowsOf(table)).toEqual([first, leaseRow({ leaseKey: "shardId-000000000001" })]);
    });

    it("changes and removes only what is as it was seen", async () => {
      const { another } = await make();
      const table = await another();
      const row = leaseRow({ counter: 4 });
      const changed = leaseRow({ counter: 5, state: "{}" });
      expect(await table.replace(changed, 4)).toBe(false);
      expect(await table.remove(row.leaseKey, 4)).toBe(false);
      expect(await table.list()).toEqual([]);
      await table.insert(row);
      for (const counter of [3, 5]) {
        expect(await table.replace(leaseRow({ counter: 9 }), counter)).toBe(false);
        expect(await table.remove(row.leaseKey, counter)).toBe(false);
      }
      for (const counter of [3, 4]) {
        // A change that could be taken for the row as it was seen would not be one in the others' eyes.
        const failure = await failureOf(table.replace(leaseRow({ counter }), 4));
        expect(failure).toMatchObject({ name: "InvalidArgumentError", argument: "row.counter" });
      }
      expect(await rowsOf(table)).toEqual([row]);
      expect(await table.replace(changed, 4)).toBe(true);
      expect(await rowsOf(table)).toEqual([changed]);
      expect(await table.remove(row.leaseKey, 4)).toBe(false);
      expect(await table.remove(row.leaseKey, 5)).toBe(true);
      expect(await table.remove(row.leaseKey, 5)).toBe(false);
      expect(await table.list()).toEqual([]);
      expect(await table.insert(row)).toBe(true);
    });

    it("gives what it keeps, not what was given to it", async () => {
      const { another } = await make();
      const table = await another();
      const parentShardIds = ["shardId-000000000001"];
      await table.insert(leaseRow({ parentShardIds }));
      parentShardIds.push("shardId-000000000002");
      const [row] = await table.list();
      expect(row?.parentShardIds).toEqual(["shardId-000000000001"]);
    });

    it("lists 60 leases with much state", async () => {
      const { another } = await make();
      const table = await another();
      const rows = Array.from({ length: 60 }, (_, i) =>
        leaseRow({
          leaseKey: `shardId-${String(i).padStart(12, "0")}`,
          state: JSON.stringify(`${i}`.padEnd(50_000, "x")),
        }),
      );
      const inserted = await Promise.all(rows.map((row) => table.insert(row)));
      expect(inserted).toEqual(rows.map(() => true));
      expect(await rowsOf(await another())).toEqual(rows);
    });

    it("removes all", async () => {
      const { another } = await make();
      const [table, other] = [await another(), await another()];
      for (let i = 0; i < 30; i++) {
        await table.insert(leaseRow({ leaseKey: `shardId-${String(i).padStart(12, "0")}` }));
      }
      await other.drop();
      await table.open();
      expect(await table.list()).toEqual([]);
      await table.drop();
      await table.open();
      expect(await table.insert(leaseRow())).toBe(true);
    });

    it("ends calls that are called off", async () => {
      const { another } = await make();
      const table = await another();
      const signal = AbortSignal.abort(new Error("called off"));
      await table.insert(leaseRow());
      for (const call of [
        () => table.list(signal),
        () => table.insert(leaseRow({ leaseKey: "shardId-000000000001" }), signal),
        () => table.replace(leaseRow({ counter: 1 }), 0, signal),
        () => table.remove("shardId-000000000000", 0, signal),
        () => table.drop(signal),
        () => table.open(signal),
      ]) {
        await expect((async () => await call())()).rejects.toThrow("called off");
      }
      expect(await rowsOf(table)).toEqual([leaseRow()]);
    });
  });

  describe(`two workers at one lease of a table ${kind}`, () => {
    /** Changes that both make of the lease as both saw it. */
    const changes: readonly ((
      table: LeaseTable,
      row: LeaseRow,
      owner: string,
    ) => Promise<boolean>)[] = [
      (table, row, owner) =>
        table.replace({ ...row, owner, counter: row.counter + 1 }, row.counter),
      (table, row, owner) =>
        table.replace({ ...row, wantedBy: owner, counter: row.counter + 1 }, row.counter),
      (table, row) => table.remove(row.leaseKey, row.counter),
    ];

    it(`are never both told true, in ${RACES} races`, async () => {
      const { another } = await make();
      const first = await another();
      const workers = [first, await another()];
      const random = randomFrom(7);
      for (let race = 0; race < RACES; race++) {
        const [row] = await rowsOf(workers[random(2)] ?? first);
        const seen = row ?? leaseRow({ counter: race });
        const outcomes = await Promise.all(
          workers.map(async (table, i) => {
            const owner = `worker-${i}`;
            if (row === undefined) return await table.insert({ ...seen, owner });
            const change = changes[random(changes.length)] ?? changes[0];
            return await change?.(table, seen, owner);
          }),
        );
        expect(
          outcomes.filter((won) => won),
          `race ${race}`,
        ).toHaveLength(1);
        const [after] = await rowsOf(first);
        const winner = `worker-${outcomes.indexOf(true)}`;
        // A worker that won by a removal leaves nothing.
        if (after !== undefined) expect([after.owner, after.wantedBy]).toContain(winner);
        expect(after?.counter).not.toBe(row?.counter ?? -1);
      }
    }, 120_000);
  });
}
