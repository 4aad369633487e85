/** Cases of consumers, tags, resource policies and enhanced monitoring. */
import { assert } from "vitest";
import {
  CONTROL_RATES,
  createStream,
  denyOther,
  fails,
  MISSING_STREAM_ARN,
  OTHER_PRINCIPAL,
  RESERVED_ID,
  registerConsumer,
  SLOW_TRANSITIONS,
  STREAM,
  STREAM_ARN,
  succeeds,
  untilRefused,
  type World,
} from "../world.ts";

succeeds("RegisterStreamConsumer", "answers the consumer and its ARN", async (world) => {
  await createStream(world);
  const { Consumer } = await world.call("RegisterStreamConsumer", {
    StreamARN: STREAM_ARN,
    ConsumerName: "dashboard",
    Tags: { team: "shop" },
  });
  assert.match(Consumer.ConsumerARN, /:stream\/clicks\/consumer\/dashboard:\d+$/);
  assert.equal(Consumer.ConsumerName, "dashboard");
  assert.instanceOf(Consumer.ConsumerCreationTimestamp, Date);
  const tags = await world.call("ListTagsForResource", { ResourceARN: Consumer.ConsumerARN });
  assert.deepEqual(tags.Tags, [{ Key: "team", Value: "shop" }]);
});
fails("RegisterStreamConsumer", "ResourceInUseException", "a name that is taken", async (world) => {
  await createStream(world);
  await registerConsumer(world);
  await registerConsumer(world);
});
fails("RegisterStreamConsumer", "ResourceNotFoundException", "no such stream", (world) =>
  world.call("RegisterStreamConsumer", { StreamARN: MISSING_STREAM_ARN, ConsumerName: "a" }),
);
fails(
  "RegisterStreamConsumer",
  "InvalidArgumentException",
  "the reserved StreamId",
  async (world) => {
    await createStream(world);
    await world.call("RegisterStreamConsumer", {
      StreamARN: STREAM_ARN,
      ConsumerName: "a",
      StreamId: RESERVED_ID,
    });
  },
);
fails("RegisterStreamConsumer", "LimitExceededException", "more than twenty", async (world) => {
  await createStream(world);
  for (let i = 0; i < 21; i++) await registerConsumer(world, `consumer-${i}`);
});

succeeds(
  "DescribeStreamConsumer",
  "by ARN and by name",
  async (world) => {
    await createStream(world);
    await world.advance(1001);
    const ConsumerARN = await registerConsumer(world);
    const before = await world.call("DescribeStreamConsumer", { ConsumerARN });
    assert.equal(before.ConsumerDescription.ConsumerStatus, "CREATING");
    await world.advance(1001);
    const { ConsumerDescription: consumer } = await world.call("DescribeStreamConsumer", {
      StreamARN: STREAM_ARN,
      ConsumerName: "dashboard",
    });
    assert.equal(consumer.ConsumerARN, ConsumerARN);
    assert.equal(consumer.ConsumerName, "dashboard");
    assert.equal(consumer.ConsumerStatus, "ACTIVE");
    assert.equal(consumer.StreamARN, STREAM_ARN);
    assert.instanceOf(consumer.ConsumerCreationTimestamp, Date);
  },
  SLOW_TRANSITIONS,
);
fails("DescribeStreamConsumer", "ResourceNotFoundException", "no such consumer", async (world) => {
  await createStream(world);
  await world.call("DescribeStreamConsumer", { StreamARN: STREAM_ARN, ConsumerName: "a" });
});
fails("DescribeStreamConsumer", "InvalidArgumentException", "neither ARN nor name", (world) =>
  world.call("DescribeStreamConsumer", {}),
);
fails(
  "DescribeStreamConsumer",
  "LimitExceededException",
  "over 20 calls a second",
  async (world) => {
    await createStream(world);
    const ConsumerARN = await registerConsumer(world);
    await untilRefused(() => world.call("DescribeStreamConsumer", { ConsumerARN }));
  },
  CONTROL_RATES,
);

