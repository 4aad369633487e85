/** API calls through the engine: names, validation, rates, access, iterators, dry runs, reset. */
import { describe, expect, it } from "vitest";
import { framePrincipal, ROOT_PRINCIPAL } from "../../src/access/principals.ts";
import { parseIterator } from "../../src/model/iterator-token.ts";
import { isOperationName, operations } from "../../src/model/shapes.ts";
import { isControlOperation } from "../../src/service/api-dispatch.ts";
import type { ApiCall, StreamDescription } from "../../src/service/engine-service.ts";
import { operationTable } from "../../src/service/operations/index.ts";
import { ApiEngine, callOf } from "../support/api-calls.ts";
import { numberOf, someRecords } from "../support/engines.ts";
import { failureOf } from "../support/failures.ts";

const stranger = framePrincipal("https://shop.example");

function callApi(api: ApiEngine, name: "invoke" | "dryRun" | "locateStream", call: unknown) {
  return api.service.call(name, call as ApiCall);
}

function policyOf(stream: StreamDescription, effect: "Allow" | "Deny", action: string): string {
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        ...{ Sid: "Only", Effect: effect, Principal: "*" },
        ...{ Action: action, Resource: stream.arn },
      },
    ],
  });
}

describe("invoke", () => {
  it("has a function for every operation whose records do not travel apart", () => {
    const names = Object.keys(operations).filter(isOperationName).filter(isControlOperation);
    expect(names).toHaveLength(41);
    expect(Object.keys(operationTable).sort()).toEqual(names.sort());
  });

  it("refuses names that AWS does not know, and data operations", async () => {
    const api = await ApiEngine.open();
    const caller = { principal: ROOT_PRINCIPAL };
    const invoke = (operation: string) => callApi(api, "invoke", { operation, input: {}, caller });
    await expect(invoke("MakeStream")).rejects.toMatchObject({ code: "UnknownOperationException" });
    await expect(invoke("toString")).rejects.toMatchObject({ code: "UnknownOperationException" });
    await expect(invoke("PutRecords")).rejects.toMatchObject({ code: "InvalidArgumentException" });
    await expect(api.service.call("hasOwnProperty" as "now", {})).rejects.toMatchObject({
      code: "UnknownOperationException",
    });
    await api.close();
  });

  it("validates the input before anything else", async () => {
    const api = await ApiEngine.open();
    for (const input of [null, undefined, 7, "x", [], {}, { StreamName: "" }]) {
      const caller = { principal: ROOT_PRINCIPAL };
      const call = callApi(api, "invoke", { operation: "CreateStream", input, caller });
      const { code } = await failureOf(call);
      expect(["ValidationException", "SerializationException"]).toContain(code);
    }
    await api.close();
  });

  it("enforces AWS's rates of control operations when asked for, by account, stream and shard", async () => {
    const api = await ApiEngine.open({ controlQuotas: true });
    const [a, b] = [await api.engine.createStream("a", 2), await api.engine.createStream("b")];
    for (let i = 0; i < 5; i++) await api.invoke("ListStreams", {});
    const refused = await failureOf(api.invoke("ListStreams", {}));
    expect(refused).toMatchObject({ code: "LimitExceededException", retryAfterMs: 200 });
    expect(refused.message).toMatch(/ListStreams.*Limit: 5 calls per second.*Retry after 200 ms/);
    await api.platform.clock.advance(200);
    await api.invoke("ListStreams", {});

    const consumers = ({ arn }: StreamDescription) =>
      api.invoke("ListStreamConsumers", { StreamARN: arn });
    for (let i = 0; i < 5; i++) await consumers(a);
    expect((await failureOf(consumers(a))).message).toContain("of stream a");
    await consumers(b);

    const iterator = (ShardId: string) =>
      api.invoke("GetShardIterator", { StreamName: "a", ShardId, ShardIteratorType: "LATEST" });
    for (let i = 0; i < 5; i++) await iterator("shardId-000000000000");
    expect(await failureOf(iterator("shardId-0"))).toMatchObject({
      code: "ProvisionedThroughputExceededException",
      limit: "5 GetShardIterator calls per second",
    });
    await iterator("shardId-000000000001");
    await api.close();
  });

  it("enforces no rates unless asked for", async () => {
    const api = await ApiEngine.open({ quotas: "aws" });
    for (let i = 0; i < 50; i++) await api.invoke("DescribeLimits", {});
    await api.close();
  });
});

