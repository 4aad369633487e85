/** Cases of the data operations: puts, reads, subscriptions. */
import type { OutputOf } from "@millrace/engine/model";
import { assert } from "vitest";
import {
  bytes,
  createStream,
  denyOther,
  fails,
  registerConsumer,
  STREAM,
  STREAM_ARN,
  succeeds,
  text,
  untilRefused,
  type World,
} from "../world.ts";

const SHARD = "shardId-000000000000";
const MIB = 1_048_576;

async function iterator(world: World, type: "TRIM_HORIZON" | "LATEST" = "TRIM_HORIZON") {
  const { ShardIterator = "" } = await world.call("GetShardIterator", {
    StreamName: STREAM,
    ShardId: SHARD,
    ShardIteratorType: type,
  });
  return ShardIterator;
}

/** Makes a stream whose first shard holds one record and is closed. */
async function closeShard(world: World): Promise<void> {
  await createStream(world);
  await put(world, "last of the parent");
  await world.call("SplitShard", {
    StreamName: STREAM,
    ShardToSplit: SHARD,
    NewStartingHashKey: "1000",
  });
}

function put(world: World, data: Uint8Array | string = "hello", key = "ada") {
  return world.call("PutRecord", {
    StreamName: STREAM,
    PartitionKey: key,
    Data: typeof data === "string" ? bytes(data) : data,
  });
}

succeeds("PutRecord", "the record can be read where the answer says", async (world) => {
  await createStream(world, 2);
  const first = await put(world);
  assert.match(first.ShardId, /^shardId-00000000000[01]$/);
  assert.match(first.SequenceNumber, /^4\d{55}$/);
  const second = await world.call("PutRecord", {
    StreamName: STREAM,
    PartitionKey: "ada",
    Data: bytes("again"),
    SequenceNumberForOrdering: first.SequenceNumber,
  });
  assert.equal(second.ShardId, first.ShardId);
  assert.isTrue(BigInt(second.SequenceNumber) > BigInt(first.SequenceNumber));
  const explicit = await world.call("PutRecord", {
    StreamName: STREAM,
    PartitionKey: "ada",
    ExplicitHashKey: "340282366920938463463374607431768211455",
    Data: bytes("last"),
  });
  assert.equal(explicit.ShardId, "shardId-000000000001");
});
succeeds("PutRecord", "into a stream by its ARN", async (world) => {
  await createStream(world);
  const { ShardId } = await world.call("PutRecord", {
    StreamARN: STREAM_ARN,
    PartitionKey: "ada",
    Data: bytes("hello"),
  });
  assert.equal(ShardId, SHARD);
});
fails("PutRecord", "ResourceNotFoundException", "no such stream", (world) => put(world));
fails(
  "PutRecord",
  "InvalidArgumentException",
  "an explicit hash key over 2^128 - 1",
  async (world) => {
    await createStream(world);
    await world.call("PutRecord", {
      StreamName: STREAM,
      PartitionKey: "a",
      Data: bytes("x"),
      ExplicitHashKey: "340282366920938463463374607431768211456",
    });
  },
);
fails("PutRecord", "ValidationException", "a key of 257 characters", async (world) => {
  await createStream(world);
  await put(world, "x", "k".repeat(257));
});
fails("PutRecord", "ValidationException", "a record over the stream's maximum", async (world) => {
  await createStream(world);
  await put(world, new Uint8Array(MIB));
});
fails(
  "PutRecord",
  "ProvisionedThroughputExceededException",
  "over 10 MiB of burst",
  async (world) => {
    await createStream(world);
    await untilRefused(() => put(world, new Uint8Array(MIB - 10)), 20);
  },
);
fails("PutRecord", "AccessDeniedException", "a policy denies it", async (world) => {
  await createStream(world);
  await denyOther(world, "Put*");
  await put(world.other);
});
fails("PutRecord", "DryRunOperationException", "a dry run", async (world) => {
  await createStream(world);
  await world.call("PutRecord", {
    StreamName: STREAM,
    PartitionKey: "a",
    Data: bytes("x"),
    DryRun: true,
  });
});

