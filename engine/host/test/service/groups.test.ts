/** Consumer groups in one engine: leases, workers, hand-over, discovery, descriptions and resets. */
import { afterEach, describe, expect, it } from "vitest";
import {
  DeposedError,
  GroupSessionLostError,
  InvalidArgumentError,
  LeaseLostError,
  ResourceInUseError,
  ResourceNotFoundError,
  StoreFullError,
} from "../../src/errors/index.ts";
import { writerLockName } from "../../src/platform/locks.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { formatSequenceNumber } from "../../src/sequence/sequence-number.ts";
import type {
  EpochCommit,
  GroupDescription,
  GroupPosition,
  LeaseCheckpoint,
  StreamDescription,
} from "../../src/service/engine-service.ts";
import { someRecords, TestEngine } from "../support/engines.ts";
import { failureOf } from "../support/failures.ts";
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

async function scene(shards = 1, records = 0): Promise<Scene> {
  const platform = virtualPlatform();
  const engine = await TestEngine.open(platform);
  opened.push(engine);
  const stream = await engine.createStream("clicks", shards);
  if (records > 0) await engine.put(stream, someRecords(records));
  return { platform, engine, stream };
}

const join = (engine: TestEngine, workerId: string, leasesMax?: number): Promise<TestWorker> =>
  TestWorker.join(engine.service, "group", workerId, leasesMax === undefined ? {} : { leasesMax });

/** Lets the engine's own work come to rest. */
async function rest(): Promise<void> {
  for (let i = 0; i < 200; i += 1) await Promise.resolve();
}

async function described(engine: TestEngine, name = "group"): Promise<GroupDescription> {
  return await engine.service.call("groupsDescribe", { name });
}

async function owners(engine: TestEngine): Promise<(string | undefined)[]> {
  await rest();
  return (await described(engine)).leases.map(({ owner }) => owner?.workerId);
}

async function statuses(engine: TestEngine): Promise<Record<string, string>> {
  await rest();
  const { leases } = await described(engine);
  return Object.fromEntries(leases.map(({ shardIndex, status }) => [shardIndex, status]));
}

async function invoke(
  engine: TestEngine,
  operation: "SplitShard" | "MergeShards",
  input: object,
): Promise<void> {
  const caller = { principal: "arn:aws:iam::000000000000:root" };
  await engine.service.call("invoke", { operation, input, caller });
}

const HALF = String(2n ** 127n);
const split = (engine: TestEngine, shard: string, at = HALF): Promise<void> =>
  invoke(engine, "SplitShard", {
    ...{ StreamName: "clicks", ShardToSplit: shard, NewStartingHashKey: at },
  });