succeeds("ListStreamConsumers", "page by page", async (world) => {
  await createStream(world);
  for (const name of ["a", "b", "c"]) await registerConsumer(world, name);
  const first = await world.call("ListStreamConsumers", { StreamARN: STREAM_ARN, MaxResults: 2 });
  assert.equal(first.Consumers?.length, 2);
  assert.equal(first.Consumers?.[0]?.ConsumerStatus, "ACTIVE");
  const second = await world.call("ListStreamConsumers", {
    StreamARN: STREAM_ARN,
    NextToken: first.NextToken,
  });
  assert.deepEqual(
    [...(first.Consumers ?? []), ...(second.Consumers ?? [])]
      .map(({ ConsumerName }) => ConsumerName)
      .sort(),
    ["a", "b", "c"],
  );
  assert.isUndefined(second.NextToken);
});
fails("ListStreamConsumers", "ResourceNotFoundException", "no such stream", (world) =>
  world.call("ListStreamConsumers", { StreamARN: MISSING_STREAM_ARN }),
);
fails("ListStreamConsumers", "InvalidArgumentException", "a token that is none", async (world) => {
  await createStream(world);
  await world.call("ListStreamConsumers", { StreamARN: STREAM_ARN, NextToken: "garbage" });
});
fails(
  "ListStreamConsumers",
  "ExpiredNextTokenException",
  "a token of five minutes ago",
  async (world) => {
    await createStream(world);
    for (const name of ["a", "b"]) await registerConsumer(world, name);
    const { NextToken } = await world.call("ListStreamConsumers", {
      StreamARN: STREAM_ARN,
      MaxResults: 1,
    });
    await world.advance(301_000);
    await world.call("ListStreamConsumers", { StreamARN: STREAM_ARN, NextToken });
  },
);
fails(
  "ListStreamConsumers",
  "LimitExceededException",
  "over 5 calls a second",
  async (world) => {
    await createStream(world);
    await untilRefused(() => world.call("ListStreamConsumers", { StreamARN: STREAM_ARN }));
  },
  CONTROL_RATES,
);

succeeds("DeregisterStreamConsumer", "the name is free again", async (world) => {
  await createStream(world);
  const ConsumerARN = await registerConsumer(world);
  await world.call("DeregisterStreamConsumer", { ConsumerARN });
  await registerConsumer(world);
  await world.call("DeregisterStreamConsumer", {
    StreamARN: STREAM_ARN,
    ConsumerName: "dashboard",
  });
  const { Consumers } = await world.call("ListStreamConsumers", { StreamARN: STREAM_ARN });
  assert.deepEqual(Consumers, []);
});
fails(
  "DeregisterStreamConsumer",
  "ResourceNotFoundException",
  "no such consumer",
  async (world) => {
    await createStream(world);
    await world.call("DeregisterStreamConsumer", { StreamARN: STREAM_ARN, ConsumerName: "a" });
  },
);
fails("DeregisterStreamConsumer", "InvalidArgumentException", "neither ARN nor name", (world) =>
  world.call("DeregisterStreamConsumer", {}),
);
fails(
  "DeregisterStreamConsumer",
  "LimitExceededException",
  "over 5 calls a second",
  async (world) => {
    await createStream(world);
    await untilRefused(() =>
      world
        .call("DeregisterStreamConsumer", { StreamARN: STREAM_ARN, ConsumerName: "a" })
        .catch((error: unknown) => {
          if ((error as Error).name !== "ResourceNotFoundException") throw error;
        }),
    );
  },
  CONTROL_RATES,
);

/** Tag operations of the older family name a stream, those of the newer one any resource. */
const TAGGING = [
  {
    add: "AddTagsToStream",
    remove: "RemoveTagsFromStream",
    list: "ListTagsForStream",
    named: { StreamName: STREAM },
    missing: { StreamName: "missing" },
  },
  {
    add: "TagResource",
    remove: "UntagResource",
    list: "ListTagsForResource",
    named: { ResourceARN: STREAM_ARN },
    missing: { ResourceARN: MISSING_STREAM_ARN },
  },
] as const;

