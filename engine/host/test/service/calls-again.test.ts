/** Control calls that went to an earlier leader, too: what is there already is their own work. */
import { describe, expect, it } from "vitest";
import { ROOT_PRINCIPAL } from "../../src/access/principals.ts";
import type { InputOf } from "../../src/model/shapes.ts";
import type { ControlOperations } from "../../src/service/engine-service.ts";
import type { ControlOperationName } from "../../src/service/operations/operation.ts";
import { ApiEngine } from "../support/api-calls.ts";
import { failureOf } from "../support/failures.ts";

const arn = "arn:aws:kinesis:us-east-1:000000000000:stream/a";
const middle = (1n << 127n).toString();

/** Makes a call under one leader, and again under the next one. */
async function twice<Operation extends keyof ControlOperations>(
  api: ApiEngine,
  operation: Operation,
  argument: Parameters<ControlOperations[Operation]>[0],
) {
  const first = await api.service.call(operation, argument);
  const next = await ApiEngine.open({}, api.platform.restart());
  return { first, again: await next.service.call(operation, argument, true), next };
}

function invokeTwice<Name extends ControlOperationName>(
  api: ApiEngine,
  operation: Name,
  input: InputOf<Name>,
) {
  return twice(api, "invoke", { operation, input, caller: { principal: ROOT_PRINCIPAL } });
}

describe("an operation that took effect under an earlier leader", () => {
  it("answers as it did, and takes effect once", async () => {
    let api = await ApiEngine.open();
    const step = async <Name extends ControlOperationName>(name: Name, input: InputOf<Name>) => {
      const { first, again, next } = await invokeTwice(api, name, input);
      api = next;
      return { first, again };
    };
    const same = async <Name extends ControlOperationName>(name: Name, input: InputOf<Name>) => {
      const { first, again } = await step(name, input);
      expect(again, name).toEqual(first);
    };
    await same("CreateStream", { StreamName: "a", ShardCount: 1 });
    await same("SplitShard", {
      ...{ StreamName: "a", ShardToSplit: "shardId-000000000000", NewStartingHashKey: middle },
    });
    await same("MergeShards", {
      ...{ StreamName: "a", ShardToMerge: "shardId-1", AdjacentShardToMerge: "shardId-2" },
    });
    const scaling = {
      StreamName: "a",
      TargetShardCount: 2,
      ScalingType: "UNIFORM_SCALING",
    } as const;
    expect(await step("UpdateShardCount", scaling)).toMatchObject({
      first: { CurrentShardCount: 1, TargetShardCount: 2 },
      again: { TargetShardCount: 2, StreamName: "a", StreamARN: arn },
    });
    await same("IncreaseStreamRetentionPeriod", { StreamName: "a", RetentionPeriodHours: 48 });
    await same("DecreaseStreamRetentionPeriod", { StreamName: "a", RetentionPeriodHours: 24 });
    await same("AddTagsToStream", { StreamName: "a", Tags: { x: "y" } });
    await same("RemoveTagsFromStream", { StreamName: "a", TagKeys: ["x"] });
    await same("RegisterStreamConsumer", { StreamARN: arn, ConsumerName: "app" });
    await same("DeregisterStreamConsumer", { StreamARN: arn, ConsumerName: "app" });
    const { OpenShardCount } = (await api.invoke("DescribeStreamSummary", { StreamName: "a" }))
      .StreamDescriptionSummary;
    expect(OpenShardCount).toBe(2);
    await same("UpdateStreamMode", {
      ...{ StreamARN: arn, StreamModeDetails: { StreamMode: "ON_DEMAND" } },
    });
    await same("DeleteStream", { StreamName: "a" });
    expect(await api.service.call("listStreams", {})).toEqual([]);
    await api.close();
  });

  it("is made by the next leader when it did not get that far", async () => {
    const api = await ApiEngine.open();
    const call = { operation: "CreateStream", caller: { principal: ROOT_PRINCIPAL } } as const;
    const input = { StreamName: "a", ShardCount: 3 };
    await api.service.call("invoke", { ...call, input }, true);
    expect(await api.service.call("listStreams", {})).toMatchObject([{ name: "a", shards: 3 }]);
    await api.close();
  });

  it("is refused all the same where it was not allowed or not possible", async () => {
    const api = await ApiEngine.open();
    await api.invoke("CreateStream", { StreamName: "a", ShardCount: 2 });
    const again = (operation: ControlOperationName, input: unknown, principal: string) =>
      failureOf(api.service.call("invoke", { operation, input, caller: { principal } }, true));
    const stranger = "arn:aws:iam::999999999999:user/stranger";
    const denied = await again("DeleteStream", { StreamName: "a" }, stranger);
    expect(denied.code).toBe("AccessDeniedException");
    const known = await again(
      "RegisterStreamConsumer",
      { StreamARN: arn, ConsumerName: "x" },
      stranger,
    );
    expect(known.code).toBe("AccessDeniedException");
    const missing = { StreamName: "b", ShardToSplit: "shardId-0", NewStartingHashKey: middle };
    expect((await again("SplitShard", missing, ROOT_PRINCIPAL)).code).toBe(
      "ResourceNotFoundException",
    );
    const invalid = { StreamName: "a", RetentionPeriodHours: 3 };
    const refused = await again("DecreaseStreamRetentionPeriod", invalid, ROOT_PRINCIPAL);
    expect(refused.name).not.toBe("Error");
    await api.close();
  });
});

describe("a call of the typed interface that took effect under an earlier leader", () => {
  it("makes a stream once, and deletes one once", async () => {
    const api = await ApiEngine.open();
    const spec = { name: "a", shards: 2, retentionHours: 24, recordKibMax: 1024 };
    const created = await twice(api, "createStream", spec);
    expect(created.again).toEqual(created.first);
    expect((await failureOf(created.next.service.call("createStream", spec))).code).toBe(
      "ResourceInUseException",
    );
    const deleted = await twice(created.next, "deleteStream", { name: "a" });
    expect(deleted.again).toBeNull();
    const gone = await failureOf(deleted.next.service.call("deleteStream", { name: "a" }));
    expect(gone.code).toBe("ResourceNotFoundException");
    await deleted.next.close();
  });

  it("directs the trail once", async () => {
    const api = await ApiEngine.open();
    await api.engine.createStream("trail");
    const { again, next } = await twice(api, "setTrail", { streamName: "trail" });
    expect(again).toBeNull();
    await next.engine.createStream("b");
    const trail = await next.service.call("describeStream", { name: "trail" });
    await next.platform.clock.advance(10);
    expect((await next.engine.readAll(trail)).length).toBeGreaterThan(0);
    await next.close();
  });

  it("lets no time pass twice", async () => {
    const api = await ApiEngine.open({ time: "virtual" });
    const first = await api.service.call("advanceTime", { byMs: 1000 });
    expect(await api.service.call("advanceTime", { byMs: 1000 }, true)).toBe(first);
    expect(await api.service.call("now", {})).toBe(first);
    await api.close();
  });
});