describe("options", () => {
  it("are refused by name when they are none", async () => {
    const wrong = {
      quotas: "all",
      time: "imaginary",
      transitionMs: -1,
      controlQuotas: "yes",
    };
    for (const [argument, value] of Object.entries(wrong)) {
      const opening = ApiEngine.open({ [argument]: value } as object);
      await expect(opening).rejects.toMatchObject({ name: "InvalidArgumentError", argument });
    }
  });
});

describe("puts and reads", () => {
  it("ask the stream's policy, as whoever makes the call", async () => {
    const api = await ApiEngine.open();
    const stream = await api.engine.createStream();
    const put = (principal: string) =>
      api.put(stream, someRecords(1), callOf("PutRecord", principal));
    const read = (principal: string) => api.read(stream, { call: callOf("GetRecords", principal) });
    expect((await failureOf(put(stranger))).message).toContain("kinesis:PutRecord");
    expect((await failureOf(read(stranger))).code).toBe("AccessDeniedException");
    const Policy = policyOf(stream, "Allow", "kinesis:PutRecord");
    await api.invoke("PutResourcePolicy", { ResourceARN: stream.arn, Policy });
    await put(stranger);
    expect((await failureOf(read(stranger))).code).toBe("AccessDeniedException");
    await api.invoke("PutResourcePolicy", {
      ResourceARN: stream.arn,
      Policy: policyOf(stream, "Deny", "kinesis:Get*"),
    });
    // An explicit deny holds for the application itself, and its own reads are GetRecords.
    expect((await failureOf(api.read(stream))).message).toContain("statement Only");
    await put(ROOT_PRINCIPAL);
    await api.close();
  });

  it("know no stream while it is being created or deleted", async () => {
    const api = await ApiEngine.open({ transitionMs: 1000 });
    const stream = await api.engine.createStream();
    expect(stream.status).toBe("CREATING");
    expect((await failureOf(api.put(stream, someRecords(1)))).code).toBe(
      "ResourceNotFoundException",
    );
    await api.platform.clock.advance(1000);
    await api.put(stream, someRecords(1));
    expect((await api.read(stream)).records).toHaveLength(1);
    await api.invoke("DeleteStream", { StreamName: "clicks" });
    expect((await failureOf(api.read(stream))).code).toBe("ResourceNotFoundException");
    await api.platform.clock.advance(1000);
    expect((await api.invoke("ListStreams", {})).StreamNames).toEqual([]);
    await api.close();
  });

  it("accept a sender's second batch after its first one was refused", async () => {
    const api = await ApiEngine.open();
    const stream = await api.engine.createStream();
    await failureOf(api.put(stream, someRecords(1), callOf("PutRecords", stranger)));
    await failureOf(api.put({ ...stream, uid: 99 }, someRecords(1)));
    await expect(api.put(stream, someRecords(1))).resolves.toHaveLength(1);
    await api.close();
  });

  it("say which limit of a shard refuses a read, and for how long", async () => {
    const api = await ApiEngine.open({ quotas: "aws" });
    const stream = await api.engine.createStream();
    await api.put(stream, someRecords(1));
    for (let i = 0; i < 5; i++) await api.put(stream, someRecords(1, 1_048_000, i));
    for (let i = 0; i < 5; i++) await api.read(stream, { recordsMax: 1, bytesMax: 1000 });
    expect((await failureOf(api.read(stream))).message).toMatch(
      /^Rate exceeded for shard shardId-0{12} in stream clicks .* The limit is 5 reads and 2 MiB per/,
    );
    await api.platform.clock.advance(10_000);
    await api.read(stream);
    const refused = await failureOf(api.read(stream));
    expect(refused.message).toContain("The limit is 2 MiB per second and shard; retry after ");
    expect(refused).toMatchObject({ value: "shardId-000000000000", retryable: true });
    expect(refused.retryAfterMs).toBeGreaterThan(1000);
    await api.close();
  });

  it("count as CloudWatch counts them", async () => {
    const api = await ApiEngine.open({ quotas: "aws" });
    const stream = await api.engine.createStream();
    await api.put(stream, someRecords(1500, 96), callOf("PutRecords"));
    for (let i = 0; i < 5; i++) await api.read(stream);
    await failureOf(api.read(stream));
    const nowMs = await api.service.call("now", {});
    const sumOf = async (metricName: string): Promise<number> => {
      const range = { startMs: nowMs - 60_000, endMs: nowMs + 60_000 };
      const points = await api.service.call("streamMetrics", {
        ...{ name: "clicks", metricName },
        ...range,
      });
      return points.reduce((sum, point) => sum + point.sum, 0);
    };
    expect(await sumOf("IncomingRecords")).toBe(1000);
    // Each key of the records is 5 or 6 characters long.
    const keyBytes = someRecords(1000).reduce((sum, { key }) => sum + key.length, 0);
    expect(await sumOf("IncomingBytes")).toBe(96_000 + keyBytes);
    expect(await sumOf("WriteProvisionedThroughputExceeded")).toBe(500);
    expect(await sumOf("PutRecords.TotalRecords")).toBe(1500);
    expect(await sumOf("GetRecords.Records")).toBe(5000);
    expect(await sumOf("ReadProvisionedThroughputExceeded")).toBe(1);
    await api.close();
  });
});

