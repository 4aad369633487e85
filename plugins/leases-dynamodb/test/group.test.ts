/** Groups over a Kinesis with their leases in DynamoDB: workers that share it, die, leave, and follow a KCL. */
import { describe, expect, it } from "vitest";
import { eventsOf, numbered, sorted, texts, until } from "../../../sdk/test/groups/support.ts";
import { groupOf, inOrder, put, startNoted } from "../../../sdk/test/remote/groups/support.ts";
import { rowsOf } from "../../../sdk/test/remote/lease-table-contract.ts";
import { forward, startStub } from "../../../sdk/test/remote/stub-endpoint.ts";
import { endLater, http1, openRemote, startKinesalite } from "../../../sdk/test/remote/support.ts";
import { clientAt, leasesAt, startDynalite, TABLE } from "./support.ts";

const STREAM = "clicks";

/** A stream of four shards, and a DynamoDB without a table. */
async function startServices() {
  const [kinesis, dynamo] = [await startKinesalite(), await startDynalite()];
  const remote = await openRemote(kinesis, { requestHandler: http1() });
  return { kinesis, dynamo, stream: await remote.streams.create(STREAM, { shards: 4 }) };
}

/** A worker with connections of its own, which `kill` makes silent from one moment to the next. */
async function startWorker(
  workerId: string,
  { kinesis, dynamo }: { kinesis: string; dynamo: string },
) {
  let alive = true;
  const mortal = (url: string): Promise<string> =>
    startStub((question) => {
      if (alive) forward(url, question);
    });
  const remote = await openRemote(await mortal(kinesis), { requestHandler: http1() });
  const leases = leasesAt(await mortal(dynamo));
  const group = await groupOf(await remote.streams.get(STREAM), leases, { failoverMs: 2000 });
  const started = startNoted(group, { workerId });
  endLater(() => started.worker.stop({ graceful: false }));
  const kill = (): void => {
    alive = false;
  };
  return { ...started, group, kill };
}

describe("a group with its leases in DynamoDB", () => {
  it("shares the shards among two workers, and goes on with one when the other dies", async () => {
    const services = await startServices();
    const { stream, dynamo } = services;
    await put(stream, 0, 200);
    const dying = await startWorker("dying", services);
    const heir = await startWorker("heir", services);
    await until(() => dying.worker.leases.length === 2 && heir.worker.leases.length === 2);
    await put(stream, 200, 300);
    const all = (): string[] => [...dying.notes.texts, ...heir.notes.texts];
    await until(() => new Set(all()).size === 300);
    const events = eventsOf(dying.worker);
    dying.kill();
    await put(stream, 300, 400);
    await until(() => new Set(all()).size === 400);
    await until(() => heir.worker.leases.length === 4);
    expect(sorted([...new Set(all())])).toEqual(texts(0, 400));
    expect(heir.notes.texts).toEqual(expect.arrayContaining(texts(390, 400)));
    expect(inOrder(dying.notes.records)).toBe(true);
    await until(() => events.filter(({ kind }) => kind === "lease-lost").length === 2);
    const rows = await rowsOf(leasesAt(dynamo));
    expect(rows.map(({ owner }) => owner)).toEqual(Array(4).fill("heir"));
    await heir.worker.stop();
    const left = await rowsOf(leasesAt(dynamo));
    expect(left.map(({ owner }) => owner)).toEqual(Array(4).fill(null));
    for (const { checkpoint } of left) expect(checkpoint).toMatch(/^\d{50,}$/);
    const next = await startWorker("next", services);
    await put(stream, 400, 420);
    await until(() => next.notes.records.length >= 20);
    expect(sorted(next.notes.texts)).toEqual(texts(400, 420));
  }, 120_000);

  it("goes on where a KCL stopped, whose worker still has the leases by name", async () => {
    const services = await startServices();
    const { stream, dynamo } = services;
    await leasesAt(dynamo).open();
    const client = clientAt(dynamo);
    const begun: number[] = [];
    for (const { shardId, startingHashKey } of await stream.shards()) {
      const records = numbered(0, 10).map((record) => ({
        ...record,
        explicitHashKey: startingHashKey,
      }));
      const sequenceNumbers: string[] = [];
      for (const record of records) {
        sequenceNumbers.push((await stream.putRecord(record)).sequenceNumber);
      }
      const last = begun.length;
      begun.push(last);
      await client.putItem({
        TableName: TABLE,
        Item: {
          leaseKey: { S: shardId },
          leaseOwner: { S: "10.0.0.1:b6ff" },
          leaseCounter: { N: "1287" },
          checkpoint: { S: sequenceNumbers[last] ?? "" },
          checkpointSubSequenceNumber: { N: "0" },
          ownerSwitchesSinceCheckpoint: { N: "0" },
          throughputKBps: { N: "3.25" },
        },
      });
    }
    const { notes, worker, group } = await startWorker("heir", services);
    const expected = begun.flatMap((last) => texts(last + 1, 10));
    await until(() => notes.records.length >= expected.length);
    expect(sorted(notes.texts)).toEqual(sorted(expected));
    await worker.stop();
    const { Items = [] } = await client.scan({ TableName: TABLE, ConsistentRead: true });
    expect(Items.map((item) => item["throughputKBps"])).toEqual(Array(4).fill({ N: "3.25" }));
    await group.delete();
    expect(await leasesAt(dynamo).list()).toEqual([]);
  }, 120_000);
});