succeeds("PutRecords", "an answer for each record, in their order", async (world) => {
  await createStream(world);
  const { Records, FailedRecordCount } = await world.call("PutRecords", {
    StreamName: STREAM,
    Records: ["a", "b", "c"].map((PartitionKey) => ({ PartitionKey, Data: bytes(PartitionKey) })),
  });
  assert.equal(FailedRecordCount, 0);
  const numbers = Records.map(({ SequenceNumber = "0" }) => BigInt(SequenceNumber));
  assert.deepEqual(
    [...numbers].sort((a, b) => (a < b ? -1 : 1)),
    numbers,
  );
  const read = await world.call("GetRecords", { ShardIterator: await iterator(world) });
  assert.deepEqual(
    read.Records.map(({ Data }) => text(Data)),
    ["a", "b", "c"],
  );
});
succeeds("PutRecords", "what is over a quota fails alone", async (world) => {
  await createStream(world);
  const big = { PartitionKey: "a", Data: new Uint8Array(MIB - 10) };
  const small = { PartitionKey: "b", Data: bytes("small") };
  await world.call("PutRecords", { StreamName: STREAM, Records: Array(9).fill(big) });
  const { Records, FailedRecordCount } = await world.call("PutRecords", {
    StreamName: STREAM,
    Records: [big, big, small],
  });
  assert.equal(FailedRecordCount, 1);
  assert.equal(Records[1]?.ErrorCode, "ProvisionedThroughputExceededException");
  assert.match(
    Records[1]?.ErrorMessage ?? "",
    /^Rate exceeded for shard shardId-000000000000 in stream clicks under account \d{12}\./,
  );
  assert.isString(Records[2]?.SequenceNumber);
});
fails("PutRecords", "ResourceNotFoundException", "no such stream", (world) =>
  world.call("PutRecords", {
    StreamName: "missing",
    Records: [{ PartitionKey: "a", Data: bytes("x") }],
  }),
);
fails("PutRecords", "InvalidArgumentException", "a request over 10 MiB", async (world) => {
  await createStream(world);
  await world.call("PutRecords", {
    StreamName: STREAM,
    Records: Array(11).fill({ PartitionKey: "a", Data: new Uint8Array(MIB - 10) }),
  });
});
fails("PutRecords", "ValidationException", "501 records", async (world) => {
  await createStream(world);
  await world.call("PutRecords", {
    StreamName: STREAM,
    Records: Array(501).fill({ PartitionKey: "a", Data: bytes("x") }),
  });
});
fails(
  "PutRecords",
  "ProvisionedThroughputExceededException",
  "every record is over a quota",
  async (world) => {
    await createStream(world);
    const big = { PartitionKey: "a", Data: new Uint8Array(MIB - 10) };
    await world.call("PutRecords", { StreamName: STREAM, Records: Array(10).fill(big) });
    const { Records } = await world.call("PutRecords", { StreamName: STREAM, Records: [big] });
    // PutRecords says so for each record instead of failing.
    throw Object.assign(new Error(Records[0]?.ErrorMessage), { name: Records[0]?.ErrorCode });
  },
);
fails("PutRecords", "AccessDeniedException", "a policy denies it", async (world) => {
  await createStream(world);
  await denyOther(world, "PutRecords");
  await world.other.call("PutRecords", {
    StreamName: STREAM,
    Records: [{ PartitionKey: "a", Data: bytes("x") }],
  });
});
fails("PutRecords", "DryRunOperationException", "a dry run", async (world) => {
  await createStream(world);
  await world.call("PutRecords", {
    StreamName: STREAM,
    Records: [{ PartitionKey: "a", Data: bytes("x") }],
    DryRun: true,
  });
});

