/** Epochs: checkpoints, state and outputs in one frame or not at all, fenced by the lease counter. */
import { describe, expect, it } from "vitest";
import { ROOT_PRINCIPAL } from "../../src/access/principals.ts";
import {
  InvalidArgumentError,
  LeaseLostError,
  LimitExceededError,
  MillraceError,
  RequestTooLargeError,
  ResourceInUseError,
  ResourceNotFoundError,
  StoreFullError,
} from "../../src/errors/index.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { EngineOptions, StreamDescription } from "../../src/service/engine-service.ts";
import { start, storeOf } from "../support/encrypted-engines.ts";
import { numberOf, someRecords, TestEngine } from "../support/engines.ts";
import { failureOf } from "../support/failures.ts";
import { whileTimePasses } from "../support/fates.ts";
import { at, createGroup, outputOf, TestWorker } from "../support/groups.ts";
import { diskContains, marked } from "../support/secrets.ts";

interface Scene {
  readonly platform: VirtualPlatform;
  readonly engine: TestEngine;
  readonly input: StreamDescription;
  readonly output: StreamDescription;
  readonly worker: TestWorker;
}

/** A group over a stream with ten records per shard, one worker that owns all leases, and a stream to put into. */
async function scene(options: Partial<EngineOptions> = {}, shards = 1): Promise<Scene> {
  const platform = virtualPlatform();
  const engine = await TestEngine.open(platform, options);
  const input = await engine.createStream("input", shards);
  const output = await engine.createStream("output", 2);
  await engine.put(input, someRecords(10 * shards));
  await createGroup(engine.service, input);
  const worker = await TestWorker.join(engine.service, "group", "one");
  await owning(worker, shards);
  return { platform, engine, input, output, worker };
}

/** Polls until a worker owns so many leases. */
async function owning(worker: TestWorker, count: number): Promise<void> {
  for (let i = 0; i < 50; i += 1) {
    if ((await worker.poll(1)).length === count) return;
  }
  throw new Error(`${worker.workerId} owns ${worker.leases.length} leases, not ${count}`);
}

async function numbers(engine: TestEngine, stream: StreamDescription): Promise<number[]> {
  const records = await engine.readAll(stream);
  return records.map(numberOf).sort((one, other) => one - other);
}

/** Splits the first shard of a stream of two in the middle. */
async function split(engine: TestEngine, name: string): Promise<void> {
  const input = {
    ...{ StreamName: name, ShardToSplit: "shardId-000000000000" },
    NewStartingHashKey: (2n ** 126n).toString(),
  };
  const caller = { principal: ROOT_PRINCIPAL };
  await engine.service.call("invoke", { operation: "SplitShard", input, caller });
}

