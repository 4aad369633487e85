import { describe, expect, it } from "vitest";
import { framePrincipal } from "../../../src/access/principals.ts";
import { SHARD_METRICS } from "../../../src/metrics/metrics-registry.ts";
import { streamMetrics } from "../../../src/service/stream-metrics.ts";
import { streamArn } from "../../../src/streams/arns.ts";
import { ResourceBench } from "../../support/resources.ts";

const StreamName = "clicks";

async function withStream(options = {}): Promise<ResourceBench> {
  const bench = await ResourceBench.open(options);
  await bench.createStream();
  return bench;
}

describe("enhanced monitoring", () => {
  it("is enabled and disabled metric by metric, and outlasts a restart", async () => {
    const bench = await withStream();
    const identity = { StreamName, StreamARN: streamArn(StreamName) };
    const two = ["OutgoingBytes", "IncomingBytes"] as const;
    expect(
      await bench.call("EnableEnhancedMonitoring", { StreamName, ShardLevelMetrics: two }),
    ).toEqual({
      ...identity,
      CurrentShardLevelMetrics: [],
      DesiredShardLevelMetrics: ["IncomingBytes", "OutgoingBytes"],
    });
    const again = await bench.reopen();
    expect(
      await again.call("EnableEnhancedMonitoring", { ...identity, ShardLevelMetrics: ["ALL"] }),
    ).toEqual({
      ...identity,
      CurrentShardLevelMetrics: ["IncomingBytes", "OutgoingBytes"],
      DesiredShardLevelMetrics: [...SHARD_METRICS],
    });
    const some = { StreamName, ShardLevelMetrics: ["IncomingBytes", "IncomingBytes"] } as const;
    const left = await again.call("DisableEnhancedMonitoring", some);
    expect(left.CurrentShardLevelMetrics).toEqual([...SHARD_METRICS]);
    expect(left.DesiredShardLevelMetrics).toEqual(SHARD_METRICS.slice(1));
    const none = await again.call("DisableEnhancedMonitoring", {
      StreamName,
      ShardLevelMetrics: ["ALL"],
    });
    expect(none.DesiredShardLevelMetrics).toEqual([]);
  });

  it("has datapoints of shards from then on", async () => {
    const bench = await withStream();
    const { catalogue, metrics } = bench.context;
    const put = {
      operation: "PutRecord",
      latencyMs: 1,
      shards: [
        { shardIndex: 1, storedRecords: 1, storedBytes: 9, throttledRecords: 0, failedRecords: 0 },
      ],
    } as const;
    const { uid } = catalogue.get(StreamName);
    metrics.recordPut(uid, put);
    await bench.call("EnableEnhancedMonitoring", {
      StreamName,
      ShardLevelMetrics: ["IncomingBytes"],
    });
    metrics.recordPut(uid, put);
    const asked = { name: StreamName, metricName: "IncomingBytes", startMs: 0, endMs: 9e15 };
    const sums = (shardId?: string) =>
      streamMetrics({ catalogue, metrics }, { ...asked, ...(shardId && { shardId }) }).map(
        ({ sum }) => sum,
      );
    expect(sums("shardId-000000000001")).toEqual([9]);
    expect(sums("shardId-000000000000")).toEqual([]);
    expect(sums()).toEqual([18]);
    expect(() => streamMetrics({ catalogue, metrics }, { ...asked, name: "none" })).toThrow(
      /not found/,
    );
  });

  it("shows as UPDATING, and only when it changes something", async () => {
    const bench = await withStream({ transitionMs: 1000 });
    await bench.pass(1000);
    const input = { StreamName, ShardLevelMetrics: ["IncomingBytes"] } as const;
    const { catalogue } = bench.context;
    await bench.call("DisableEnhancedMonitoring", input);
    expect(catalogue.status(catalogue.get(StreamName))).toBe("ACTIVE");
    await bench.call("EnableEnhancedMonitoring", input);
    expect(catalogue.status(catalogue.get(StreamName))).toBe("UPDATING");
    expect(await bench.codeOf("EnableEnhancedMonitoring", input)).toBe("ResourceInUseException");
    expect(await bench.codeOf("DisableEnhancedMonitoring", input)).toBe("ResourceInUseException");
    await bench.pass(1000);
    expect(await bench.codeOf("DisableEnhancedMonitoring", input)).toBe("none");
  });

  it("answers calls that are not right", async () => {
    const bench = await withStream();
    const metric = { ShardLevelMetrics: ["ALL"] } as const;
    for (const name of ["EnableEnhancedMonitoring", "DisableEnhancedMonitoring"] as const) {
      expect(await bench.codeOf(name, metric)).toBe("InvalidArgumentException");
      expect(await bench.codeOf(name, { StreamName: "none", ...metric })).toBe(
        "ResourceNotFoundException",
      );
      const stranger = framePrincipal("https://a.example");
      expect(await bench.codeOf(name, { StreamName, ...metric }, stranger)).toBe(
        "AccessDeniedException",
      );
    }
  });
});
