/** The official client over every route: the data operations, their errors, subscriptions. */
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type KinesisClient,
  ListStreamsCommand,
  MergeShardsCommand,
  ProvisionedThroughputExceededException,
  PutRecordCommand,
  PutRecordsCommand,
  PutResourcePolicyCommand,
  RegisterStreamConsumerCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  type ShardIteratorType,
  SplitShardCommand,
  SubscribeToShardCommand,
  type SubscribeToShardEventStream,
  UpdateMaxRecordSizeCommand,
  UpdateStreamRecordDistributionStrategyCommand,
} from "@aws-sdk/client-kinesis";
import { describe, expect, it } from "vitest";
import { failureOf, openEngine } from "../support.ts";
import { bytes, clientBy, ROUTES, type Route, text } from "./support.ts";

const StreamName = "clicks";
const StreamARN = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks";
const ShardId = "shardId-000000000000";
const MIB = 1_048_576;

async function opened(route: Route, shards = 1, options: Parameters<typeof openEngine>[0] = {}) {
  const engine = await openEngine(options);
  const stream = await engine.streams.create(StreamName, { shards });
  return { engine, stream, client: clientBy(route, engine) };
}

async function iteratorOf(
  client: KinesisClient,
  ShardIteratorType: ShardIteratorType = "TRIM_HORIZON",
  shard = ShardId,
) {
  const input = { StreamName, ShardId: shard, ShardIteratorType };
  return (await client.send(new GetShardIteratorCommand(input))).ShardIterator ?? "";
}

function put(client: KinesisClient, data: string | Uint8Array, PartitionKey = "ada") {
  const Data = typeof data === "string" ? bytes(data) : data;
  return client.send(new PutRecordCommand({ StreamName, PartitionKey, Data }));
}

async function subscribe(client: KinesisClient, Type: "LATEST" | "TRIM_HORIZON", name = "app") {
  const register = new RegisterStreamConsumerCommand({ StreamARN, ConsumerName: name });
  const { Consumer } = await client.send(register);
  const ConsumerARN = Consumer?.ConsumerARN ?? "";
  const input = { ConsumerARN, ShardId, StartingPosition: { Type } };
  const { EventStream } = await client.send(new SubscribeToShardCommand(input));
  if (EventStream === undefined) throw new Error("a subscription has events");
  return { ConsumerARN, events: EventStream[Symbol.asyncIterator]() };
}

async function nextEvent(events: AsyncIterator<SubscribeToShardEventStream>) {
  return ((await events.next()).value as SubscribeToShardEventStream | undefined)
    ?.SubscribeToShardEvent;
}

