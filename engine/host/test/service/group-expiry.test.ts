/** What groups lose with shards that expire before they are done with them: told until somebody has heard of it. */
import { afterEach, describe, expect, it } from "vitest";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { parseSequenceNumber } from "../../src/sequence/sequence-number.ts";
import type { GroupDescription, StreamDescription } from "../../src/service/engine-service.ts";
import { someRecords, TestEngine } from "../support/engines.ts";
import { at, createGroup, TestWorker } from "../support/groups.ts";

const HOUR_MS = 3_600_000;
const opened: TestEngine[] = [];
afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.service.close();
});

interface Scene {
  readonly platform: VirtualPlatform;
  readonly engine: TestEngine;
  readonly stream: StreamDescription;
}

async function scene(records: number): Promise<Scene> {
  const platform = virtualPlatform();
  const engine = await TestEngine.open(platform);
  opened.push(engine);
  const stream = await engine.createStream("clicks", 1);
  if (records > 0) await engine.put(stream, someRecords(records));
  return { platform, engine, stream };
}

async function described({ engine }: Scene, name = "group"): Promise<GroupDescription> {
  return await engine.service.call("groupsDescribe", { name });
}

async function split({ engine }: Scene, ShardToSplit: string, key: bigint): Promise<void> {
  const caller = { principal: "arn:aws:iam::000000000000:root" };
  const input = { StreamName: "clicks", ShardToSplit, NewStartingHashKey: String(key) };
  await engine.service.call("invoke", { operation: "SplitShard", input, caller });
}

/** Lets closed shards of a day's retention expire. */
async function expire({ platform }: Scene, hours = 27): Promise<void> {
  for (let hour = 0; hour < hours; hour++) await platform.clock.advance(HOUR_MS);
  for (let i = 0; i < 200; i++) await Promise.resolve();
}

/** A worker checkpoints at a record of the first shard, and goes. */
async function processTo({ engine }: Scene, index: number): Promise<void> {
  const worker = await TestWorker.join(engine.service, "group", "one");
  await worker.poll(1000);
  await worker.commit(worker.commitOf(0, at(index)));
  await worker.leave();
}

