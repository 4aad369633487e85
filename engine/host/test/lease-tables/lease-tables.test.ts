/** Lease tables in one engine: each change is one step, and signs of life cost nothing. */
import { afterEach, describe, expect, it } from "vitest";
import {
  InvalidArgumentError,
  LimitExceededError,
  ResourceInUseError,
  ResourceNotFoundError,
} from "../../src/errors/index.ts";
import type { LeaseTableRow } from "../../src/lease-tables/lease-table-types.ts";
import { LeaseTables } from "../../src/lease-tables/lease-tables.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestEngine } from "../support/engines.ts";
import { failureOf } from "../support/failures.ts";

const TABLE = {
  tableName: "g arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
  generation: "1",
};
const ROW: LeaseTableRow = {
  ...{ leaseKey: "shardId-000000000000", owner: null, counter: 0, checkpoint: "TRIM_HORIZON" },
  ...{ subSequenceNumber: 0, timestampMs: undefined, ownerSwitches: 0, parentShardIds: [] },
  ...{ startingHashKey: "0", endingHashKey: "340282366920938463463374607431768211455" },
  ...{ wantedBy: null, state: undefined },
};

const opened: TestEngine[] = [];
afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.service.close();
});

async function open(platform = virtualPlatform()): Promise<TestEngine> {
  const engine = await TestEngine.open(platform);
  opened.push(engine);
  return engine;
}

/** An engine with the table, and calls of it. */
async function openTable(platform = virtualPlatform()) {
  const engine = await open(platform);
  const calls = callsOf(engine, TABLE.generation);
  await calls.open();
  return { engine, ...calls };
}

/** Calls of the table as who knows it by that generation makes them. */
function callsOf({ service }: TestEngine, generation: string) {
  const table = { ...TABLE, generation };
  return {
    open: () => service.call("leaseTableOpen", table),
    list: () => service.call("leaseTableList", table),
    insert: (row: LeaseTableRow) => service.call("leaseTableInsert", { ...table, row }),
    replace: (row: LeaseTableRow, seenCounter: number) =>
      service.call("leaseTableReplace", { ...table, row, seenCounter }),
    remove: (leaseKey: string, seenCounter: number) =>
      service.call("leaseTableRemove", { ...table, leaseKey, seenCounter }),
    drop: () => service.call("leaseTableDrop", table),
  };
}

async function commitsOf({ service }: TestEngine): Promise<number> {
  return (await service.call("storageReport", {})).commits;
}