describe("an epoch", () => {
  it("commits checkpoint, state and outputs, which outlive the engine", async () => {
    const { platform, engine, output, worker } = await scene();
    const commit = worker.commitOf(0, at(3, 7), { state: { sum: { total: 6 }, seen: [1, 2] } });
    const answer = await worker.commit(commit, [
      outputOf(output, someRecords(5)),
      outputOf(output, someRecords(5, 100, 5)),
    ]);
    expect(answer).toEqual({ repeated: false });
    await engine.service.close();
    const again = await TestEngine.open(platform.restart());
    expect(await numbers(again, output)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const next = await TestWorker.join(again.service, "group", "one");
    await owning(next, 1);
    expect(next.lease(0)).toMatchObject({
      ...{ checkpoint: at(3, 7), nextIndex: 3, epoch: 1, leaseCounter: 1 },
      state: { sum: { total: 6 }, seen: [1, 2] },
    });
    await again.service.close();
  });

  it("is committed in one frame, and epochs of other leases share it", async () => {
    const { engine, platform, output, worker } = await scene({}, 4);
    let go: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      go = resolve;
    });
    platform.stores.faults.add({ kind: "none", nth: 1, operations: ["appendFrame"], until });
    const held = worker.commit(worker.commitOf(0, at(1)), [outputOf(output, someRecords(2))]);
    await Promise.resolve();
    const before = (await engine.service.call("storageReport", {})).commits;
    const others = [1, 2, 3].map((shardIndex) =>
      worker.commit(worker.commitOf(shardIndex, at(1)), [outputOf(output, someRecords(2))]),
    );
    const second = worker.commit(worker.commitOf(0, at(2), { epochsOn: 2 }));
    for (let i = 0; i < 20; i += 1) await Promise.resolve();
    go();
    await Promise.all([held, ...others, second]);
    const { commits } = await engine.service.call("storageReport", {});
    // The held frame, one for the three others, and the second one of the first lease.
    expect(commits - before).toBe(3);
    expect(await numbers(engine, output)).toHaveLength(8);
  });

  it("that comes again counts once, also when its lease has gone to another worker", async () => {
    const { engine, output, worker } = await scene();
    const commit = worker.commitOf(0, at(3), { state: { key: "value" } });
    const outputs = [outputOf(output, someRecords(5))];
    expect(await worker.commit(commit, outputs)).toEqual({ repeated: false });
    expect(await worker.commit(commit, outputs)).toEqual({ repeated: true });
    await worker.leave();
    const other = await TestWorker.join(engine.service, "group", "other");
    await owning(other, 1);
    expect(await worker.commit(commit, outputs)).toEqual({ repeated: true });
    expect(await numbers(engine, output)).toHaveLength(5);
    expect(other.lease(0)).toMatchObject({ epoch: 1, checkpoint: at(3) });
  });

  it("of a worker that has lost the lease changes nothing, and says so", async () => {
    const { engine, output, worker } = await scene();
    const late = worker.commitOf(0, at(3));
    await worker.leave();
    const other = await TestWorker.join(engine.service, "group", "other");
    await owning(other, 1);
    const failure = await failureOf(worker.commit(late, [outputOf(output, someRecords(5))]));
    expect(failure).toBeInstanceOf(LeaseLostError);
    expect(failure).toMatchObject({ argument: "checkpoints[0].leaseCounter", value: 1 });
    expect(failure.message).toContain("shardId-000000000000");
    expect(await numbers(engine, output)).toEqual([]);
    await other.commit(other.commitOf(0, at(1)));
    // The same worker under the same counter, but an epoch behind: another life of itself was faster.
    const behind = other.commitOf(0, at(2));
    expect(await failureOf(other.commit(behind))).toBeInstanceOf(LeaseLostError);
    const ahead = other.commitOf(0, at(2), { epochsOn: 3 });
    expect(await failureOf(other.commit(ahead))).toBeInstanceOf(LeaseLostError);
  });

  it("over several leases is refused whole when one of them is lost", async () => {
    const { engine, output, worker } = await scene({}, 2);
    const [first, second] = [worker.commitOf(0, at(1)), worker.commitOf(1, at(1))];
    const both = { ...first, checkpoints: [...first.checkpoints, ...second.checkpoints] };
    await worker.release(1);
    const failure = await failureOf(worker.commit(both, [outputOf(output, someRecords(3))]));
    expect(failure).toMatchObject({ argument: "checkpoints[1].leaseCounter" });
    await owning(worker, 2);
    expect(worker.lease(0)).toMatchObject({ epoch: 0, checkpoint: { at: "TRIM_HORIZON" } });
    expect(await numbers(engine, output)).toEqual([]);
  });

  it("is refused when what it puts was made for other shards than there are, and is no repeat then", async () => {
    const { engine, output, worker } = await scene();
    const newestShards = [{ streamUid: output.uid, shardIndex: 1 }];
    const commit = { ...worker.commitOf(0, at(1)), newestShards };
    const outputs = [outputOf(output, someRecords(5))];
    expect(await worker.commit(commit, outputs)).toEqual({ repeated: false });
    await split(engine, "output");
    // What is committed is committed, also when its answer was lost.
    expect(await worker.commit(commit, outputs)).toEqual({ repeated: true });
    const next = worker.commitOf(0, at(2), { epochsOn: 2 });
    const more = [outputOf(output, someRecords(5, 100, 5))];
    const failure = await failureOf(worker.commit({ ...next, newestShards }, more));
    expect(failure).toBeInstanceOf(ResourceInUseError);
    expect(failure).toMatchObject({ argument: "newestShards", value: 1, limit: 3 });
    expect(await numbers(engine, output)).toEqual([0, 1, 2, 3, 4]);
    const newer = [{ streamUid: output.uid, shardIndex: 3 }];
    expect(await worker.commit({ ...next, newestShards: newer }, more)).toEqual({
      repeated: false,
    });
    expect(await numbers(engine, output)).toHaveLength(10);
    for (const wrong of [{}, [{ streamUid: 1 }], [{ streamUid: "1", shardIndex: 2 }]]) {
      const malformed = { ...next, newestShards: wrong } as typeof commit;
      expect(await failureOf(worker.commit(malformed, more))).toBeInstanceOf(InvalidArgumentError);
    }
  });

  it("may exceed quotas, and those who come later wait for them", async () => {
    const { engine, output, worker } = await scene({ quotas: "aws" });
    const outputs = [0, 1, 2].map((i) => outputOf(output, someRecords(1000, 900, 1000 * i)));
    await worker.commit(worker.commitOf(0, at(1)), outputs);
    expect(await numbers(engine, output)).toHaveLength(3000);
    const rows = await engine.put(output, someRecords(20));
    expect(new Set(rows.map(({ status }) => status)).has(0)).toBe(false);
    const metrics = await engine.service.call("shardMetrics", { name: "output" });
    expect(metrics.reduce((sum, { incomingRecords }) => sum + incomingRecords, 0)).toBe(3000);
  });

  it("stores what it puts into an encrypted stream as ciphertext", async () => {
    const { platform, engine, output, worker } = await scene();
    await engine.service.call("keysCreate", { alias: "alias/shop", policy: null });
    await start(engine, "alias/shop", "output");
    const outputs = [outputOf(output, marked("very secret", 5))];
    await worker.commit(worker.commitOf(0, at(3)), outputs);
    await engine.service.close();
    expect(await diskContains(storeOf(platform), "very secret")).toBe(false);
    const again = await TestEngine.open(platform.restart());
    expect(await again.readAll(output)).toHaveLength(outputs.length * marked("x", 5).length);
    await again.service.close();
  });

  it("notes what is about to become a checkpoint, without moving it", async () => {
    const { worker } = await scene();
    await worker.commit(worker.commitOf(0, at(5), { pending: true }));
    worker.version = 0;
    expect((await worker.poll())[0]).toMatchObject({
      ...{ epoch: 1, checkpoint: { at: "TRIM_HORIZON" }, pendingCheckpoint: at(5) },
    });
    await worker.commit(worker.commitOf(0, at(5)));
    worker.version = 0;
    expect((await worker.poll())[0]).toMatchObject({ checkpoint: at(5), pendingCheckpoint: null });
  });
});