describe("a shard that expires before a group is done with it", () => {
  it("is told with the group's checkpoint, also by the next leader, until it was heard of", async () => {
    const scenery = await scene(10);
    await createGroup(scenery.engine.service, scenery.stream);
    await processTo(scenery, 4);
    await split(scenery, "shardId-000000000000", 2n ** 127n);
    await expire(scenery);
    const { expired, leases } = await described(scenery);
    expect(leases.map(({ shardIndex }) => shardIndex)).toEqual([1, 2]);
    expect(expired).toEqual([
      {
        ...{ shardId: "shardId-000000000000", shardIndex: 0, expiredMs: expect.any(Number) },
        checkpoint: { sequenceNumber: expect.stringMatching(/^\d{56}$/), subSequenceNumber: 0 },
      },
    ]);
    const [{ checkpoint = { sequenceNumber: "" } } = {}] = expired;
    const { sequenceNumber } = checkpoint as { readonly sequenceNumber: string };
    expect(parseSequenceNumber(sequenceNumber)).toMatchObject({ shardIndex: 0, sequenceIndex: 4 });
    await scenery.engine.service.close();
    const next = { ...scenery, engine: await TestEngine.open(scenery.platform) };
    opened.splice(0, 1, next.engine);
    expect((await described(next)).expired).toEqual(expired);
    const forget = (indexes: readonly number[]): Promise<null> =>
      next.engine.service.call("groupsForgetExpired", { name: "group", shardIndexes: indexes });
    await forget([7]);
    expect((await described(next)).expired).toEqual(expired);
    await forget([0]);
    expect((await described(next)).expired).toEqual([]);
  });

  it("is not told where the group had processed all of it, or where it never held anything", async () => {
    const scenery = await scene(10);
    await createGroup(scenery.engine.service, scenery.stream);
    await processTo(scenery, 10);
    await split(scenery, "shardId-000000000000", 2n ** 127n);
    await split(scenery, "shardId-000000000001", 2n ** 126n);
    await expire(scenery);
    const { expired, leases } = await described(scenery);
    expect(leases.map(({ shardIndex }) => shardIndex)).toEqual([2, 3, 4]);
    expect(expired).toEqual([]);
  });

  it("is told also where nobody has begun it, since its parent was not done", async () => {
    const scenery = await scene(10);
    await createGroup(scenery.engine.service, scenery.stream);
    await split(scenery, "shardId-000000000000", 2n ** 127n);
    await scenery.engine.put(scenery.stream, someRecords(20));
    await split(scenery, "shardId-000000000001", 2n ** 126n);
    await expire(scenery);
    const { expired } = await described(scenery);
    expect(expired.map(({ shardIndex, checkpoint }) => ({ shardIndex, checkpoint }))).toEqual([
      { shardIndex: 0, checkpoint: { at: "TRIM_HORIZON" } },
      { shardIndex: 1, checkpoint: { at: "TRIM_HORIZON" } },
    ]);
  });

  it("is no loss of a group that began behind it, of a replica, and of one that was set back since", async () => {
    const scenery = await scene(10);
    await createGroup(scenery.engine.service, scenery.stream);
    await scenery.engine.service.call("groupsCreate", {
      ...{ name: "replica", streamName: "clicks", startingPosition: { type: "TRIM_HORIZON" } },
      replicaOf: "a stream elsewhere",
    });
    await split(scenery, "shardId-000000000000", 2n ** 127n);
    await createGroup(scenery.engine.service, scenery.stream, { type: "LATEST" }, "newer");
    await expire(scenery);
    expect((await described(scenery, "newer")).expired).toEqual([]);
    expect((await described(scenery, "replica")).expired).toEqual([]);
    expect((await described(scenery)).expired).toHaveLength(1);
    const position = { type: "TRIM_HORIZON" } as const;
    await scenery.engine.service.call("groupsReset", { name: "group", position });
    expect((await described(scenery)).expired).toEqual([]);
  });
});

describe("records that go before a group has processed any", () => {
  async function trimmed(scenery: Scene, name?: string): Promise<readonly boolean[]> {
    return (await described(scenery, name)).leases.map((lease) => lease.trimmed);
  }

  async function takeOver(scenery: Scene): Promise<Scene> {
    await scenery.engine.service.close();
    const engine = await TestEngine.open(scenery.platform);
    opened.splice(0, 1, engine);
    return { ...scenery, engine };
  }

  it("are told of its leases, also by the next leader, where nothing is left", async () => {
    const scenery = await scene(10);
    await createGroup(scenery.engine.service, scenery.stream);
    expect(await trimmed(scenery)).toEqual([false]);
    await expire(scenery, 30);
    expect(await trimmed(scenery)).toEqual([true]);
    const next = await takeOver(scenery);
    expect(await described(next)).toMatchObject({ leases: [{ trimmed: true, lagRecords: 0 }] });
    // A group that begins then has lost nothing.
    await createGroup(next.engine.service, next.stream, { type: "TRIM_HORIZON" }, "later");
    await next.engine.put(next.stream, someRecords(5));
    expect(await trimmed(next, "later")).toEqual([false]);
    expect(await trimmed(next)).toEqual([true]);
    const worker = await TestWorker.join(next.engine.service, "group", "one");
    await worker.poll(1000);
    await worker.commit(worker.commitOf(0, at(worker.lease(0).nextIndex)));
    expect(await trimmed(next)).toEqual([false]);
  });

  it("are none where a takeover left numbers out", async () => {
    const scenery = await scene(0);
    await createGroup(scenery.engine.service, scenery.stream);
    await expire(scenery, 30);
    const next = await takeOver(scenery);
    expect(await trimmed(next)).toEqual([false]);
    await next.engine.put(next.stream, someRecords(5));
    expect(await trimmed(next)).toEqual([false]);
  });
});
