/** The call trail: every call as a record of a stream, and nothing that fails because of it. */
import { describe, expect, it } from "vitest";
import { pluginPrincipal, ROOT_PRINCIPAL } from "../../src/access/principals.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { StreamDescription } from "../../src/service/engine-service.ts";
import { ApiEngine, callOf, turns } from "../support/api-calls.ts";
import { someRecords } from "../support/engines.ts";
import { failureOf } from "../support/failures.ts";

interface TrailEvent {
  readonly eventName: string;
  readonly errorCode?: string;
  readonly requestParameters: Readonly<Record<string, unknown>> | null;
  readonly [member: string]: unknown;
}

const decoder = new TextDecoder();

async function openWithTrail(api?: ApiEngine) {
  const opened = api ?? (await ApiEngine.open());
  const trail = await opened.engine.createStream("trail");
  const clicks = await opened.engine.createStream("clicks");
  await opened.service.call("setTrail", { streamName: "trail" });
  return { api: opened, trail, clicks };
}

async function eventsOf(api: ApiEngine, trail: StreamDescription): Promise<TrailEvent[]> {
  await turns();
  const records = await api.engine.readAll(trail);
  return records.map(({ data }) => JSON.parse(decoder.decode(data)) as TrailEvent);
}

describe("the call trail", () => {
  it("has every call with principal, parameters and outcome", async () => {
    const { api, trail } = await openWithTrail();
    await api.platform.clock.advance(1500);
    await api.invoke("CreateStream", { StreamName: "orders", ShardCount: 2 });
    const plugin = pluginPrincipal("csv");
    await failureOf(api.invoke("DeleteStream", { StreamName: "orders" }, plugin));
    const [created, denied, ...rest] = await eventsOf(api, trail);
    expect(rest).toEqual([]);
    expect(created).toMatchObject({
      eventTime: "2026-01-01T00:00:01.500Z",
      eventName: "CreateStream",
      eventSource: "kinesis.amazonaws.com",
      eventCategory: "Management",
      readOnly: false,
      userIdentity: { type: "Root", principal: ROOT_PRINCIPAL },
      requestParameters: { streamName: "orders", shardCount: 2 },
      resources: [{ ARN: "arn:aws:kinesis:us-east-1:000000000000:stream/orders" }],
    });
    expect(created).not.toHaveProperty("errorCode");
    expect(created?.["requestID"]).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(denied).toMatchObject({
      eventName: "DeleteStream",
      userIdentity: { type: "AssumedRole", principal: plugin },
      errorCode: "AccessDeniedException",
    });
    expect(denied?.["errorMessage"]).toContain(plugin);
    await api.close();
  });

  it("has calls that were refused by the model, and the identifiers of answers", async () => {
    const { api, trail, clicks } = await openWithTrail();
    await failureOf(api.invoke("CreateStream", { StreamName: "no spaces" }));
    await api.invoke("RegisterStreamConsumer", { StreamARN: clicks.arn, ConsumerName: "app" });
    const [refused, registered] = await eventsOf(api, trail);
    expect(refused).toMatchObject({
      eventName: "CreateStream",
      errorCode: "ValidationException",
      requestParameters: { streamName: "no spaces" },
    });
    const elements = registered?.["responseElements"];
    expect(elements).toMatchObject({ consumer: { consumerName: "app" } });
    expect(JSON.stringify(elements)).not.toContain("ConsumerStatus");
    await api.close();
  });

  it("tells sizes and numbers of contents, and never the contents", async () => {
    const { api, trail, clicks } = await openWithTrail();
    const secret = new TextEncoder().encode("a secret that nobody may see");
    await api.put(clicks, [{ key: "key", data: secret }], callOf("PutRecord"));
    await api.put(clicks, someRecords(10, 90));
    const Policy = JSON.stringify({
      Version: "2012-10-17",
      Statement: [
        {
          ...{ Sid: "unseen", Effect: "Allow", Principal: "*" },
          ...{ Action: "kinesis:PutRecord", Resource: clicks.arn },
        },
      ],
    });
    await api.invoke("PutResourcePolicy", { ResourceARN: clicks.arn, Policy });
    const events = await eventsOf(api, trail);
    expect(events.map(({ eventName }) => eventName)).toEqual([
      "PutRecord",
      "PutRecords",
      "PutResourcePolicy",
    ]);
    expect(JSON.stringify(events)).not.toMatch(/secret|unseen/);
    const [one, many, policy] = events;
    expect(one?.requestParameters).toEqual({
      ...{ streamName: "clicks", recordCount: 1, recordBytes: 3 + secret.byteLength },
    });
    expect(one?.["eventCategory"]).toBe("Data");
    const [stored] = await api.engine.readAll(clicks);
    expect(stored).toBeDefined();
    expect(one?.["responseElements"]).toEqual({
      ...{ shardId: "shardId-000000000000", sequenceNumber: expect.stringMatching(/^\d{56}$/) },
    });
    expect(many).toMatchObject({
      requestParameters: { recordCount: 10 },
      responseElements: { failedRecordCount: 0 },
    });
    expect(policy?.requestParameters).toEqual({
      resourceARN: clicks.arn,
      policyBytes: Policy.length,
    });
    await api.close();
  });

  it("has reads of streams, but not those of the trail itself", async () => {
    const { api, trail, clicks } = await openWithTrail();
    await api.read(clicks);
    await api.read(trail);
    await api.read(trail);
    const events = await eventsOf(api, trail);
    expect(events.map(({ eventName }) => eventName)).toEqual(["GetRecords"]);
    expect(events[0]?.requestParameters).toEqual({
      ...{ streamName: "clicks", shardIds: ["shardId-000000000000"], limit: 10_000 },
    });
    await api.close();
  });

  it("ends when it is told to, and goes on when the engine opens again", async () => {
    const platform = virtualPlatform();
    const { api, trail } = await openWithTrail(await ApiEngine.open({}, platform));
    await api.invoke("ListStreams", {});
    await api.close();
    const again = await ApiEngine.open({}, platform);
    await again.invoke("DescribeLimits", {});
    await again.service.call("setTrail", { streamName: null });
    await again.invoke("DescribeAccountSettings", {});
    const events = await eventsOf(again, trail);
    expect(events.map(({ eventName }) => eventName)).toEqual(["ListStreams", "DescribeLimits"]);
    await again.close();
    const last = await ApiEngine.open({}, platform);
    await last.invoke("ListStreams", {});
    expect(await eventsOf(last, trail)).toHaveLength(2);
    await last.close();
  });

  it("writes what waits before the engine closes", async () => {
    const platform = virtualPlatform();
    const { api, trail } = await openWithTrail(await ApiEngine.open({}, platform));
    const calls = Array.from({ length: 1200 }, () => api.invoke("ListStreams", {}));
    await Promise.all([...calls, Promise.all(calls).then(() => api.close())]);
    const again = await ApiEngine.open({}, platform);
    await again.service.call("setTrail", { streamName: null });
    expect(await eventsOf(again, trail)).toHaveLength(1200);
    await again.close();
  });

  it("has dry runs with how they end", async () => {
    const { api, trail } = await openWithTrail();
    const call = { operation: "PutRecord", input: { StreamName: "clicks" } } as const;
    await failureOf(api.service.call("dryRun", { ...call, caller: { principal: ROOT_PRINCIPAL } }));
    expect(await eventsOf(api, trail)).toMatchObject([
      { eventName: "PutRecord", errorCode: "DryRunOperationException" },
    ]);
    await api.close();
  });

  it("needs a stream that exists", async () => {
    const api = await ApiEngine.open();
    const set = api.service.call("setTrail", { streamName: "nowhere" });
    await expect(set).rejects.toMatchObject({ name: "ResourceNotFoundError" });
    await api.close();
  });

  it("fails no call when it cannot be written, says why, and recovers", async () => {
    const { api } = await openWithTrail();
    await api.invoke("DeleteStream", { StreamName: "trail" });
    await api.invoke("ListStreams", {});
    await turns();
    const report = await api.service.call("storageReport", {});
    expect(report.trailFailure).toContain("Stream trail under account");
    expect(report.trailEventsLost).toBe(2);
    const trail = await api.engine.createStream("trail");
    await api.invoke("DescribeLimits", {});
    const events = await eventsOf(api, trail);
    expect(events.map(({ eventName }) => eventName)).toEqual(["CreateStream", "DescribeLimits"]);
    expect(await api.service.call("storageReport", {})).toMatchObject({
      trailFailure: undefined,
      trailEventsLost: 2,
    });
    await api.close();
  });

  it("waits for the quota of its stream, and loses nothing by it", async () => {
    const { api, trail } = await openWithTrail(await ApiEngine.open({ quotas: "aws" }));
    for (let i = 0; i < 13; i++) {
      await Promise.all(Array.from({ length: 100 }, () => api.invoke("ListStreams", {})));
    }
    await turns();
    expect((await api.service.call("storageReport", {})).trailFailure).toMatch(/write quota/);
    await api.platform.clock.advance(2000);
    const report = await api.service.call("storageReport", {});
    expect(report).toMatchObject({ trailFailure: undefined, trailEventsLost: 0 });
    await api.platform.clock.advance(1000);
    expect(await eventsOf(api, trail)).toHaveLength(1300);
    await api.close();
  });
});