describe("rows", () => {
  it("are changed only where they are as they were seen", async () => {
    const { list, insert, replace, remove } = await openTable();
    expect(await insert(ROW)).toBe(true);
    expect(await insert({ ...ROW, owner: "late" })).toBe(false);
    const changes = ["a", "b"].map((owner) => replace({ ...ROW, owner, counter: 1 }, 0));
    expect((await Promise.all(changes)).sort()).toEqual([false, true]);
    expect(await replace({ ...ROW, owner: "c", counter: 5 }, 4)).toBe(false);
    const [row] = await list();
    expect(row).toMatchObject({ counter: 1, owner: expect.stringMatching(/^[ab]$/) });
    expect(await remove(ROW.leaseKey, 0)).toBe(false);
    expect(await remove(ROW.leaseKey, 1)).toBe(true);
    expect(await remove(ROW.leaseKey, 1)).toBe(false);
    expect(await list()).toEqual([]);
  });

  it("come back as they were put, by key", async () => {
    const { list, insert } = await openTable();
    const other = { ...ROW, leaseKey: "shardId-000000000001", timestampMs: 5, state: "{}" };
    await insert({ ...other, parentShardIds: [ROW.leaseKey] });
    await insert({ ...ROW, extra: "is not kept" } as LeaseTableRow);
    expect(await list()).toEqual([ROW, { ...other, parentShardIds: [ROW.leaseKey] }]);
  });

  it("of which only the counter changes are not written, and rise above all that was seen in the next life", async () => {
    const platform = virtualPlatform();
    const first = await openTable(platform);
    await first.insert(ROW);
    await first.replace({ ...ROW, owner: "a", counter: 1 }, 0);
    const before = await commitsOf(first.engine);
    for (let counter = 2; counter <= 20; counter++) {
      expect(await first.replace({ ...ROW, owner: "a", counter }, counter - 1)).toBe(true);
    }
    expect(await commitsOf(first.engine)).toBe(before);
    expect((await first.list())[0]?.counter).toBe(20);
    for (let counter = 21; counter <= 200; counter++) {
      expect(await first.replace({ ...ROW, owner: "a", counter }, counter - 1)).toBe(true);
    }
    // Now and then, so that no counter is used twice.
    const written = (await commitsOf(first.engine)) - before;
    expect(written).toBeGreaterThan(0);
    expect(written).toBeLessThan(10);
    await first.engine.service.close();
    const second = await openTable(platform);
    const [row] = await second.list();
    expect(row).toMatchObject({ owner: "a" });
    expect(row?.counter).toBeGreaterThan(200);
    expect(await second.replace({ ...ROW, owner: "b", counter: 201 }, 200)).toBe(false);
    const seen = row?.counter ?? 0;
    expect(await second.replace({ ...ROW, owner: "b", counter: seen + 1 }, seen)).toBe(true);
  });

  it("are the table's alone, and go with it", async () => {
    const { engine, insert, list } = await openTable();
    const { service } = engine;
    await insert(ROW);
    const longer = { ...TABLE, tableName: `${TABLE.tableName}/x` };
    await service.call("leaseTableOpen", longer);
    expect(await service.call("leaseTableList", longer)).toEqual([]);
    await service.call("leaseTableDrop", longer);
    expect(await list()).toHaveLength(1);
    await service.call("leaseTableDrop", TABLE);
    await service.call("leaseTableDrop", TABLE);
    expect(await failureOf(list())).toBeInstanceOf(ResourceNotFoundError);
    expect(await failureOf(insert(ROW))).toBeInstanceOf(ResourceNotFoundError);
  });

  it("rise above all that was seen however many signs of life there were", async () => {
    for (let signs = 30; signs <= 34; signs++) {
      const platform = virtualPlatform();
      const first = await openTable(platform);
      await first.insert(ROW);
      for (let counter = 1; counter <= signs; counter++) {
        expect(await first.replace({ ...ROW, counter }, counter - 1)).toBe(true);
      }
      await first.engine.service.close();
      const [row] = await (await openTable(platform)).list();
      expect(row?.counter).toBeGreaterThan(signs);
    }
  });

  it("that are changed at the same time share commits, however many they are", async () => {
    const { engine, insert, replace, list } = await openTable();
    const rows = Array.from({ length: 300 }, (_, i) => ({ ...ROW, leaseKey: `shard-${i}` }));
    const before = await commitsOf(engine);
    const added = await Promise.all(rows.map((row) => insert(row)));
    const checkpoints = rows.map((row) => replace({ ...row, counter: 1, checkpoint: "17" }, 0));
    expect(new Set([...added, ...(await Promise.all(checkpoints))])).toEqual(new Set([true]));
    expect((await commitsOf(engine)) - before).toBeLessThan(10);
    expect(await list()).toHaveLength(300);
  });

  it("without a range of hash keys are kept, as those of an old KCL", async () => {
    const { list, insert } = await openTable();
    const row = { ...ROW, startingHashKey: "", endingHashKey: "" };
    expect(await insert(row)).toBe(true);
    expect(await list()).toEqual([row]);
  });
});

describe("a stream that was made anew", () => {
  it("has its leases forgotten, and the same one keeps them", async () => {
    const { engine, insert, list, open: again } = await openTable();
    await insert(ROW);
    await again();
    expect(await list()).toHaveLength(1);
    // As numbers, of which the newer one has more digits.
    const newer = callsOf(engine, "10");
    expect(await failureOf(newer.list())).toBeInstanceOf(ResourceNotFoundError);
    await newer.open();
    expect(await newer.list()).toEqual([]);
  });

  it("keeps its leases from who knows the one before", async () => {
    const { engine, ...older } = await openTable();
    await older.insert(ROW);
    const newer = callsOf(engine, "10");
    await newer.open();
    await newer.insert(ROW);
    const failure = await failureOf(older.open());
    expect(failure).toBeInstanceOf(ResourceInUseError);
    expect(failure).toMatchObject({ argument: "generation", value: "1", limit: 10 });
    for (const call of [
      () => older.list(),
      () => older.insert({ ...ROW, leaseKey: "another" }),
      () => older.replace({ ...ROW, counter: 1, checkpoint: "SHARD_END" }, 0),
      () => older.remove(ROW.leaseKey, 0),
    ]) {
      expect(await failureOf(call())).toBeInstanceOf(ResourceNotFoundError);
    }
    await older.drop();
    expect(await newer.list()).toEqual([ROW]);
  });
});

/** Tables over documents of the test's, which are changed when it says so. */
function tablesOver(stored: ReadonlyMap<string, unknown>) {
  const documents = new Map(stored);
  const parts = {
    applied: (_record: object): void => undefined,
    /** Called when a change is committed, and nobody was told yet. */
    onCommitted: (): void => undefined,
  };
  const tables = new LeaseTables({
    documents: {
      get: (key: string) => documents.get(key),
      keys: (prefix: string) => [...documents.keys()].filter((key) => key.startsWith(prefix)),
      putting: (key: string, value: unknown) => ({ kind: "document-put", key, value }),
    },
    log: {
      onApplied: (listener: typeof parts.applied) => {
        parts.applied = listener;
      },
      change: async (records: readonly { key: string; value: unknown }[]) => {
        await Promise.resolve();
        for (const record of records) {
          documents.set(record.key, record.value);
          parts.applied(record);
        }
        parts.onCommitted();
      },
    },
  } as never);
  return { tables, documents, parts };
}