describe("an epoch that cannot be committed whole is not committed at all", () => {
  it("when a record of its last output is over the stream's limit", async () => {
    const { engine, output, worker } = await scene();
    const outputs = [
      outputOf(output, someRecords(5)),
      outputOf(output, someRecords(1, 1_048_577, 5)),
    ];
    const puts = engine.put(output, someRecords(3, 100, 100));
    const failure = await failureOf(worker.commit(worker.commitOf(0, at(1)), outputs));
    expect(failure).toBeInstanceOf(MillraceError);
    expect(failure).toMatchObject({ argument: "records[0]", limit: 1_048_576 });
    await puts;
    expect(await numbers(engine, output)).toEqual([100, 101, 102]);
    await worker.commit(worker.commitOf(0, at(1)), [outputOf(output, someRecords(2))]);
    expect(await numbers(engine, output)).toEqual([0, 1, 100, 101, 102]);
  });

  it("when that shows while another frame is being written", async () => {
    const { engine, platform, output, worker } = await scene({}, 2);
    let go: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      go = resolve;
    });
    platform.stores.faults.add({ kind: "none", nth: 1, operations: ["appendFrame"], until });
    const inFlight = engine.put(output, someRecords(3));
    await Promise.resolve();
    const growing = engine.put(output, someRecords(3, 100, 3));
    const bad = [
      outputOf(output, someRecords(5, 100, 50)),
      outputOf(output, someRecords(1, 1_048_577)),
    ];
    const refused = failureOf(worker.commit(worker.commitOf(0, at(1)), bad));
    for (let i = 0; i < 20; i += 1) await Promise.resolve();
    const behind = engine.put(output, someRecords(3, 100, 6));
    const other = worker.commit(worker.commitOf(1, at(1)), [
      outputOf(output, someRecords(1, 100, 9)),
    ]);
    for (let i = 0; i < 20; i += 1) await Promise.resolve();
    go();
    expect(await refused).toMatchObject({ argument: "records[0]" });
    await Promise.all([inFlight, growing, behind, other]);
    expect(await numbers(engine, output)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("when the stream of an output is deleted before its frame is written", async () => {
    const { engine, platform, output, worker } = await scene();
    const other = await engine.createStream("other");
    let go: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      go = resolve;
    });
    platform.stores.faults.add({ kind: "none", nth: 1, operations: ["appendFrame"], until });
    const deleting = engine.service.call("deleteStream", { name: "other" });
    for (let i = 0; i < 20; i += 1) await Promise.resolve();
    const put = engine.put(output, someRecords(2, 100, 70));
    const commit = worker.commit(worker.commitOf(0, at(1), { state: { key: 1 } }), [
      outputOf(output, someRecords(5)),
      outputOf(other, someRecords(5)),
    ]);
    const refused = failureOf(commit);
    for (let i = 0; i < 20; i += 1) await Promise.resolve();
    go();
    await deleting;
    expect(await refused).toBeInstanceOf(ResourceNotFoundError);
    await put;
    expect(await numbers(engine, output)).toEqual([70, 71]);
    worker.version = 0;
    expect((await worker.poll())[0]).toMatchObject({ epoch: 0, state: {} });
  });

  it("when the store has no room for it, and then it waits whole until there is some", async () => {
    const { engine, platform, output, worker } = await scene();
    // Something that can give way.
    const spec = { name: "ballast", shards: 1, retentionHours: 24, recordKibMax: 1024 };
    await engine.service.call("createStream", { ...spec, whenFull: "drop-oldest" });
    const ballast = await engine.service.call("describeStream", { name: "ballast" });
    for (let i = 0; i < 8; i += 1) await engine.put(ballast, someRecords(5, 200_000, 5 * i));
    platform.stores.faults.add({ kind: "full", nth: 1, operations: ["appendFrame"] });
    const commit = worker.commitOf(0, at(4), { state: { key: 1 } });
    const outputs = [outputOf(output, someRecords(5)), outputOf(output, someRecords(5, 100, 5))];
    const answer = await whileTimePasses(platform, worker.commit(commit, outputs));
    expect(answer).toEqual({ repeated: false });
    expect(await numbers(engine, output)).toHaveLength(10);
    worker.version = 0;
    expect((await worker.poll())[0]).toMatchObject({ epoch: 1, checkpoint: at(4) });
  });

  it("when the store stays full; a checkpoint alone still goes through", async () => {
    const { engine, platform, output, worker } = await scene({
      storageBudgetBytes: 16 * 1_048_576,
    });
    let failure: MillraceError | undefined;
    let epoch = 0;
    for (; epoch < 40 && failure === undefined; epoch += 1) {
      const commit = worker.commitOf(0, at(1), { epochsOn: epoch + 1, state: { epoch } });
      const outputs = [outputOf(output, someRecords(10, 100_000, 10 * epoch))];
      failure = await whileTimePasses(platform, worker.commit(commit, outputs)).then(
        () => undefined,
        (error: unknown) => (error instanceof MillraceError ? error : undefined),
      );
    }
    expect(failure).toBeInstanceOf(StoreFullError);
    worker.version = 0;
    expect((await worker.poll())[0]).toMatchObject({
      epoch: epoch - 1,
      state: { epoch: epoch - 2 },
    });
    await whileTimePasses(platform, worker.commit(worker.commitOf(0, at(2))));
    const stored = await whileTimePasses(platform, numbers(engine, output));
    expect(stored).toHaveLength(10 * (epoch - 1));
  });

  it("when its outputs take more than 8 MiB", async () => {
    const { output, worker } = await scene();
    const outputs = [0, 1, 2].map(() => outputOf(output, someRecords(3, 1_000_000)));
    const failure = await failureOf(worker.commit(worker.commitOf(0, at(1)), outputs));
    expect(failure).toBeInstanceOf(RequestTooLargeError);
    expect(failure).toMatchObject({ argument: "outputs", limit: 8_388_608 });
  });

  it("unless these are one record that its stream takes", async () => {
    const { engine, worker } = await scene();
    const wide = { name: "wide", shards: 1, retentionHours: 24, recordKibMax: 10_240 };
    const output = await engine.service.call("createStream", wide);
    await worker.commit(worker.commitOf(0, at(1)), [outputOf(output, someRecords(1, 10_485_000))]);
    expect(await numbers(engine, output)).toEqual([0]);
  });

  it("when the application must not put into a stream", async () => {
    const { engine, output, worker } = await scene();
    const Policy = JSON.stringify({
      Version: "2012-10-17",
      Statement: [
        { Effect: "Deny", Principal: "*", Action: "kinesis:PutRecords", Resource: output.arn },
      ],
    });
    const caller = { principal: "arn:aws:iam::000000000000:root" };
    await engine.service.call("invoke", {
      ...{ operation: "PutResourcePolicy", caller },
      input: { ResourceARN: output.arn, Policy },
    });
    const outputs = [outputOf(output, someRecords(1))];
    const failure = await failureOf(worker.commit(worker.commitOf(0, at(1)), outputs));
    expect(failure.code).toBe("AccessDeniedException");
  });
});

