/** The table as a KCL knows it: what is written to it, what a KCL wrote, and what is none of both. */
import { readFile } from "node:fs/promises";
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { SERVICE_MEMBERS } from "millrace/remote";
import { describe, expect, it } from "vitest";
import { leaseRow, rowsOf } from "../../../sdk/test/remote/lease-table-contract.ts";
import { failureOf } from "../../../sdk/test/support.ts";
import { type DynamoLeaseTable, LeaseTableError } from "../src/index.ts";
import { clientAt, leasesAt, startDynalite, TABLE } from "./support.ts";

type Item = Record<string, AttributeValue>;

const HASH_KEY_MAX = String(2n ** 128n - 1n);
const SEQUENCE_NUMBER = "49590338271490256608559692538361571095921575989136588898";
const KEY = "shardId-000000000004";

/** A lease as a KCL of version 2 or 3 writes it. */
const KCL_ITEM: Item = {
  leaseKey: { S: KEY },
  leaseOwner: { S: "10.0.0.1:b6ff" },
  leaseCounter: { N: "1287" },
  checkpoint: { S: SEQUENCE_NUMBER },
  checkpointSubSequenceNumber: { N: "12" },
  ownerSwitchesSinceCheckpoint: { N: "0" },
  parentShardId: { SS: ["shardId-000000000001", "shardId-000000000002"] },
  childShardIds: { SS: ["shardId-000000000007"] },
  pendingCheckpoint: { S: SEQUENCE_NUMBER },
  pendingCheckpointSubSequenceNumber: { N: "13" },
  pendingCheckpointState: { B: new Uint8Array([1, 2]) },
  startingHashKey: { S: "0" },
  endingHashKey: { S: HASH_KEY_MAX },
  throughputKBps: { N: "3.25" },
};

const KCL_ROW = leaseRow({
  leaseKey: KEY,
  owner: "10.0.0.1:b6ff",
  counter: 1287,
  checkpoint: SEQUENCE_NUMBER,
  subSequenceNumber: 12,
  parentShardIds: ["shardId-000000000001", "shardId-000000000002"],
});

/** A table with these items, of a DynamoDB of its own. */
async function tableOf(...items: Item[]) {
  const url = await startDynalite();
  const table = leasesAt(url);
  await table.open();
  const client = clientAt(url);
  for (const item of items) await client.putItem({ TableName: TABLE, Item: item });
  const read = async (leaseKey = KEY): Promise<Item | undefined> => {
    const key = { leaseKey: { S: leaseKey } };
    return (await client.getItem({ TableName: TABLE, Key: key, ConsistentRead: true })).Item;
  };
  return { table, client, read };
}

describe("what is written", () => {
  it("has the KCL's attributes, and others only under our own prefix", async () => {
    const { table, read } = await tableOf();
    await table.insert({ ...KCL_ROW, timestampMs: 5, state: "{}" });
    const { childShardIds, throughputKBps, ...expected } = KCL_ITEM;
    for (const name of Object.keys(expected)) if (name.startsWith("pending")) delete expected[name];
    expect(await read()).toEqual({
      ...expected,
      millraceTimestampMs: { N: "5" },
      millraceState: { S: "{}" },
    });
    await table.insert(leaseRow());
    expect(await read("shardId-000000000000")).toEqual({
      leaseKey: { S: "shardId-000000000000" },
      leaseCounter: { N: "0" },
      checkpoint: { S: "TRIM_HORIZON" },
      checkpointSubSequenceNumber: { N: "0" },
      ownerSwitchesSinceCheckpoint: { N: "0" },
      startingHashKey: { S: "0" },
      endingHashKey: { S: HASH_KEY_MAX },
    });
  });

  it("keeps what a KCL has in a lease besides, and loses what the lease has no more", async () => {
    const { table, read } = await tableOf(KCL_ITEM);
    const changed = { ...KCL_ROW, owner: null, counter: 1288, parentShardIds: [], state: "[1]" };
    expect(await table.replace(changed, 1287)).toBe(true);
    const { leaseOwner, parentShardId, ...kept } = KCL_ITEM;
    expect(await read()).toEqual({
      ...kept,
      leaseCounter: { N: "1288" },
      millraceState: { S: "[1]" },
    });
    expect(await table.replace({ ...changed, counter: 1289, state: undefined }, 1288)).toBe(true);
    expect(await read()).toEqual({ ...kept, leaseCounter: { N: "1289" } });
  });

  it("names the one who waits and the one who still has the lease as a KCL does", async () => {
    const { table, read } = await tableOf();
    const row = leaseRow({ leaseKey: KEY, owner: "old", wantedBy: "new" });
    await table.insert(row);
    expect(await read()).toMatchObject({ leaseOwner: { S: "new" }, checkpointOwner: { S: "old" } });
    await table.replace({ ...row, owner: null, counter: 1 }, 0);
    const given = await read();
    expect(given).not.toHaveProperty("leaseOwner");
    expect(given).not.toHaveProperty("checkpointOwner");
    expect(given).toMatchObject({ millraceWantedBy: { S: "new" } });
    await table.replace({ ...row, owner: "new", wantedBy: null, counter: 2 }, 1);
    expect(await read()).toMatchObject({ leaseOwner: { S: "new" }, leaseCounter: { N: "2" } });
    expect(await read()).not.toHaveProperty("millraceWantedBy");
  });
});