describe("a document that is no row", () => {
  it.each([
    ["nothing", null],
    ["a number", 5],
    ["a state that is none", { ...ROW, timestampMs: null, state: 7 }],
    ["no counter", { ...ROW, timestampMs: null, state: null, counter: "9" }],
  ])("as in a log that was imported, is none: %s", async (_, document) => {
    const key = `lease-row/t/${ROW.leaseKey}`;
    const table = { tableName: "t", generation: "1" };
    const { tables, documents } = tablesOver(
      new Map<string, unknown>([
        ["lease-table/t", "1"],
        [key, document],
      ]),
    );
    expect(tables.list(table)).toEqual([]);
    expect(await tables.replace({ ...table, row: { ...ROW, counter: 10 }, seenCounter: 9 })).toBe(
      false,
    );
    expect(await tables.insert({ ...table, row: ROW })).toBe(true);
    expect(documents.get(key)).toMatchObject({ checkpoint: "TRIM_HORIZON" });
  });
});

describe("in the moment of a commit", () => {
  const table = { tableName: "t", generation: "1" };

  it("a row is listed with the counter that it was given", async () => {
    const { tables, parts } = tablesOver(new Map([["lease-table/t", "1"]]));
    const seen: unknown[] = [];
    parts.onCommitted = () => seen.push(tables.list(table)[0]?.counter);
    await tables.insert({ ...table, row: ROW });
    await tables.replace({ ...table, row: { ...ROW, counter: 5, owner: "a" }, seenCounter: 0 });
    expect(seen).toEqual([0, 5]);
  });

  it("rows that are being added count to the limit", async () => {
    const rows = Array.from({ length: 9_998 }, (_, i): [string, unknown] => [
      `lease-row/u/${i}`,
      1,
    ]);
    const { tables } = tablesOver(new Map<string, unknown>([["lease-table/t", "1"], ...rows]));
    const add = (leaseKey: string) => tables.insert({ ...table, row: { ...ROW, leaseKey } });
    const added = [add("a"), add("b")];
    const failure = await failureOf(add("c"));
    expect(failure).toBeInstanceOf(LimitExceededError);
    expect(failure).toMatchObject({ value: 10_000, limit: 10_000 });
    expect(await Promise.all(added)).toEqual([true, true]);
  });
});

describe("bad input", () => {
  it.each<[string, object]>([
    ["row", { row: null }],
    ["row.leaseKey", { row: { ...ROW, leaseKey: "" } }],
    ["row.owner", { row: { ...ROW, owner: "x".repeat(300) } }],
    ["row.counter", { row: { ...ROW, counter: -1 } }],
    ["row.checkpoint", { row: { ...ROW, checkpoint: 7 } }],
    ["row.timestampMs", { row: { ...ROW, timestampMs: "now" } }],
    ["row.state", { row: { ...ROW, state: "x".repeat(100_001) } }],
    ["row.parentShardIds", { row: { ...ROW, parentShardIds: ["a", "b", "c"] } }],
    ["tableName", { tableName: "" }],
    ["generation", { generation: "" }],
    ["generation", { generation: "yesterday" }],
  ])("is told: %s", async (argument, wrong) => {
    const { engine } = await openTable();
    const asked = { ...TABLE, row: ROW, ...wrong } as typeof TABLE & { row: LeaseTableRow };
    const failure = await failureOf(engine.service.call("leaseTableInsert", asked));
    expect(failure).toBeInstanceOf(InvalidArgumentError);
    expect(failure).toMatchObject({ argument });
  });

  it("is told of a counter that does not rise", async () => {
    const { insert, replace } = await openTable();
    await insert(ROW);
    expect(await failureOf(replace(ROW, 0))).toMatchObject({ argument: "row.counter" });
  });

  it("is told of tables over the limit", async () => {
    const { engine } = await openTable();
    const { service } = engine;
    for (let i = 1; i < 100; i++) {
      await service.call("leaseTableOpen", { tableName: `t${i}`, generation: "1" });
    }
    const failure = await failureOf(
      service.call("leaseTableOpen", { tableName: "one more", generation: "1" }),
    );
    expect(failure).toBeInstanceOf(LimitExceededError);
    expect(failure).toMatchObject({ limit: 100 });
  });
});