describe("an epoch that makes no sense is refused", () => {
  it("by its checkpoints", async () => {
    const { worker } = await scene({}, 2);
    const refusal = async (commit: Parameters<TestWorker["commit"]>[0]): Promise<MillraceError> =>
      await failureOf(worker.commit(commit));
    const beyond = await refusal(worker.commitOf(0, at(1_000_000)));
    expect(beyond).toBeInstanceOf(InvalidArgumentError);
    expect(beyond).toMatchObject({ argument: "checkpoints[0].checkpoint" });
    expect(await refusal(worker.commitOf(0, { at: "SHARD_END" }))).toMatchObject({
      argument: "checkpoints[0].checkpoint",
    });
    expect(await refusal(worker.commitOf(0, { at: "LATEST" }))).toBeInstanceOf(
      InvalidArgumentError,
    );
    await worker.commit(worker.commitOf(0, at(3, 2)));
    const behind = await refusal(worker.commitOf(0, at(3, 1), { epochsOn: 2 }));
    expect(behind).toMatchObject({ value: "3/1" });
    await worker.commit(worker.commitOf(0, at(3, 2), { epochsOn: 2 }));
    const none = { ...worker.commitOf(0, at(4)), checkpoints: [] };
    expect(await refusal(none)).toMatchObject({ argument: "checkpoints" });
    const [one] = worker.commitOf(1, at(1)).checkpoints;
    const twice = { ...worker.commitOf(1, at(1)), checkpoints: one ? [one, one] : [] };
    expect(await refusal(twice)).toMatchObject({ argument: "checkpoints" });
    expect(await refusal({ ...worker.commitOf(0, at(4)), groupName: "none" })).toBeInstanceOf(
      ResourceNotFoundError,
    );
  });

  it("by its state", async () => {
    const { worker } = await scene({}, 2);
    const long = worker.commitOf(0, at(1), { state: { key: "x".repeat(65_536) } });
    expect(await failureOf(worker.commit(long))).toBeInstanceOf(LimitExceededError);
    const badKey = worker.commitOf(0, at(1), { state: { "a/b": 1 } });
    expect(await failureOf(worker.commit(badKey))).toMatchObject({ argument: "state[0].key" });
    const foreign = {
      ...worker.commitOf(0, at(1)),
      state: [{ shardIndex: 1, key: "a", value: 1 }],
    };
    expect(await failureOf(worker.commit(foreign))).toMatchObject({
      argument: "state[0].shardIndex",
    });
  });
});
