/** The inventory of an engine: all that belongs to its streams, whoever may not describe them. */
import { describe, expect, it } from "vitest";
import { ApiEngine } from "../support/api-calls.ts";

const STREAM_ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks";

describe("the inventory", () => {
  it("lists streams with tags, policies, metrics, consumers, channels and settings", async () => {
    const api = await ApiEngine.open({ transitionMs: 1000 });
    await api.engine.createStream("views", 3);
    await api.invoke("UpdateAccountSettings", {
      MinimumThroughputBillingCommitment: { Status: "ENABLED" },
    });
    await api.invoke("CreateStream", {
      StreamName: "clicks",
      StreamModeDetails: { StreamMode: "ON_DEMAND" },
      WarmThroughputMiBps: 20,
      Tags: { team: "web" },
    });
    await api.platform.clock.advance(2000);
    const { Consumer } = await api.invoke("RegisterStreamConsumer", {
      StreamARN: STREAM_ARN,
      ConsumerName: "app",
      Tags: { stage: "test" },
    });
    await api.invoke("EnableEnhancedMonitoring", {
      StreamName: "clicks",
      ShardLevelMetrics: ["IncomingBytes"],
    });
    const inventory = await api.service.call("inventory", {});
    expect(inventory.streams.map(({ stream }) => stream.name)).toEqual(["clicks", "views"]);
    expect(inventory.streams[0]).toMatchObject({
      stream: { mode: "ON_DEMAND", status: "UPDATING", shards: 20 },
      tags: { team: "web" },
      policy: null,
      shardMetrics: ["IncomingBytes"],
      warmMibps: 20,
      consumers: [
        {
          name: "app",
          arn: Consumer.ConsumerARN,
          status: "CREATING",
          tags: { stage: "test" },
          policy: null,
        },
      ],
      channelNames: [],
    });
    expect(inventory.streams[1]).toMatchObject({ tags: {}, warmMibps: 0, consumers: [] });
    expect(inventory).toMatchObject({ advantage: true, trailStreamName: null, virtualMs: null });
    await api.close();
  });

  it("hides nothing behind policies, rates and faults, and leaves no trail", async () => {
    const api = await ApiEngine.open({ controlQuotas: true });
    const stream = await api.engine.createStream("clicks", 1);
    const trail = await api.engine.createStream("trail", 1);
    const Policy = JSON.stringify({
      Version: "2012-10-17",
      Statement: [
        {
          Effect: "Deny",
          Principal: "*",
          Action: "kinesis:*",
          Resource: STREAM_ARN,
          Sid: "nobody",
        },
      ],
    });
    await api.invoke("PutResourcePolicy", { ResourceARN: STREAM_ARN, Policy });
    const effect = { kind: "error", code: "InternalFailureException" } as const;
    await api.service.call("setTrail", { streamName: "trail" });
    await api.service.call("setFaults", { rules: [{ effect }] });
    await expect(api.invoke("GetResourcePolicy", { ResourceARN: STREAM_ARN })).rejects.toThrow();
    const settle = async (): Promise<number> => {
      await api.platform.clock.advance(5000);
      await api.service.call("setFaults", { rules: [] });
      return (await api.read(trail)).records.length;
    };
    const before = await settle();
    for (let i = 0; i < 50; i += 1) {
      const { streams, trailStreamName } = await api.service.call("inventory", {});
      expect(trailStreamName).toBe("trail");
      expect(streams[0]).toMatchObject({ stream: { name: stream.name }, policy: Policy });
    }
    expect(before).toBeGreaterThan(0);
    // Of all that came since, only the reading of the trail itself could be noted, and is not.
    expect(await settle()).toBe(before);
    await api.close();
  });
});
