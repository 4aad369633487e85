/** The call trail under calls that try to silence it: whatever a call brings, its event is written and no other is lost. */
import { describe, expect, it } from "vitest";
import type { ApiCall, StreamDescription } from "../../src/service/engine-service.ts";
import { ApiEngine, turns } from "../support/api-calls.ts";
import { failureOf } from "../support/failures.ts";

const decoder = new TextDecoder();

async function openWithTrail() {
  const api = await ApiEngine.open({ quotas: "aws" });
  const trail = await api.engine.createStream("trail");
  await api.engine.createStream("clicks");
  await api.service.call("setTrail", { streamName: "trail" });
  return { api, trail };
}

/** A call as a stranger to the model makes it. */
async function invokeAnything(api: ApiEngine, operation: string, input: unknown) {
  const caller = { principal: "arn:aws:iam::000000000000:root" };
  return await failureOf(api.service.call("invoke", { operation, input, caller } as ApiCall));
}

async function eventsOf(api: ApiEngine, trail: StreamDescription) {
  await turns();
  await api.platform.clock.advance(2000);
  const records = await api.engine.readAll(trail, { type: "TRIM_HORIZON" }, 10_485_760);
  return records.map((record) => ({
    key: record.key,
    byteLength: record.data.byteLength,
    ...(JSON.parse(decoder.decode(record.data)) as {
      readonly eventName: string;
      readonly requestParameters: unknown;
      readonly errorCode?: string;
    }),
  }));
}

function nested(depth: number): unknown {
  let value: unknown = 0;
  for (let i = 0; i < depth; i++) value = { a: value };
  return value;
}

describe("a call that the trail cannot show as it is", () => {
  it.each([
    ["an empty name", { StreamName: "" }],
    ["a name of 70,000 characters", { StreamName: "x".repeat(70_000) }],
    ["an ARN of 2 MiB", { StreamARN: `arn:aws:kinesis:${"x".repeat(2_097_152)}` }],
    ["2 MiB in many members", { Limit: Array.from({ length: 200_000 }, (_, i) => `no ${i}`) }],
    ["a number that JSON does not have", { Limit: 5n, StreamName: "clicks" }],
    ["10,000 levels", { Limit: nested(10_000), StreamName: "clicks" }],
  ])("%s is in it all the same, between others", async (_what, input) => {
    const { api, trail } = await openWithTrail();
    const before = api.invoke("DescribeStreamSummary", { StreamName: "clicks" });
    const error = await invokeAnything(api, "DescribeStream", input);
    const after = api.invoke("DescribeStreamSummary", { StreamName: "clicks" });
    await Promise.all([before, after]);
    expect(error.code).toMatch(/^(SerializationException|ValidationException)$/);
    const events = await eventsOf(api, trail);
    const bad = events.filter(({ eventName }) => eventName === "DescribeStream");
    expect(bad).toMatchObject([{ errorCode: error.code }]);
    expect(bad[0]?.byteLength).toBeLessThanOrEqual(262_144);
    expect(events).toHaveLength(3);
    const { trailEventsLost, trailFailure } = await api.service.call("storageReport", {});
    expect({ trailEventsLost, trailFailure }).toEqual({
      trailEventsLost: 0,
      trailFailure: undefined,
    });
    await api.close();
  });
});
