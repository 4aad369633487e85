/** Operations over the trap of a core: whatever frame it traps at, each takes effect once and says so. */
import { describe, expect, it } from "vitest";
import { ROOT_PRINCIPAL } from "../../src/access/principals.ts";
import { Core } from "../../src/core/core.ts";
import { CoreTrapError } from "../../src/core/core-errors.ts";
import type { ShardLogCore } from "../../src/core/core-types.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { openEngine } from "../../src/service/engine.ts";
import { ApiEngine, turns } from "../support/api-calls.ts";
import { coreModule, numberOf, someRecords, TestEngine } from "../support/engines.ts";

/** Cores of which the next commit traps once `trap.armed` is set: its frame is in the store by then. */
function openTrapping() {
  const trap = { armed: false };
  const platform = virtualPlatform();
  const makeCore = async (): Promise<ShardLogCore> => {
    const core: ShardLogCore = await Core.instantiate(await coreModule(), {
      ...{ shardSlotsMax: 1024, routesMax: 512, arenaBytesMax: 16 * 1024 * 1024 },
    });
    let trapped = false;
    return new Proxy(core, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        return (...values: unknown[]): unknown => {
          if (name === "commit" && trap.armed) {
            trap.armed = false;
            trapped = true;
          }
          if (trapped) throw new CoreTrapError(`${String(name)} trapped`);
          return Reflect.apply(member, target, values);
        };
      },
    });
  };
  const opened = openEngine(platform, makeCore, {
    ...{ name: "test", storage: "indexeddb", quotas: "unlimited" },
    memoryBudgetBytes: 32 * 1024 * 1024,
  });
  return opened.then((service) => ({
    api: new ApiEngine(new TestEngine(service, platform, 42)),
    trap,
  }));
}

const middle = (1n << 127n).toString();
const arn = "arn:aws:kinesis:us-east-1:000000000000:stream/a";

describe("an operation whose frame is in the store when the core traps", () => {
  it("answers as if nothing had happened", async () => {
    const { api, trap } = await openTrapping();
    const steps: [string, () => Promise<unknown>, unknown][] = [
      ["create", () => api.invoke("CreateStream", { StreamName: "a", ShardCount: 1 }), undefined],
      [
        "split",
        () =>
          api.invoke("SplitShard", {
            ...{ StreamName: "a", ShardToSplit: "shardId-0", NewStartingHashKey: middle },
          }),
        undefined,
      ],
      [
        "merge",
        () =>
          api.invoke("MergeShards", {
            ...{ StreamName: "a", ShardToMerge: "shardId-1", AdjacentShardToMerge: "shardId-2" },
          }),
        undefined,
      ],
      [
        "scale",
        () =>
          api.invoke("UpdateShardCount", {
            ...{ StreamName: "a", TargetShardCount: 2, ScalingType: "UNIFORM_SCALING" },
          }),
        { StreamName: "a", StreamARN: arn, CurrentShardCount: 1, TargetShardCount: 2 },
      ],
      [
        "retain",
        () =>
          api.invoke("IncreaseStreamRetentionPeriod", {
            ...{ StreamName: "a", RetentionPeriodHours: 48 },
          }),
        undefined,
      ],
      [
        "register",
        () => api.invoke("RegisterStreamConsumer", { StreamARN: arn, ConsumerName: "app" }),
        { Consumer: expect.objectContaining({ ConsumerName: "app", ConsumerStatus: "ACTIVE" }) },
      ],
      [
        "deregister",
        () => api.invoke("DeregisterStreamConsumer", { StreamARN: arn, ConsumerName: "app" }),
        undefined,
      ],
      [
        "mode",
        () =>
          api.invoke("UpdateStreamMode", {
            ...{ StreamARN: arn, StreamModeDetails: { StreamMode: "ON_DEMAND" } },
          }),
        undefined,
      ],
      ["delete", () => api.invoke("DeleteStream", { StreamName: "a" }), undefined],
    ];
    for (const [name, step, answer] of steps) {
      trap.armed = true;
      expect(await step(), name).toEqual(answer);
      expect(trap.armed, name).toBe(false);
    }
    expect(await api.service.call("listStreams", {})).toEqual([]);
    expect((await api.service.call("storageReport", {})).epoch).toBe(1 + steps.length);
    await api.close();
  });

  it("still refuses what was somebody else's work", async () => {
    const { api, trap } = await openTrapping();
    await api.invoke("CreateStream", { StreamName: "a", ShardCount: 1 });
    trap.armed = true;
    const [tagged, created] = await Promise.allSettled([
      api.invoke("AddTagsToStream", { StreamName: "a", Tags: { x: "y" } }),
      api.invoke("CreateStream", { StreamName: "a", ShardCount: 1 }),
    ]);
    expect(tagged.status).toBe("fulfilled");
    expect(created).toMatchObject({ reason: { code: "ResourceInUseException" } });
    expect((await api.invoke("ListTagsForStream", { StreamName: "a" })).Tags).toHaveLength(1);
    await api.close();
  });

  it("leaves faults, metrics, subscriptions and the trail as they were", async () => {
    const { api, trap } = await openTrapping();
    const trail = await api.engine.createStream("trail");
    const stream = await api.engine.createStream("clicks");
    await api.put(stream, someRecords(5));
    const { Consumer } = await api.invoke("RegisterStreamConsumer", {
      ...{ StreamARN: stream.arn, ConsumerName: "app" },
    });
    const subscription = await api.service.call("openSubscription", {
      operation: "SubscribeToShard",
      input: {
        ...{ ConsumerARN: Consumer.ConsumerARN, ShardId: "shardId-000000000000" },
        StartingPosition: { Type: "TRIM_HORIZON" },
      },
      caller: { principal: ROOT_PRINCIPAL },
    });
    const rules = [
      { stream: "nowhere", effect: { kind: "error", code: "InternalFailureException" } },
    ] as const;
    await api.service.call("setFaults", { rules });
    await api.service.call("setTrail", { streamName: "trail" });
    trap.armed = true;
    const waiting = api.read(stream, {
      nextIndex: 100_000_000,
      subscription,
      waitMs: 50_000,
    });
    await api.put(stream, someRecords(1, 100, 5));
    expect(await api.service.call("faults", {})).toEqual(rules);
    const part = await api.read(stream, { subscription });
    expect(part.records.map(numberOf)).toEqual([0, 1, 2, 3, 4, 5]);
    const [metrics] = await api.service.call("shardMetrics", { name: "clicks" });
    expect(metrics?.incomingRecords).toBeGreaterThanOrEqual(5);
    await api.platform.clock.advance(50_000);
    expect((await waiting).records).toEqual([]);
    await turns();
    expect(await api.engine.readAll(trail)).toHaveLength(1);
    await api.close();
  });
});