succeeds("GetRecords", "records as they were put, then on from there", async (world) => {
  await createStream(world);
  await put(world, "one");
  await put(world, "two");
  const first = await world.call("GetRecords", {
    ShardIterator: await iterator(world),
    Limit: 1,
  });
  const [record] = first.Records;
  assert.equal(text(record?.Data), "one");
  assert.equal(record?.PartitionKey, "ada");
  assert.match(record?.SequenceNumber ?? "", /^\d{56}$/);
  const arrivalMs = record?.ApproximateArrivalTimestamp?.getTime() ?? 0;
  assert.isTrue(Math.abs(arrivalMs - (await world.now())) < 5_000);
  await world.advance(2_000);
  const second = await world.call("GetRecords", { ShardIterator: first.NextShardIterator ?? "" });
  assert.deepEqual(
    second.Records.map(({ Data }) => text(Data)),
    ["two"],
  );
  assert.equal(second.MillisBehindLatest, 0);
});
succeeds("GetRecords", "takes an iterator in quotation marks", async (world) => {
  await createStream(world);
  await put(world);
  const { Records } = await world.call("GetRecords", {
    ShardIterator: `"${await iterator(world)}"`,
  });
  assert.equal(Records.length, 1);
});
succeeds("GetRecords", "reads a closed shard to its end", async (world) => {
  await closeShard(world);
  const read: string[] = [];
  let next: string | undefined = await iterator(world);
  for (let calls = 0; next !== undefined && calls < 5; calls++) {
    const answer: OutputOf<"GetRecords"> = await world.call("GetRecords", { ShardIterator: next });
    read.push(...answer.Records.map(({ Data }) => text(Data)));
    next = answer.NextShardIterator ?? undefined;
    await world.advance(2_000);
  }
  assert.isUndefined(next);
  assert.deepEqual(read, ["last of the parent"]);
});
succeeds("GetRecords", "says how far behind it is", async (world) => {
  await createStream(world);
  await put(world, "one");
  await world.advance(60_000);
  await put(world, "two");
  const first = await world.call("GetRecords", {
    ShardIterator: await iterator(world),
    Limit: 1,
  });
  assert.isTrue((first.MillisBehindLatest ?? 0) >= 59_000);
});
succeeds("GetRecords", "ends with the children of a closed shard", async (world) => {
  await closeShard(world);
  const answer = await world.call("GetRecords", { ShardIterator: await iterator(world) });
  assert.equal(answer.Records.length, 1);
  assert.isUndefined(answer.NextShardIterator ?? undefined);
  assert.deepEqual(
    answer.ChildShards?.map(({ ShardId, ParentShards }) => [ShardId, ParentShards]),
    [
      ["shardId-000000000001", [SHARD]],
      ["shardId-000000000002", [SHARD]],
    ],
  );
  assert.equal(answer.ChildShards?.[0]?.HashKeyRange.EndingHashKey, "999");
});
fails(
  "GetRecords",
  "ExpiredIteratorException",
  "an iterator of five minutes ago",
  async (world) => {
    await createStream(world);
    const ShardIterator = await iterator(world);
    await world.advance(301_000);
    await world.call("GetRecords", { ShardIterator });
  },
);
fails("GetRecords", "InvalidArgumentException", "an iterator that is none", (world) =>
  world.call("GetRecords", { ShardIterator: "AAAAAAAAAAEgarbage" }),
);
fails("GetRecords", "ResourceNotFoundException", "the stream was deleted", async (world) => {
  await createStream(world);
  const ShardIterator = await iterator(world);
  await world.call("DeleteStream", { StreamName: STREAM });
  await world.call("GetRecords", { ShardIterator });
});
fails(
  "GetRecords",
  "ProvisionedThroughputExceededException",
  "over 5 reads a second",
  async (world) => {
    await createStream(world);
    await put(world);
    const ShardIterator = await iterator(world);
    await untilRefused(() => world.call("GetRecords", { ShardIterator }), 10);
  },
);
fails("GetRecords", "AccessDeniedException", "a policy denies it", async (world) => {
  await createStream(world);
  await denyOther(world, "GetRecords");
  await world.other.call("GetRecords", { ShardIterator: await iterator(world) });
});
fails("GetRecords", "DryRunOperationException", "a dry run", async (world) => {
  await createStream(world);
  await world.call("GetRecords", { ShardIterator: await iterator(world), DryRun: true });
});

interface Event {
  readonly SubscribeToShardEvent?: {
    readonly Records: readonly { readonly Data: Uint8Array }[];
    readonly ContinuationSequenceNumber?: string | null;
    readonly MillisBehindLatest?: number;
    readonly ChildShards?: readonly { readonly ShardId: string }[];
  };
}