describe("what a KCL wrote", () => {
  it("is read as the lease that it is", async () => {
    const { table } = await tableOf(KCL_ITEM);
    expect(await rowsOf(table)).toEqual([KCL_ROW]);
  });

  it("is read with a hand-over under way", async () => {
    const { table } = await tableOf({
      ...KCL_ITEM,
      leaseOwner: { S: "new" },
      checkpointOwner: { S: "old" },
    });
    expect(await rowsOf(table)).toEqual([{ ...KCL_ROW, owner: "old", wantedBy: "new" }]);
  });

  it("is read without what its first versions did not write, which a change leaves to a KCL", async () => {
    const item: Item = {
      leaseKey: { S: KEY },
      leaseCounter: { N: "3" },
      checkpoint: { S: "TRIM_HORIZON" },
    };
    const { table, client, read } = await tableOf(item);
    const [row] = await table.list();
    expect(row).toEqual(
      leaseRow({ leaseKey: KEY, counter: 3, startingHashKey: "", endingHashKey: "" }),
    );
    if (row === undefined) return;
    // A KCL adds the range without another counter.
    const range = { startingHashKey: { S: "0" }, endingHashKey: { S: "9" } };
    await client.putItem({ TableName: TABLE, Item: { ...item, ...range } });
    expect(await table.replace({ ...row, owner: "w", counter: 4 }, 3)).toBe(true);
    expect(await read()).toMatchObject({ ...range, leaseOwner: { S: "w" } });
  });

  it("is read without what else its version 3.5 keeps in the table, which is never removed", async () => {
    const metrics = { leaseKey: { S: "worker-1" }, entityType: { S: "WORKER_METRICS" } };
    const { table, read } = await tableOf({ ...KCL_ITEM, entityType: { S: "LEASE" } }, metrics);
    expect(await rowsOf(table)).toEqual([KCL_ROW]);
    await table.drop();
    expect(await table.list()).toEqual([]);
    expect(await read("worker-1")).toEqual(metrics);
  });
});