describe("shard iterators", () => {
  async function openWithIterator() {
    const api = await ApiEngine.open();
    const stream = await api.engine.createStream();
    await api.put(stream, someRecords(3));
    const { ShardIterator = "" } = await api.invoke("GetShardIterator", {
      ...{ StreamName: "clicks", ShardId: "shardId-000000000000" },
      ShardIteratorType: "TRIM_HORIZON",
    });
    const { issuedMs, createdSeconds, nextIndex } = parseIterator(ShardIterator);
    const read = (target: StreamDescription) =>
      api.read(target, {
        nextIndex,
        iterator: { issuedMs, createdSeconds },
        call: callOf("GetRecords"),
      });
    return { api, stream, read, ShardIterator };
  }

  it("are good for five minutes", async () => {
    const { api, stream, read } = await openWithIterator();
    await api.platform.clock.advance(300_000);
    expect((await read(stream)).records.map(numberOf)).toEqual([0, 1, 2]);
    await api.platform.clock.advance(1);
    const error = await failureOf(read(stream));
    expect(error.code).toBe("ExpiredIteratorException");
    expect(error.message).toBe(
      "Iterator expired. The iterator was created at time Thu Jan 01 00:00:00 UTC 2026 while right " +
        "now it is Thu Jan 01 00:05:00 UTC 2026 which is further in the future than the tolerated " +
        "delay of 300000 milliseconds.",
    );
    await api.close();
  });

  it("are of no use for a stream of the same name that was created later", async () => {
    const { api, read } = await openWithIterator();
    await api.invoke("DeleteStream", { StreamName: "clicks" });
    const namesake = await api.engine.createStream();
    expect((await failureOf(read(namesake))).code).toBe("ResourceNotFoundException");
    await api.close();
  });

  it("are refused with the ARN of another stream, as dry runs refuse them", async () => {
    const { api, stream, ShardIterator } = await openWithIterator();
    const other = await api.engine.createStream("other");
    const { issuedMs, createdSeconds, nextIndex } = parseIterator(ShardIterator);
    const read = (streamArn: string) =>
      api.read(stream, { nextIndex, iterator: { issuedMs, createdSeconds, streamArn } });
    expect((await read(stream.arn)).records).toHaveLength(3);
    const refused = await failureOf(read(other.arn));
    expect(refused).toMatchObject({ code: "InvalidArgumentException", argument: "StreamARN" });
    const input = { ShardIterator, StreamARN: other.arn };
    const caller = { principal: ROOT_PRINCIPAL };
    const dry = await failureOf(callApi(api, "dryRun", { operation: "GetRecords", input, caller }));
    expect(dry.message).toBe(refused.message);
    await api.close();
  });

  it("end with the children of a closed shard", async () => {
    const { api, stream } = await openWithIterator();
    const middle = (1n << 127n).toString();
    await api.invoke("SplitShard", {
      ...{ StreamName: "clicks", ShardToSplit: "shardId-000000000000" },
      NewStartingHashKey: middle,
    });
    const children = await api.service.call("childShards", {
      streamUid: stream.uid,
      shardIndex: 0,
    });
    expect(children).toEqual([
      {
        ...{ ShardId: "shardId-000000000001", ParentShards: ["shardId-000000000000"] },
        HashKeyRange: { StartingHashKey: "0", EndingHashKey: (2n ** 127n - 1n).toString() },
      },
      {
        ...{ ShardId: "shardId-000000000002", ParentShards: ["shardId-000000000000"] },
        HashKeyRange: { StartingHashKey: middle, EndingHashKey: (2n ** 128n - 1n).toString() },
      },
    ]);
    await api.close();
  });

  it("end a waiting read when the shard is closed and read", async () => {
    const { api, stream } = await openWithIterator();
    const { nextIndex } = await api.read(stream);
    const waiting = api.read(stream, { nextIndex, waitMs: 60_000 });
    await api.invoke("SplitShard", {
      ...{ StreamName: "clicks", ShardToSplit: "shardId-000000000000" },
      NewStartingHashKey: (1n << 127n).toString(),
    });
    const part = await waiting;
    expect(part.records).toEqual([]);
    expect(part.flags & 4).toBe(4);
    await api.close();
  });
});