describe("a consumer group", () => {
  it("is created once, and is found afterwards", async () => {
    const { engine, stream } = await scene();
    const spec = {
      ...{ name: "group", streamName: "clicks", failoverMs: 5000 },
      startingPosition: { type: "TRIM_HORIZON" } as GroupPosition,
    };
    const { service } = engine;
    const created = await service.call("groupsCreate", spec);
    expect(created).toMatchObject({ ...spec, streamUid: stream.uid, handOverMs: 30_000 });
    expect(await service.call("groupsCreate", spec)).toEqual(created);
    expect(await service.call("groupsList", {})).toEqual([created]);
    await engine.createStream("other");
    expect(await service.call("groupsList", { streamName: "other" })).toEqual([]);
    for (const other of [
      { failoverMs: 6000 },
      { streamName: "other" },
      { startingPosition: { type: "AT_TIMESTAMP", timestampMs: 5 } as const },
    ]) {
      const failure = await failureOf(service.call("groupsCreate", { ...spec, ...other }));
      expect(failure).toBeInstanceOf(ResourceInUseError);
      expect(failure.argument).toBe(Object.keys(other)[0]);
    }
  });

  it("is not created of what makes no sense", async () => {
    const { engine } = await scene();
    const spec = {
      name: "group",
      streamName: "clicks",
      startingPosition: { type: "LATEST" } as const,
    };
    const refusal = (more: object) =>
      failureOf(engine.service.call("groupsCreate", { ...spec, ...more }));
    for (const [more, argument] of [
      [{ name: "a/b" }, "name"],
      [{ name: "" }, "name"],
      [{ failoverMs: 499 }, "failoverMs"],
      [{ startingPosition: { type: "AT_SEQUENCE_NUMBER" } }, "startingPosition.type"],
      [{ startingPosition: { type: "AT_TIMESTAMP" } }, "startingPosition.timestampMs"],
    ] as const) {
      expect(await refusal(more)).toMatchObject({ code: "InvalidArgumentException", argument });
    }
    expect(await refusal({ streamName: "none" })).toBeInstanceOf(ResourceNotFoundError);
    expect(await failureOf(described(engine, "none"))).toBeInstanceOf(ResourceNotFoundError);
    const nobody = TestWorker.join(engine.service, "group", "");
    expect(await failureOf(nobody)).toBeInstanceOf(InvalidArgumentError);
  });

  it("at LATEST begins where the stream ended when it was created", async () => {
    const { engine, stream } = await scene(1, 5);
    await createGroup(engine.service, stream, { type: "LATEST" });
    await engine.put(stream, someRecords(5));
    const worker = await join(engine, "one");
    await rest();
    const [lease] = await worker.poll();
    expect(lease).toMatchObject({ checkpoint: { at: "LATEST" }, nextIndex: 6 });
  });

  it("goes with its stream, and its name begins anew behind all that was", async () => {
    const { engine, stream } = await scene();
    await createGroup(engine.service, stream);
    const worker = await join(engine, "one");
    await rest();
    await worker.poll();
    await engine.put(stream, someRecords(5));
    const stale = worker.commitOf(0, at(1), { state: { key: 1 } });
    const polling = failureOf(worker.poll(20_000));
    await engine.service.call("deleteStream", { name: "clicks" });
    expect(await polling).toBeInstanceOf(ResourceNotFoundError);
    expect(await engine.service.call("groupsList", {})).toEqual([]);
    const next = await engine.createStream("clicks");
    await engine.put(next, someRecords(5));
    await createGroup(engine.service, next);
    const again = await join(engine, "one");
    await rest();
    expect(await again.poll()).toMatchObject([{ epoch: 0, state: {}, leaseCounter: 2 }]);
    expect(await failureOf(worker.commit(stale))).toBeInstanceOf(LeaseLostError);
    await engine.service.call("groupsDelete", { name: "group" });
    expect(await failureOf(again.poll())).toBeInstanceOf(ResourceNotFoundError);
  });

  it("goes when everything is reset, while epochs are under way", async () => {
    const { engine, stream } = await scene(1, 5);
    await createGroup(engine.service, stream);
    const worker = await join(engine, "one");
    await rest();
    await worker.poll();
    const commit = worker.commit(worker.commitOf(0, at(1), { state: { key: 1 } }));
    const settled = Promise.allSettled([commit]);
    await engine.service.call("reset", {});
    await settled;
    const next = await engine.createStream("clicks");
    await createGroup(engine.service, next);
    const again = await join(engine, "one");
    await rest();
    expect(await again.poll()).toMatchObject([{ state: {} }]);
  });
});

