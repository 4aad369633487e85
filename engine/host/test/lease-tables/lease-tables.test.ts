/** Lease tables in one engine: each change is one step, and signs of life cost nothing. */
import { afterEach, describe, expect, it } from "vitest";
import {
  InvalidArgumentError,
  LimitExceededError,
  ResourceNotFoundError,
} from "../../src/errors/index.ts";
import type { LeaseTableRow } from "../../src/lease-tables/lease-table-types.ts";
import { LeaseTables } from "../../src/lease-tables/lease-tables.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestEngine } from "../support/engines.ts";
import { failureOf } from "../support/failures.ts";

const TABLE = { tableName: "g arn:aws:kinesis:us-east-1:000000000000:stream/clicks" };
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
async function openTable(platform = virtualPlatform(), generation = "1") {
  const engine = await open(platform);
  const { service } = engine;
  await service.call("leaseTableOpen", { ...TABLE, generation });
  return {
    engine,
    list: () => service.call("leaseTableList", TABLE),
    insert: (row: LeaseTableRow) => service.call("leaseTableInsert", { ...TABLE, row }),
    replace: (row: LeaseTableRow, seenCounter: number) =>
      service.call("leaseTableReplace", { ...TABLE, row, seenCounter }),
    remove: (leaseKey: string, seenCounter: number) =>
      service.call("leaseTableRemove", { ...TABLE, leaseKey, seenCounter }),
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
    const longer = { tableName: `${TABLE.tableName}/x` };
    await service.call("leaseTableOpen", { ...longer, generation: "1" });
    expect(await service.call("leaseTableList", longer)).toEqual([]);
    await service.call("leaseTableDrop", longer);
    expect(await list()).toHaveLength(1);
    await service.call("leaseTableDrop", TABLE);
    await service.call("leaseTableDrop", TABLE);
    expect(await failureOf(list())).toBeInstanceOf(ResourceNotFoundError);
    expect(await failureOf(insert(ROW))).toBeInstanceOf(ResourceNotFoundError);
  });

  it("of a stream that was made anew are forgotten, and those of the same one kept", async () => {
    const { engine, insert, list } = await openTable();
    await insert(ROW);
    await engine.service.call("leaseTableOpen", { ...TABLE, generation: "1" });
    expect(await list()).toHaveLength(1);
    await engine.service.call("leaseTableOpen", { ...TABLE, generation: "2" });
    expect(await list()).toEqual([]);
  });
});

describe("a document that is no row", () => {
  it.each([
    ["nothing", null],
    ["a number", 5],
    ["a state that is none", { ...ROW, timestampMs: null, state: 7 }],
    ["no counter", { ...ROW, timestampMs: null, state: null, counter: "9" }],
  ])("as in a log that was imported, is none: %s", async (_, document) => {
    const row = `lease-row/t/${ROW.leaseKey}`;
    const documents = {
      get: (key: string) => (key === row ? document : key === "lease-table/t" ? "1" : undefined),
      keys: () => [row],
      putting: (key: string, value: unknown) => ({ key, value }),
    };
    const changes: unknown[] = [];
    const tables = new LeaseTables({
      documents,
      catalogue: { exclusively: (work: () => unknown) => work() },
      log: { change: async (records: unknown[]) => void changes.push(...records) },
    } as never);
    expect(tables.list("t")).toEqual([]);
    expect(await tables.replace("t", { ...ROW, counter: 10 }, 9)).toBe(false);
    expect(await tables.insert("t", ROW)).toBe(true);
    expect(changes).toMatchObject([{ key: row, value: { checkpoint: "TRIM_HORIZON" } }]);
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