describe("dry runs", () => {
  it("say that the call would have been made, and make nothing", async () => {
    const api = await ApiEngine.open();
    const stream = await api.engine.createStream();
    const { Consumer } = await api.invoke("RegisterStreamConsumer", {
      ...{ StreamARN: stream.arn, ConsumerName: "app" },
    });
    const ShardId = "shardId-000000000000";
    const { ShardIterator } = await api.invoke("GetShardIterator", {
      ...{ StreamName: "clicks", ShardId, ShardIteratorType: "LATEST" },
    });
    const inputs: [string, object][] = [
      ["PutRecord", { StreamName: "clicks" }],
      ["PutRecords", { StreamARN: stream.arn }],
      ["GetRecords", { ShardIterator }],
      ["GetShardIterator", { StreamName: "clicks", ShardId, ShardIteratorType: "LATEST" }],
      [
        "SubscribeToShard",
        { ConsumerARN: Consumer.ConsumerARN, ShardId, StartingPosition: { Type: "LATEST" } },
      ],
    ];
    const dryRun = (operation: string, input: object, principal = ROOT_PRINCIPAL) =>
      callApi(api, "dryRun", { operation, input, caller: { principal } });
    for (const [operation, input] of inputs) {
      expect(await failureOf(dryRun(operation, input)), operation).toMatchObject({
        code: "DryRunOperationException",
        message: "Request would have succeeded, but DryRun flag is set.",
      });
      expect((await failureOf(dryRun(operation, input, stranger))).code, operation).toBe(
        "AccessDeniedException",
      );
    }
    expect((await api.read(stream)).records).toEqual([]);
    expect((await failureOf(dryRun("PutRecord", { StreamName: "other" }))).code).toBe(
      "ResourceNotFoundException",
    );
    expect((await failureOf(dryRun("DeleteStream", { StreamName: "clicks" }))).code).toBe(
      "InvalidArgumentException",
    );
    await api.platform.clock.advance(300_001);
    expect((await failureOf(dryRun("GetRecords", { ShardIterator }))).code).toBe(
      "ExpiredIteratorException",
    );
    await api.close();
  });

  it("find the stream of a put by name or ARN", async () => {
    const api = await ApiEngine.open();
    const stream = await api.engine.createStream();
    const caller = { principal: ROOT_PRINCIPAL };
    const locate = (input: object) =>
      callApi(api, "locateStream", { operation: "PutRecords", input, caller });
    expect(await locate({ StreamName: "clicks" })).toEqual(stream);
    expect(await locate({ StreamARN: stream.arn, Records: [] })).toEqual(stream);
    expect((await failureOf(locate({}))).code).toBe("InvalidArgumentException");
    expect((await failureOf(locate({ StreamName: "a b" }))).code).toBe("ValidationException");
    await api.close();
  });
});

describe("reset", () => {
  it("leaves nothing behind, also for the next opening", async () => {
    const api = await ApiEngine.open();
    const stream = await api.engine.createStream("clicks", 3);
    await api.put(stream, someRecords(20));
    await api.invoke("AddTagsToStream", { StreamName: "clicks", Tags: { a: "b" } });
    await api.invoke("RegisterStreamConsumer", { StreamARN: stream.arn, ConsumerName: "app" });
    await api.service.call("setFaults", {
      rules: [{ effect: { kind: "error", code: "InternalFailureException" } }],
    });
    await api.service.call("reset", {});
    expect(await api.service.call("listStreams", {})).toEqual([]);
    expect(await api.service.call("faults", {})).toEqual([]);
    const fresh = await api.engine.createStream();
    expect(await api.engine.readAll(fresh)).toEqual([]);
    expect((await api.invoke("ListStreamConsumers", { StreamARN: fresh.arn })).Consumers).toEqual(
      [],
    );
    expect((await api.invoke("ListTagsForStream", { StreamName: "clicks" })).Tags).toEqual([]);
    await api.service.call("reset", {});
    await api.close();
    const again = await ApiEngine.open({}, api.platform);
    expect(await again.service.call("listStreams", {})).toEqual([]);
    expect(await again.service.call("dataLoss", {})).toEqual([]);
    await again.close();
  });
});