describe("leases", () => {
  it("are balanced: a new worker gets its part when others hand it over", async () => {
    const { engine, stream } = await scene(4);
    await createGroup(engine.service, stream);
    const one = await join(engine, "one");
    await rest();
    expect(await one.poll()).toHaveLength(4);
    const news = one.poll(20_000);
    const two = await join(engine, "two");
    const asked = (await news).filter(({ handOver }) => handOver);
    expect(asked).toHaveLength(2);
    expect(await statuses(engine)).toMatchObject({ 0: "owned", 3: "handing-over" });
    const arriving = two.poll(20_000);
    for (const { shardIndex } of asked) await one.release(shardIndex);
    await arriving;
    expect(await owners(engine)).toEqual(["one", "one", "two", "two"]);
    await two.poll();
    expect(two.leases.map(({ leaseCounter }) => leaseCounter)).toEqual([3, 3]);
    expect((await one.poll()).every(({ handOver }) => !handOver)).toBe(true);
    const three = await join(engine, "three");
    await rest();
    // Within one already.
    await one.poll();
    await two.poll();
    expect([...one.leases, ...two.leases].filter(({ handOver }) => handOver)).toHaveLength(1);
    await three.leave();
    await rest();
    expect((await one.poll()).concat(await two.poll()).some(({ handOver }) => handOver)).toBe(
      false,
    );
  });

  it("are taken by force from an owner that does not hand them over", async () => {
    const { engine, platform, stream } = await scene(2, 10);
    await createGroup(engine.service, stream);
    const one = await join(engine, "one");
    await rest();
    await one.poll();
    const late = one.commitOf(1, at(1));
    const two = await join(engine, "two");
    for (let passedMs = 0; passedMs < 29_000; passedMs += 1000) {
      await Promise.all([one.poll(), two.poll(), platform.clock.advance(1000)]);
    }
    expect(await owners(engine)).toEqual(["one", "one"]);
    await platform.clock.advance(2000);
    expect(await owners(engine)).toEqual(["one", "two"]);
    expect(await failureOf(one.commit(late))).toBeInstanceOf(LeaseLostError);
    await one.commit(one.commitOf(0, at(1)));
  });

  it("of a worker that is not heard of go to others", async () => {
    const { engine, platform, stream } = await scene(2);
    await createGroup(engine.service, stream);
    const one = await join(engine, "one");
    const two = await join(engine, "two");
    await rest();
    await one.poll();
    await one.release(1);
    await rest();
    await two.poll();
    expect(await owners(engine)).toEqual(["one", "two"]);
    const waiting = two.poll(20_000);
    await platform.clock.advance(9900);
    expect(await owners(engine)).toEqual(["one", "two"]);
    await platform.clock.advance(200);
    expect(await owners(engine)).toEqual(["two", "two"]);
    expect(await waiting).toHaveLength(2);
    const failure = await failureOf(one.poll());
    expect(failure).toBeInstanceOf(GroupSessionLostError);
    expect(failure.retryable).toBe(true);
    expect(await failureOf(one.release(0))).toBeInstanceOf(GroupSessionLostError);
    // Nobody is there who could take them: they stay with the one that is believed to be dead.
    await platform.clock.advance(20_000);
    expect(Object.values(await statuses(engine))).toEqual(["available", "available"]);
    const back = await join(engine, "two");
    expect((await back.poll()).map(({ leaseCounter }) => leaseCounter)).toEqual([2, 3]);
  });

  it("of a worker that leaves a full store go to others all the same", async () => {
    const { engine, platform, stream } = await scene(2);
    await createGroup(engine.service, stream);
    const one = await join(engine, "one");
    await rest();
    for (let i = 0; i < 3; i += 1) platform.stores.faults.add({ kind: "full", nth: 1 });
    await join(engine, "two", 2);
    expect(await failureOf(one.leave())).toBeInstanceOf(StoreFullError);
    await platform.clock.advance(9000);
    expect(await owners(engine)).toEqual(["two", "two"]);
  });

  it("stay with a worker that joins again, and its session before is lost", async () => {
    const { engine, stream } = await scene(2);
    await createGroup(engine.service, stream);
    const one = await join(engine, "one");
    await rest();
    await one.poll();
    const lost = failureOf(one.poll(20_000));
    const again = await join(engine, "one");
    expect(await lost).toBeInstanceOf(GroupSessionLostError);
    await again.poll();
    expect(again.leases.map(({ leaseCounter }) => leaseCounter)).toEqual([1, 1]);
    expect((await described(engine)).workers).toEqual([
      { workerId: "one", memberId: null, leases: 2, leasesMax: null, joined: true },
    ]);
  });

  it("are no more than a worker wants", async () => {
    const { engine, stream } = await scene(4);
    await createGroup(engine.service, stream);
    const one = await join(engine, "one", 1);
    await rest();
    expect(await one.poll()).toHaveLength(1);
    expect(Object.values(await statuses(engine)).sort()).toEqual([
      ...["available", "available", "available", "owned"],
    ]);
  });
});