describe.each(ROUTES)("a client by %s", (route) => {
  it("runs control operations with dates, lists and metadata", async () => {
    const { client } = await opened(route, 2);
    await client.send(new CreateStreamCommand({ StreamName: "other", ShardCount: 3 }));
    const { StreamNames, HasMoreStreams } = await client.send(new ListStreamsCommand({}));
    expect([StreamNames, HasMoreStreams]).toEqual([["clicks", "other"], false]);
    const answer = await client.send(new DescribeStreamSummaryCommand({ StreamName: "other" }));
    expect(answer.$metadata).toMatchObject({ httpStatusCode: 200, requestId: expect.any(String) });
    const { StreamDescriptionSummary: summary } = answer;
    expect(summary?.OpenShardCount).toBe(3);
    expect(summary?.StreamCreationTimestamp).toBeInstanceOf(Date);
  });

  it("puts records and gets them back", async () => {
    const { client } = await opened(route);
    const first = await put(client, "hello");
    expect(first).toMatchObject({ ShardId, SequenceNumber: expect.stringMatching(/^4\d{55}$/) });
    const Records = ["a", "b", "ü€🎣"].map((PartitionKey) => ({
      PartitionKey,
      Data: bytes(PartitionKey),
    }));
    const { FailedRecordCount, Records: results = [] } = await client.send(
      new PutRecordsCommand({ StreamARN, Records }),
    );
    expect(FailedRecordCount).toBe(0);
    const before = Date.now();
    const read = await client.send(
      new GetRecordsCommand({ ShardIterator: await iteratorOf(client) }),
    );
    expect(read.Records?.map(({ Data }) => text(Data))).toEqual(["hello", "a", "b", "ü€🎣"]);
    expect(read.Records?.map(({ PartitionKey }) => PartitionKey)).toEqual([
      "ada",
      "a",
      "b",
      "ü€🎣",
    ]);
    expect(read.Records?.slice(1).map(({ SequenceNumber }) => SequenceNumber)).toEqual(
      results.map(({ SequenceNumber }) => SequenceNumber),
    );
    const arrived = read.Records?.[0]?.ApproximateArrivalTimestamp;
    expect(arrived).toBeInstanceOf(Date);
    expect(Math.abs((arrived?.getTime() ?? 0) - before)).toBeLessThan(60_000);
    expect(read.MillisBehindLatest).toBe(0);
    expect(read.ChildShards).toBeUndefined();
    await put(client, "later");
    const next = await client.send(
      new GetRecordsCommand({ ShardIterator: read.NextShardIterator, Limit: 1 }),
    );
    expect(next.Records?.map(({ Data }) => text(Data))).toEqual(["later"]);
  });

  it("follows shards that are split and merged by iterators", async () => {
    const { client } = await opened(route);
    await put(client, "parent");
    const split = { StreamName, ShardToSplit: ShardId, NewStartingHashKey: "1000" };
    await client.send(new SplitShardCommand(split));
    await put(client, "child");
    const read = await client.send(
      new GetRecordsCommand({ ShardIterator: await iteratorOf(client) }),
    );
    expect(read.Records?.map(({ Data }) => text(Data))).toEqual(["parent"]);
    expect(read.NextShardIterator ?? undefined).toBeUndefined();
    expect(read.ChildShards).toEqual([
      {
        ShardId: "shardId-000000000001",
        ParentShards: [ShardId],
        HashKeyRange: { StartingHashKey: "0", EndingHashKey: "999" },
      },
      {
        ShardId: "shardId-000000000002",
        ParentShards: [ShardId],
        HashKeyRange: {
          StartingHashKey: "1000",
          EndingHashKey: "340282366920938463463374607431768211455",
        },
      },
    ]);
    await client.send(
      new MergeShardsCommand({
        StreamName,
        ShardToMerge: "shardId-000000000001",
        AdjacentShardToMerge: "shardId-000000000002",
      }),
    );
    const end = await client.send(
      new GetRecordsCommand({
        ShardIterator: await iteratorOf(client, "TRIM_HORIZON", "shardId-000000000002"),
      }),
    );
    expect(end.Records?.map(({ Data }) => text(Data))).toEqual(["child"]);
    expect(end.ChildShards?.map((child) => child.ShardId)).toEqual(["shardId-000000000003"]);
  });

  it("gives the client's own exceptions", async () => {
    const { client } = await opened(route);
    const missing = new PutRecordCommand({ StreamName: "no", PartitionKey: "a", Data: bytes("") });
    const error = await failureOf(client.send(missing));
    expect(error).toBeInstanceOf(ResourceNotFoundException);
    expect(error).toMatchObject({
      name: "ResourceNotFoundException",
      message: "Stream no under account 000000000000 not found.",
      $fault: "client",
      $metadata: { httpStatusCode: 400 },
    });
    const failures = [
      { PartitionKey: "k".repeat(257), Data: bytes("") },
      { PartitionKey: "a", Data: new Uint8Array(MIB) },
      { PartitionKey: "a", Data: bytes(""), ExplicitHashKey: (1n << 128n).toString() },
      { Data: bytes("") },
    ].map((record) =>
      failureOf(
        client.send(new PutRecordCommand({ StreamName, PartitionKey: undefined, ...record })),
      ),
    );
    expect((await Promise.all(failures)).map((one) => (one as Error).name)).toEqual([
      "ValidationException",
      "ValidationException",
      "InvalidArgumentException",
      "ValidationException",
    ]);
  });

  it("refuses what is over a quota alone, and says which", async () => {
    const { client } = await opened(route, 1, { quotas: "aws" });
    const big = { PartitionKey: "a", Data: new Uint8Array(MIB - 10) };
    const Records = [...Array.from({ length: 9 }, () => big)];
    await client.send(new PutRecordsCommand({ StreamName, Records }));
    const small = { PartitionKey: "b", Data: bytes("small") };
    const { FailedRecordCount, Records: results } = await client.send(
      new PutRecordsCommand({ StreamName, Records: [big, big, small] }),
    );
    expect(FailedRecordCount).toBe(1);
    expect(results?.map(({ ErrorCode }) => ErrorCode)).toEqual([
      undefined,
      "ProvisionedThroughputExceededException",
      undefined,
    ]);
    expect(results?.[1]?.ErrorMessage).toMatch(
      /^Rate exceeded for shard shardId-000000000000 .*1 MiB/,
    );
    const error = await failureOf(put(client, big.Data));
    expect(error).toBeInstanceOf(ProvisionedThroughputExceededException);
  });

  it("takes requests of up to 10 MiB and no more", async () => {
    const { client } = await opened(route);
    const full = { PartitionKey: "a", Data: new Uint8Array(MIB - 1).fill(7) };
    const Records = Array.from({ length: 10 }, () => full);
    const { FailedRecordCount } = await client.send(new PutRecordsCommand({ StreamName, Records }));
    expect(FailedRecordCount).toBe(0);
    const tooMuch = [...Records, { PartitionKey: "b", Data: bytes("x") }];
    const error = await failureOf(
      client.send(new PutRecordsCommand({ StreamName, Records: tooMuch })),
    );
    expect(error).toMatchObject({ name: "InvalidArgumentException" });
    const { Records: read } = await client.send(
      new GetRecordsCommand({ ShardIterator: await iteratorOf(client) }),
    );
    expect(read?.length).toBeGreaterThan(8);
    expect(Buffer.from(read?.[0]?.Data ?? []).equals(full.Data)).toBe(true);
  });

  it("notices that a stream was made again or takes larger records", async () => {
    const { client, engine } = await opened(route);
    await put(client, "first");
    await engine.streams.delete(StreamName);
    expect(await failureOf(put(client, "nowhere"))).toBeInstanceOf(ResourceNotFoundException);
    await engine.streams.create(StreamName);
    await put(client, "second");
    expect(await failureOf(put(client, new Uint8Array(2 * MIB)))).toMatchObject({
      name: "ValidationException",
    });
    await client.send(new UpdateMaxRecordSizeCommand({ StreamARN, MaxRecordSizeInKiB: 4096 }));
    await put(client, new Uint8Array(2 * MIB));
  });

  it("needs partition keys unless the service spreads the records", async () => {
    const engine = await openEngine();
    const { arn } = await engine.streams.create(StreamName, { mode: "ON_DEMAND" });
    const client = clientBy(route, engine);
    const record = { PartitionKey: undefined, Data: bytes("x") };
    const putWithoutKey = () =>
      client.send(new PutRecordsCommand({ StreamName, Records: [record] }));
    const spread = (RecordDistributionStrategy: "AUTO" | "USER_PARTITION_KEY") =>
      client.send(
        new UpdateStreamRecordDistributionStrategyCommand({
          StreamARN: arn,
          RecordDistributionStrategy,
        }),
      );
    expect(await failureOf(putWithoutKey())).toMatchObject({ name: "ValidationException" });
    await spread("AUTO");
    const shards = new Set<string | undefined>();
    for (let i = 0; i < 8; i++) shards.add((await putWithoutKey()).Records?.[0]?.ShardId);
    expect(shards.size).toBe(4);
    await spread("USER_PARTITION_KEY");
    expect(await failureOf(putWithoutKey())).toMatchObject({ name: "ValidationException" });
  });

  it("makes dry runs", async () => {
    const { client } = await opened(route);
    const Data = bytes("x");
    const dry = new PutRecordCommand({ StreamName, PartitionKey: "a", Data, DryRun: true });
    expect(await failureOf(client.send(dry))).toMatchObject({ name: "DryRunOperationException" });
    const ShardIterator = await iteratorOf(client);
    const { Records } = await client.send(new GetRecordsCommand({ ShardIterator }));
    expect(Records).toEqual([]);
  });

  it("calls as its principal", async () => {
    const { client, engine } = await opened(route);
    const other = "arn:aws:iam::000000000000:user/OTHER";
    const statement = {
      Sid: "No",
      Effect: "Deny",
      Principal: { AWS: other },
      Action: "kinesis:Put*",
    };
    const Policy = JSON.stringify({
      Version: "2012-10-17",
      Statement: [{ ...statement, Resource: StreamARN }],
    });
    await client.send(new PutResourcePolicyCommand({ ResourceARN: StreamARN, Policy }));
    expect(await failureOf(put(clientBy(route, engine, other), "x"))).toMatchObject({
      name: "AccessDeniedException",
      message: expect.stringContaining("No"),
    });
    await put(client, "y");
  });

  it("hears of a dropped connection as of a network's", async () => {
    const { client, engine } = await opened(route);
    const effect = { kind: "dropped-connection", when: "after" } as const;
    await engine.faults.set([{ operation: "PutRecord", effect, times: 1 }]);
    const error = await failureOf(put(client, "x"));
    if (route !== "fetch") expect(error).toMatchObject({ code: "ECONNRESET" });
    const { Records } = await client.send(
      new GetRecordsCommand({ ShardIterator: await iteratorOf(client) }),
    );
    expect(Records?.length).toBe(1);
  });

  it("stops when it is told to", async () => {
    const { client, engine } = await opened(route);
    await engine.faults.set([{ effect: { kind: "delay", delayMs: 1500 } }]);
    const command = new PutRecordCommand({ StreamName, PartitionKey: "a", Data: bytes("x") });
    const controller = new AbortController();
    const sent = client.send(command, { abortSignal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    expect(await failureOf(sent)).toMatchObject({ name: "AbortError" });
  });

  it("is pushed records as they come", async () => {
    const { client } = await opened(route);
    await put(client, "before");
    const { events } = await subscribe(client, "TRIM_HORIZON");
    const first = await nextEvent(events);
    expect(first?.Records?.map(({ Data }) => text(Data))).toEqual(["before"]);
    expect(first?.Records?.[0]?.ApproximateArrivalTimestamp).toBeInstanceOf(Date);
    expect(first?.ContinuationSequenceNumber).toBe(first?.Records?.[0]?.SequenceNumber);
    const waits: number[] = [];
    for (let i = 0; i < 40; i++) {
      const event = nextEvent(events);
      await put(client, `${i}`);
      const storedMs = performance.now();
      expect((await event)?.Records?.map(({ Data }) => text(Data))).toEqual([`${i}`]);
      waits.push(performance.now() - storedMs);
    }
    waits.sort((a, b) => a - b);
    // From the put's answer on: the put itself depends on what else the machine does.
    expect(waits[20]).toBeLessThan(5);
    await events.return?.();
  });

  it("ends a subscription with the children of a closed shard", async () => {
    const { client } = await opened(route);
    await put(client, "last");
    const { events } = await subscribe(client, "TRIM_HORIZON");
    expect((await nextEvent(events))?.Records?.length).toBe(1);
    const waiting = nextEvent(events);
    const split = { StreamName, ShardToSplit: ShardId, NewStartingHashKey: "1000" };
    await client.send(new SplitShardCommand(split));
    const last = await waiting;
    expect(last?.Records).toEqual([]);
    expect(last?.ContinuationSequenceNumber ?? undefined).toBeUndefined();
    expect(last?.ChildShards?.map((child) => child.ShardId)).toEqual([
      "shardId-000000000001",
      "shardId-000000000002",
    ]);
    expect((await events.next()).done).toBe(true);
  });

  it("lets a later subscription take over, which the earlier one hears", async () => {
    const { client, engine } = await opened(route, 1, { time: "virtual" });
    const { events, ConsumerARN } = await subscribe(client, "LATEST");
    const command = () =>
      new SubscribeToShardCommand({ ConsumerARN, ShardId, StartingPosition: { Type: "LATEST" } });
    expect(await failureOf(client.send(command()))).toBeInstanceOf(ResourceInUseException);
    const taken = failureOf(nextEvent(events).then(() => nextEvent(events)));
    await engine.time.advance(5001);
    const { EventStream } = await client.send(command());
    expect(await taken).toBeInstanceOf(ResourceInUseException);
    await EventStream?.[Symbol.asyncIterator]().return?.();
  });

  it("ends a subscription after five minutes, and goes on where it was", async () => {
    const { client, engine } = await opened(route, 1, { time: "virtual" });
    const { events, ConsumerARN } = await subscribe(client, "LATEST");
    const seen: string[] = [];
    const reading = (async () => {
      for (;;) {
        const event = await nextEvent(events);
        if (event === undefined) return;
        expect(event.Records).toEqual([]);
        seen.push(event.ContinuationSequenceNumber ?? "");
      }
    })();
    for (let i = 0; i < 61; i++) {
      await engine.time.advance(5000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await reading;
    expect(seen.length).toBeGreaterThan(50);
    await put(client, "the first");
    for (const Type of ["AFTER_SEQUENCE_NUMBER", "AT_SEQUENCE_NUMBER"] as const) {
      await engine.time.advance(6000);
      const StartingPosition = { Type, SequenceNumber: seen.at(-1) };
      const { EventStream } = await client.send(
        new SubscribeToShardCommand({ ConsumerARN, ShardId, StartingPosition }),
      );
      const again = EventStream?.[Symbol.asyncIterator]();
      if (again === undefined) throw new Error("a subscription has events");
      expect((await nextEvent(again))?.Records?.map(({ Data }) => text(Data))).toEqual([
        "the first",
      ]);
      await again.return?.();
    }
  });
});