describe("a table of another application", () => {
  const refusal = async (table: DynamoLeaseTable, call: "open" | "list" | "drop") => {
    const failure = await failureOf(table[call]());
    expect(failure).toBeInstanceOf(LeaseTableError);
    expect(failure).toMatchObject({
      code: "LeaseTableException",
      argument: "tableName",
      value: TABLE,
      retryable: false,
    });
    return String(failure);
  };

  it.each<[string, { name: string; type: "S" | "N" }[]]>([
    ["another key", [{ name: "id", type: "S" }]],
    ["a number for a key", [{ name: "leaseKey", type: "N" }]],
    [
      "a key of two parts",
      [
        { name: "leaseKey", type: "S" },
        { name: "at", type: "N" },
      ],
    ],
  ])("is refused when it is opened: %s", async (_what, key) => {
    const url = await startDynalite();
    await clientAt(url).createTable({
      TableName: TABLE,
      KeySchema: key.map(({ name }, i) => ({
        AttributeName: name,
        KeyType: i === 0 ? "HASH" : "RANGE",
      })),
      AttributeDefinitions: key.map(({ name, type }) => ({
        AttributeName: name,
        AttributeType: type,
      })),
      BillingMode: "PAY_PER_REQUEST",
    });
    expect(await refusal(leasesAt(url), "open")).toContain("its key is");
  });

  it.each<[string, Item, string]>([
    ["other items", { leaseKey: { S: "a" }, total: { N: "4" } }, "without leaseCounter"],
    ["no checkpoint", { leaseKey: { S: KEY }, leaseCounter: { N: "4" } }, "without checkpoint"],
    ["a counter that is none", { ...KCL_ITEM, leaseCounter: { S: "4" } }, "whose leaseCounter"],
    [
      "a counter too large",
      { ...KCL_ITEM, leaseCounter: { N: "9000000000000000000" } },
      "whose leaseCounter",
    ],
    ["an owner that is none", { ...KCL_ITEM, leaseOwner: { N: "4" } }, "whose leaseOwner"],
    ["parents that are none", { ...KCL_ITEM, parentShardId: { S: "a" } }, "whose parentShardId"],
    [
      "leases of several streams",
      { ...KCL_ITEM, leaseKey: { S: `123456789012:clicks:1700000000:${KEY}` } },
      "no shard of one stream",
    ],
  ])("is refused when it is read, and not emptied: %s", async (_what, item, told) => {
    const { table, read } = await tableOf(item);
    expect(await refusal(table, "list")).toContain(told);
    await refusal(table, "drop");
    expect(await read(item["leaseKey"]?.S)).toEqual(item);
  });
});

describe("a table that is made", () => {
  it.each([
    ["by request", undefined, { mode: "PAY_PER_REQUEST" }],
    ["by units", { readCapacityUnits: 3, writeCapacityUnits: 2 }, { read: 3, write: 2 }],
  ] as const)("is paid as is said: %s", async (_what, billing, expected) => {
    const url = await startDynalite();
    await leasesAt(url, billing === undefined ? {} : { billing }).open();
    const { Table } = await clientAt(url).describeTable({ TableName: TABLE });
    const { ReadCapacityUnits: read, WriteCapacityUnits: write } =
      Table?.ProvisionedThroughput ?? {};
    const mode = Table?.BillingModeSummary?.BillingMode;
    expect({ mode, read, write }).toMatchObject(expected);
  });

  it("is waited for, by all that open it", async () => {
    const url = await startDynalite(700);
    const begun = performance.now();
    await Promise.all(Array.from({ length: 5 }, () => leasesAt(url).open()));
    expect(performance.now() - begun).toBeGreaterThan(600);
    expect(await leasesAt(url).insert(leaseRow())).toBe(true);
  });

  it("that is not ready in time is told", async () => {
    const table = leasesAt(await startDynalite(60_000), { tableDeadlineMs: 1000 });
    expect(await failureOf(table.open())).toMatchObject({
      name: "DeadlineError",
      argument: "tableDeadlineMs",
      value: TABLE,
      limit: 1000,
    });
  });

  it("of the same name is made again when the last one is being deleted", async () => {
    const { table, client } = await tableOf(KCL_ITEM);
    await client.deleteTable({ TableName: TABLE });
    await table.open();
    expect(await table.list()).toEqual([]);
  });
});

describe("the README", () => {
  it("names every attribute that is written, and every option", async () => {
    const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
    const { table, read } = await tableOf();
    const row = { ...KCL_ROW, wantedBy: "new", timestampMs: 5, state: "{}" };
    await table.insert(row);
    const attributes = new Set(Object.keys((await read()) ?? {}));
    await table.replace({ ...row, owner: null, counter: 1288 }, row.counter);
    for (const name of Object.keys((await read()) ?? {})) attributes.add(name);
    expect(attributes.size).toBe(13);
    const rows = readme.split("\n").filter((line) => line.startsWith("| `"));
    for (const name of [...attributes, ...SERVICE_MEMBERS, "tableName", "billing"]) {
      expect(
        rows.some((line) => line.split("|")[1]?.includes(`\`${name}\``)),
        name,
      ).toBe(true);
    }
  });
});