describe("shards that are split and merged", () => {
  it("are processed before their children", async () => {
    const { engine, stream } = await scene(1, 10);
    await createGroup(engine.service, stream);
    const worker = await join(engine, "one");
    await rest();
    await worker.poll();
    await split(engine, "shardId-000000000000");
    expect(await statuses(engine)).toEqual({
      ...{ 0: "owned", 1: "waiting-for-parents", 2: "waiting-for-parents" },
    });
    await invoke(engine, "MergeShards", {
      ...{ StreamName: "clicks", ShardToMerge: "shardId-000000000001" },
      AdjacentShardToMerge: "shardId-000000000002",
    });
    expect(await statuses(engine)).toMatchObject({ 0: "owned", 3: "waiting-for-parents" });
    await worker.commit(worker.commitOf(0, { at: "SHARD_END" }));
    expect(await statuses(engine)).toEqual({
      ...{ 0: "ended", 1: "owned", 2: "owned", 3: "waiting-for-parents" },
    });
    await worker.poll();
    await worker.commit(worker.commitOf(1, { at: "SHARD_END" }));
    expect(await statuses(engine)).toMatchObject({ 2: "owned", 3: "waiting-for-parents" });
    await worker.poll();
    const last = worker.commitOf(2, { at: "SHARD_END" });
    await worker.commit(last);
    expect(await worker.commit(last)).toEqual({ repeated: true });
    expect(await statuses(engine)).toEqual({ 0: "ended", 1: "ended", 2: "ended", 3: "owned" });
    expect(await worker.poll()).toMatchObject([
      { shardIndex: 3, checkpoint: { at: "TRIM_HORIZON" } },
    ]);
  });

  it("leave state to the shards that came of them, and to no others", async () => {
    const { engine, stream } = await scene(2, 10);
    await createGroup(engine.service, stream);
    const worker = await join(engine, "one");
    await rest();
    await worker.poll();
    // Shards 2 and 3 come of shard 0.
    await split(engine, "shardId-000000000000", String(2n ** 126n));
    const leaving = (shardIndex: number, to: number, checkpoint: LeaseCheckpoint): EpochCommit => ({
      ...worker.commitOf(shardIndex, checkpoint),
      state: [{ shardIndex: to, key: "sum", value: { of: shardIndex } }],
    });
    for (const [from, to] of [
      [1, 2],
      [0, 1],
      [0, 7],
    ] as const) {
      const foreign = leaving(from, to, { at: "TRIM_HORIZON" });
      expect(await failureOf(worker.commit(foreign))).toMatchObject({
        argument: "state[0].shardIndex",
      });
    }
    // Before the end, and with it.
    await worker.commit(leaving(0, 2, { at: "TRIM_HORIZON" }));
    const last = worker.commitOf(0, { at: "SHARD_END" }, { epochsOn: 2 });
    const state = [{ shardIndex: 3, key: "sum", value: { of: "the end" } }];
    await worker.commit({ ...last, state });
    expect(await worker.commit({ ...last, state })).toEqual({ repeated: true });
    await worker.poll();
    expect([1, 2, 3].map((index) => worker.lease(index).state)).toEqual([
      {},
      { sum: { of: 0 } },
      { sum: { of: "the end" } },
    ]);
  });

  it("lose their leases when retention drops them, and their children get theirs", async () => {
    const { engine, platform, stream } = await scene(1, 10);
    await createGroup(engine.service, stream);
    const worker = await join(engine, "one");
    await rest();
    await worker.poll();
    await worker.commit(worker.commitOf(0, at(2), { state: { key: 1 } }));
    await split(engine, "shardId-000000000000");
    for (let hours = 0; hours < 27; hours += 1) await platform.clock.advance(HOUR_MS);
    await rest();
    const { leases } = await described(engine);
    expect(leases.map(({ shardIndex, status }) => [shardIndex, status])).toEqual([
      [1, "available"],
      [2, "available"],
    ]);
  });
});