for (const { add, remove, list, named, missing } of TAGGING) {
  const tags = async (world: World): Promise<unknown> =>
    ((await world.callRaw(list, named)) as { Tags: unknown }).Tags;
  const addTag = (world: World): Promise<unknown> =>
    world.callRaw(add, { ...named, Tags: { team: "shop" } });

  succeeds(add, "adds and overwrites", async (world) => {
    await createStream(world);
    await addTag(world);
    await world.callRaw(add, { ...named, Tags: { team: "data", cost: "1" } });
    assert.deepEqual(await tags(world), [
      { Key: "cost", Value: "1" },
      { Key: "team", Value: "data" },
    ]);
  });
  succeeds(remove, "removes what is there", async (world) => {
    await createStream(world);
    await addTag(world);
    await world.callRaw(remove, { ...named, TagKeys: ["team", "never"] });
    assert.deepEqual(await tags(world), []);
  });
  succeeds(list, "in the order of keys", async (world) => {
    await createStream(world);
    await world.callRaw(add, { ...named, Tags: { b: "2", a: "1", c: "" } });
    const answer = (await world.callRaw(list, named)) as { Tags: { Key: string; Value: string }[] };
    assert.deepEqual(
      answer.Tags.map(({ Key, Value }) => `${Key}=${Value}`),
      ["a=1", "b=2", "c="],
    );
  });
  for (const [operation, rest] of [
    [add, { Tags: { team: "shop" } }],
    [remove, { TagKeys: ["team"] }],
    [list, {}],
  ] as const) {
    fails(operation, "ResourceNotFoundException", "no such stream", (world) =>
      world.callRaw(operation, { ...missing, ...rest }),
    );
    if ("StreamName" in named) {
      fails(
        operation,
        "LimitExceededException",
        "over 5 calls a second",
        async (world) => {
          await createStream(world);
          await untilRefused(() => world.callRaw(operation, { ...named, ...rest }));
        },
        CONTROL_RATES,
      );
    }
    fails(operation, "AccessDeniedException", "a policy denies it", async (world) => {
      await createStream(world);
      await denyOther(world, operation);
      await world.other.callRaw(operation, { ...named, ...rest });
    });
    fails(operation, "InvalidArgumentException", "the reserved StreamId", async (world) => {
      await createStream(world);
      await world.callRaw(operation, { ...named, ...rest, StreamId: RESERVED_ID });
    });
  }
  fails(add, "InvalidArgumentException", "more than fifty", async (world) => {
    await createStream(world);
    const Tags = Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`key-${i}`, "x"]));
    await world.callRaw(add, { ...named, Tags });
  });
}
succeeds("ListTagsForStream", "page by page", async (world) => {
  await createStream(world);
  await world.call("AddTagsToStream", { StreamName: STREAM, Tags: { a: "1", b: "2" } });
  const first = await world.call("ListTagsForStream", { StreamName: STREAM, Limit: 1 });
  assert.deepEqual(first.Tags, [{ Key: "a", Value: "1" }]);
  assert.isTrue(first.HasMoreTags);
  const second = await world.call("ListTagsForStream", {
    StreamName: STREAM,
    ExclusiveStartTagKey: "a",
  });
  assert.deepEqual(second.Tags, [{ Key: "b", Value: "2" }]);
  assert.isFalse(second.HasMoreTags);
});

const POLICY = JSON.stringify({
  Version: "2012-10-17",
  Statement: [
    {
      Sid: "Readers",
      Effect: "Deny",
      Principal: { AWS: OTHER_PRINCIPAL },
      Action: ["kinesis:PutRecord"],
      Resource: STREAM_ARN,
    },
  ],
});