async function subscribe(
  world: World,
  ConsumerARN: string,
  StartingPosition: object = { Type: "TRIM_HORIZON" },
): Promise<AsyncIterator<Event>> {
  const answer = (await world.callRaw("SubscribeToShard", {
    ConsumerARN,
    ShardId: SHARD,
    StartingPosition,
  })) as { EventStream: AsyncIterable<Event> };
  return answer.EventStream[Symbol.asyncIterator]();
}

async function nextEvent(events: AsyncIterator<Event>) {
  const { value } = await events.next();
  return (value as Event | undefined)?.SubscribeToShardEvent;
}

succeeds("SubscribeToShard", "records are pushed as they come", async (world) => {
  await createStream(world);
  await put(world, "before");
  const events = await subscribe(world, await registerConsumer(world));
  const first = await nextEvent(events);
  assert.equal(text(first?.Records[0]?.Data), "before");
  assert.match(first?.ContinuationSequenceNumber ?? "", /^\d{56}$/);
  assert.equal(first?.MillisBehindLatest, 0);
  await put(world, "after");
  const second = await nextEvent(events);
  assert.equal(text(second?.Records[0]?.Data), "after");
  await events.return?.();
});
succeeds("SubscribeToShard", "goes on at a continuation sequence number", async (world) => {
  await createStream(world);
  await put(world, "before");
  const consumer = await registerConsumer(world);
  const events = await subscribe(world, consumer);
  const first = await nextEvent(events);
  await events.return?.();
  await put(world, "after");
  await world.advance(6_000);
  const again = await subscribe(world, consumer, {
    Type: "AFTER_SEQUENCE_NUMBER",
    SequenceNumber: first?.ContinuationSequenceNumber,
  });
  assert.equal(text((await nextEvent(again))?.Records[0]?.Data), "after");
  await again.return?.();
});
succeeds("SubscribeToShard", "ends with the children of a closed shard", async (world) => {
  await closeShard(world);
  const events = await subscribe(world, await registerConsumer(world));
  const seen: Event["SubscribeToShardEvent"][] = [];
  for (;;) {
    const event = await nextEvent(events);
    if (event === undefined) break;
    seen.push(event);
  }
  const last = seen.at(-1);
  assert.equal(seen.flatMap((event) => event?.Records ?? []).length, 1);
  assert.isUndefined(last?.ContinuationSequenceNumber ?? undefined);
  assert.deepEqual(
    last?.ChildShards?.map(({ ShardId }) => ShardId),
    ["shardId-000000000001", "shardId-000000000002"],
  );
});
fails("SubscribeToShard", "ResourceNotFoundException", "no such consumer", async (world) => {
  await createStream(world);
  await subscribe(world, `${STREAM_ARN}/consumer/missing:1`);
});
fails("SubscribeToShard", "ResourceInUseException", "again within five seconds", async (world) => {
  await createStream(world);
  const consumer = await registerConsumer(world);
  const events = await subscribe(world, consumer);
  try {
    await subscribe(world, consumer);
  } finally {
    await events.return?.();
  }
});
fails(
  "SubscribeToShard",
  "InvalidArgumentException",
  "AT_TIMESTAMP without a timestamp",
  async (world) => {
    await createStream(world);
    await subscribe(world, await registerConsumer(world), { Type: "AT_TIMESTAMP" });
  },
);
fails("SubscribeToShard", "AccessDeniedException", "a policy denies it", async (world) => {
  await createStream(world);
  const consumer = await registerConsumer(world);
  await denyOther(world, "SubscribeToShard", consumer);
  await subscribe(world.other, consumer);
});
fails("SubscribeToShard", "DryRunOperationException", "a dry run", async (world) => {
  await createStream(world);
  await world.call("SubscribeToShard", {
    ConsumerARN: await registerConsumer(world),
    ShardId: SHARD,
    StartingPosition: { Type: "LATEST" },
    DryRun: true,
  });
});
fails(
  "SubscribeToShard",
  "LimitExceededException",
  "twice within a second",
  async (world) => {
    await createStream(world);
    const consumer = await registerConsumer(world);
    const events = await subscribe(world, consumer);
    await events.return?.();
    await subscribe(world, consumer);
  },
  { controlQuotas: true },
);