describe("a description", () => {
  it("says how far behind each lease is", async () => {
    const { engine, platform, stream } = await scene(1, 10);
    await createGroup(engine.service, stream);
    const putMs = platform.clock.nowMs();
    await platform.clock.advance(4000);
    expect((await described(engine)).leases).toMatchObject([
      {
        status: "available",
        lagRecords: 10,
        iteratorAgeMs: 4000,
        checkpoint: { at: "TRIM_HORIZON" },
      },
    ]);
    await engine.put(stream, someRecords(1));
    const worker = await join(engine, "one");
    await rest();
    await worker.poll();
    await worker.commit(worker.commitOf(0, at(10, 3)));
    await platform.clock.advance(1000);
    const [shard] = stream.openShards;
    const sequenceNumber = formatSequenceNumber({
      ...{ createdSeconds: shard?.createdSeconds ?? 0, shardIndex: 0, sequenceIndex: 10 },
      arrivalSeconds: Math.floor(putMs / 1000),
    });
    expect((await described(engine)).leases).toMatchObject([
      {
        ...{ shardId: "shardId-000000000000", status: "owned", epoch: 1, leaseCounter: 1 },
        ...{ owner: { workerId: "one", memberId: null }, lagRecords: 1, iteratorAgeMs: 1000 },
        checkpoint: { sequenceNumber, subSequenceNumber: 3 },
      },
    ]);
    await worker.poll(0, 0);
    await worker.commit(worker.commitOf(0, at(11)));
    expect((await described(engine)).leases).toMatchObject([{ lagRecords: 0, iteratorAgeMs: 0 }]);
  });
});

describe("a group that has processed everything", () => {
  it("has no lag after a takeover, which raises the next sequence index", async () => {
    const { engine, platform, stream } = await scene(1, 3);
    await createGroup(engine.service, stream);
    const worker = await join(engine, "one");
    await rest();
    await worker.poll();
    await worker.commit(worker.commitOf(0, at(3)));
    await platform.clock.advance(5000);
    await engine.service.close();
    const again = await TestEngine.open(platform.restart());
    opened.push(again);
    expect((await described(again)).leases).toMatchObject([{ lagRecords: 0, iteratorAgeMs: 0 }]);
    await again.put(stream, someRecords(2));
    expect((await described(again)).leases).toMatchObject([{ lagRecords: 2 }]);
  });
});

describe("a reset", () => {
  it("replays from a position, once nobody owns the leases, or by force", async () => {
    const { engine, platform, stream } = await scene(1, 5);
    await platform.clock.advance(1000);
    const timestampMs = platform.clock.nowMs();
    await engine.put(stream, someRecords(5));
    await createGroup(engine.service, stream);
    const worker = await join(engine, "one");
    await rest();
    await worker.poll();
    await worker.commit(worker.commitOf(0, at(9), { state: { key: 1 } }));
    const position = { type: "AT_TIMESTAMP", timestampMs } as const;
    const reset = { name: "group", position };
    expect(await failureOf(engine.service.call("groupsReset", reset))).toBeInstanceOf(
      ResourceInUseError,
    );
    const stale = worker.commitOf(0, at(10), { epochsOn: 2 });
    await engine.service.call("groupsReset", { ...reset, force: true });
    await rest();
    expect(await worker.poll()).toMatchObject([
      { checkpoint: { at: "AT_TIMESTAMP", timestampMs }, nextIndex: 6, state: {}, leaseCounter: 3 },
    ]);
    expect(await failureOf(worker.commit(stale))).toBeInstanceOf(LeaseLostError);
    await worker.leave();
    await rest();
    const one = {
      ...reset,
      position: { type: "LATEST" } as const,
      shardId: "shardId-000000000000",
    };
    await engine.service.call("groupsReset", one);
    const again = await join(engine, "one");
    await rest();
    expect(await again.poll()).toMatchObject([{ nextIndex: 11 }]);
    const none = engine.service.call("groupsReset", { ...one, shardId: "shardId-000000000007" });
    expect(await failureOf(none)).toBeInstanceOf(ResourceNotFoundError);
  });
});

describe("a leader that was deposed", () => {
  it("tells workers at their next poll, and says nothing of groups, whose leases others give out now", async () => {
    const { engine, platform, stream } = await scene(1, 5);
    await createGroup(engine.service, stream);
    const worker = await join(engine, "one");
    const thief = await platform.locks.acquire(writerLockName("test"), { steal: true });
    thief.release();
    const next = await TestEngine.open(platform);
    opened.push(next);
    // It learns of it when it writes.
    expect(await failureOf(engine.put(stream, someRecords(1)))).toBeInstanceOf(DeposedError);
    expect(await failureOf(worker.poll())).toBeInstanceOf(DeposedError);
    expect(await failureOf(described(engine))).toBeInstanceOf(DeposedError);
    expect((await described(next)).workers).toMatchObject([{ workerId: "one", joined: false }]);
  });
});