succeeds("PutResourcePolicy", "is kept and holds at once", async (world) => {
  await createStream(world);
  await world.call("PutResourcePolicy", { ResourceARN: STREAM_ARN, Policy: POLICY });
  const put = (by: World): Promise<unknown> =>
    by.call("PutRecord", { StreamName: STREAM, PartitionKey: "a", Data: new Uint8Array(1) });
  await put(world);
  const refused = await put(world.other).then(
    () => "accepted",
    (error: Error) => `${error.name}: ${error.message}`,
  );
  assert.match(refused, /^AccessDeniedException: .*explicit deny.*Readers/s);
});
succeeds("GetResourcePolicy", "the policy as it was put; {} without one", async (world) => {
  await createStream(world);
  assert.equal((await world.call("GetResourcePolicy", { ResourceARN: STREAM_ARN })).Policy, "{}");
  await world.call("PutResourcePolicy", { ResourceARN: STREAM_ARN, Policy: POLICY });
  const { Policy } = await world.call("GetResourcePolicy", { ResourceARN: STREAM_ARN });
  assert.deepEqual(JSON.parse(Policy), JSON.parse(POLICY));
});
succeeds("DeleteResourcePolicy", "no longer holds", async (world) => {
  await createStream(world);
  await world.call("PutResourcePolicy", { ResourceARN: STREAM_ARN, Policy: POLICY });
  await world.call("DeleteResourcePolicy", { ResourceARN: STREAM_ARN });
  await world.other.call("PutRecord", {
    StreamName: STREAM,
    PartitionKey: "a",
    Data: new Uint8Array(1),
  });
});
fails(
  "PutResourcePolicy",
  "InvalidArgumentException",
  "a policy that is no JSON",
  async (world) => {
    await createStream(world);
    await world.call("PutResourcePolicy", { ResourceARN: STREAM_ARN, Policy: "{" });
  },
);
for (const operation of [
  "PutResourcePolicy",
  "GetResourcePolicy",
  "DeleteResourcePolicy",
] as const) {
  const call = (world: World, rest: object = {}): Promise<unknown> =>
    world.callRaw(operation, {
      ResourceARN: STREAM_ARN,
      ...(operation === "PutResourcePolicy" ? { Policy: POLICY } : {}),
      ...rest,
    });
  fails(operation, "ResourceNotFoundException", "no such stream", (world) =>
    call(world, { ResourceARN: MISSING_STREAM_ARN }),
  );
  fails(operation, "AccessDeniedException", "a policy denies it", async (world) => {
    await createStream(world);
    await denyOther(world, operation);
    await call(world.other);
  });
  fails(operation, "InvalidArgumentException", "the reserved StreamId", async (world) => {
    await createStream(world);
    await call(world, { StreamId: RESERVED_ID });
  });
  if (operation === "GetResourcePolicy") continue;
  fails(
    operation,
    "ResourceInUseException",
    "the stream is being created",
    async (world) => {
      await createStream(world);
      await call(world);
    },
    SLOW_TRANSITIONS,
  );
}

for (const [operation, current, desired] of [
  ["EnableEnhancedMonitoring", ["IncomingBytes"], ["IncomingBytes", "OutgoingBytes"]],
  ["DisableEnhancedMonitoring", ["IncomingBytes", "OutgoingBytes"], ["IncomingBytes"]],
] as const) {
  const call = (world: World, StreamName = STREAM): Promise<unknown> =>
    world.call(operation, { StreamName, ShardLevelMetrics: ["OutgoingBytes"] });
  succeeds(operation, "answers what was and what will be", async (world) => {
    await createStream(world);
    await world.call("EnableEnhancedMonitoring", {
      StreamName: STREAM,
      ShardLevelMetrics: [...current],
    });
    const answer = (await call(world)) as {
      CurrentShardLevelMetrics: string[];
      DesiredShardLevelMetrics: string[];
      StreamName: string;
      StreamARN: string;
    };
    assert.deepEqual([...answer.CurrentShardLevelMetrics].sort(), [...current]);
    assert.deepEqual([...answer.DesiredShardLevelMetrics].sort(), [...desired]);
    assert.equal(answer.StreamName, STREAM);
    assert.equal(answer.StreamARN, STREAM_ARN);
  });
  fails(operation, "ResourceNotFoundException", "no such stream", (world) =>
    call(world, "missing"),
  );
  fails(
    operation,
    "ResourceInUseException",
    "the stream is being created",
    async (world) => {
      await createStream(world);
      await call(world);
    },
    SLOW_TRANSITIONS,
  );
  fails(operation, "InvalidArgumentException", "no stream named", (world) =>
    world.call(operation, { ShardLevelMetrics: ["ALL"] }),
  );
  fails(operation, "AccessDeniedException", "a policy denies it", async (world) => {
    await createStream(world);
    await denyOther(world, operation);
    await call(world.other);
  });
}
