/** Cases of encryption at rest: its two operations, and what keys do to puts and reads. */
import type { OperationName } from "@millrace/engine/model";
import { assert } from "vitest";
import {
  bytes,
  createStream,
  denyOther,
  fails,
  OTHER_PRINCIPAL,
  SLOW_TRANSITIONS,
  STREAM,
  succeeds,
  type World,
  type WorldOptions,
} from "../world.ts";

const AWS_KEY = "alias/aws/kinesis";
const ALIAS = "alias/shop";
const WITH_KEYS: WorldOptions = { keys: true };
const OPERATIONS = ["StartStreamEncryption", "StopStreamEncryption"] as const;

const encrypt = (world: World, KeyId = AWS_KEY) =>
  world.call("StartStreamEncryption", { StreamName: STREAM, EncryptionType: "KMS", KeyId });
const putRecord = (world: World) =>
  world.call("PutRecord", { StreamName: STREAM, PartitionKey: "a", Data: bytes("one") });
const putRecords = (world: World) =>
  world.call("PutRecords", {
    StreamName: STREAM,
    Records: [{ PartitionKey: "a", Data: bytes("two") }],
  });

async function iterator(world: World): Promise<string> {
  const { ShardIterator } = await world.call("GetShardIterator", {
    StreamName: STREAM,
    ShardId: "shardId-000000000000",
    ShardIteratorType: "TRIM_HORIZON",
  });
  return ShardIterator ?? "";
}

const getRecords = async (world: World) =>
  await world.call("GetRecords", { ShardIterator: await iterator(world) });

/** A stream under a key of the account's own. */
async function createEncrypted(world: World): Promise<void> {
  await createStream(world);
  await world.keys.create({ alias: ALIAS });
  await encrypt(world, ALIAS);
}

succeeds("StartStreamEncryption", "records are marked from then on", async (world) => {
  await createStream(world);
  const before = await putRecord(world);
  assert.isUndefined(before.EncryptionType);
  await encrypt(world);
  assert.equal((await putRecord(world)).EncryptionType, "KMS");
  assert.equal((await putRecords(world)).EncryptionType, "KMS");
  const { StreamDescription } = await world.call("DescribeStream", { StreamName: STREAM });
  assert.include(StreamDescription, { EncryptionType: "KMS", KeyId: AWS_KEY });
  const { StreamDescriptionSummary } = await world.call("DescribeStreamSummary", {
    StreamName: STREAM,
  });
  assert.include(StreamDescriptionSummary, { EncryptionType: "KMS", KeyId: AWS_KEY });
});
succeeds("PutRecord", "says that the stream is encrypted", async (world) => {
  await createStream(world);
  await encrypt(world);
  assert.equal((await putRecord(world)).EncryptionType, "KMS");
});
succeeds("PutRecords", "says that the stream is encrypted", async (world) => {
  await createStream(world);
  await encrypt(world);
  assert.equal((await putRecords(world)).EncryptionType, "KMS");
});
succeeds("GetRecords", "says of records that they were encrypted", async (world) => {
  await createStream(world);
  await encrypt(world);
  await putRecord(world);
  const { Records } = await getRecords(world);
  assert.deepEqual(
    Records.map(({ EncryptionType }) => EncryptionType),
    ["KMS"],
  );
});
succeeds("DescribeStream", "names the key of an encrypted stream", async (world) => {
  await createStream(world);
  await encrypt(world);
  const { StreamDescription } = await world.call("DescribeStream", { StreamName: STREAM });
  assert.equal(StreamDescription.KeyId, AWS_KEY);
});
succeeds("DescribeStreamSummary", "names the key of an encrypted stream", async (world) => {
  await createStream(world);
  await encrypt(world);
  const answer = await world.call("DescribeStreamSummary", { StreamName: STREAM });
  assert.equal(answer.StreamDescriptionSummary.KeyId, AWS_KEY);
});
succeeds("StopStreamEncryption", "what was put before can still be read", async (world) => {
  await createStream(world);
  await encrypt(world);
  await putRecord(world);
  await world.call("StopStreamEncryption", {
    ...{ StreamName: STREAM, EncryptionType: "KMS", KeyId: AWS_KEY },
  });
  assert.isUndefined((await putRecord(world)).EncryptionType);
  assert.lengthOf((await getRecords(world)).Records, 2);
  const { StreamDescription } = await world.call("DescribeStream", { StreamName: STREAM });
  assert.equal(StreamDescription.EncryptionType, "NONE");
  assert.isUndefined(StreamDescription.KeyId);
});

for (const operation of OPERATIONS) {
  const change = (world: World, KeyId = AWS_KEY): Promise<unknown> =>
    world.call(operation, { StreamName: STREAM, EncryptionType: "KMS", KeyId });
  fails(operation, "ResourceNotFoundException", "no such stream", (world) => change(world));
  fails(
    operation,
    "ResourceInUseException",
    "the stream is being created",
    async (world) => {
      await createStream(world);
      await change(world);
    },
    SLOW_TRANSITIONS,
  );
  fails(operation, "InvalidArgumentException", "a key that is none", async (world) => {
    await createStream(world);
    await change(world, "no key at all");
  });
  // StopStreamEncryption declares none of KMS's errors.
  const noKey =
    operation === "StartStreamEncryption" ? "KMSNotFoundException" : "InvalidArgumentException";
  fails(operation, noKey, "a key that there is not", async (world) => {
    await createStream(world);
    await change(world, "12345678-1234-1234-1234-123456789012");
  });
  fails(operation, "AccessDeniedException", "a policy denies it", async (world) => {
    await createStream(world);
    await denyOther(world, operation);
    await change(world.other);
  });
}
fails(
  "StopStreamEncryption",
  "InvalidArgumentException",
  "another key than its own",
  async (world) => {
    await createStream(world);
    await world.keys.create({ alias: ALIAS });
    await encrypt(world, ALIAS);
    await world.call("StopStreamEncryption", {
      ...{ StreamName: STREAM, EncryptionType: "KMS", KeyId: AWS_KEY },
    });
  },
  WITH_KEYS,
);

/** What is refused because of a stream's key. */
const CALLS: readonly (readonly [OperationName, (world: World) => Promise<unknown>])[] = [
  ["PutRecord", putRecord],
  ["PutRecords", putRecords],
  ["GetRecords", getRecords],
];

for (const [operation, call] of CALLS) {
  fails(
    operation,
    "KMSDisabledException",
    "the stream's key is disabled",
    async (world) => {
      await createEncrypted(world);
      await world.keys.disable(ALIAS);
      await call(world);
    },
    WITH_KEYS,
  );
  fails(
    operation,
    "KMSInvalidStateException",
    "the stream's key was destroyed",
    async (world) => {
      await createEncrypted(world);
      await world.keys.destroy(ALIAS);
      await call(world);
    },
    WITH_KEYS,
  );
  fails(
    operation,
    "KMSAccessDeniedException",
    "the key's policy denies it",
    async (world) => {
      await createEncrypted(world);
      const all = { Action: "kms:*", Resource: "*" };
      await world.keys.setPolicy(ALIAS, {
        Version: "2012-10-17",
        Statement: [
          { Effect: "Allow", Principal: "*", ...all },
          { Effect: "Deny", Principal: { AWS: OTHER_PRINCIPAL }, ...all },
        ],
      });
      await call(world);
      await call(world.other);
    },
    WITH_KEYS,
  );
}

fails(
  "StartStreamEncryption",
  "KMSDisabledException",
  "the key is disabled",
  async (world) => {
    await createStream(world);
    await world.keys.create({ alias: ALIAS });
    await world.keys.disable(ALIAS);
    await encrypt(world, ALIAS);
  },
  WITH_KEYS,
);
fails(
  "StartStreamEncryption",
  "KMSAccessDeniedException",
  "the key's policy allows nobody",
  async (world) => {
    await createStream(world);
    const nobody = { Effect: "Deny", Principal: "*", Action: "kms:*", Resource: "*" };
    await world.keys.create({ alias: ALIAS, policy: { Statement: [nobody] } });
    await encrypt(world, ALIAS);
  },
  WITH_KEYS,
);
fails(
  "StartStreamEncryption",
  "KMSInvalidStateException",
  "the key was destroyed",
  async (world) => {
    await createStream(world);
    const { keyId } = await world.keys.create({});
    await world.keys.destroy(keyId);
    await encrypt(world, keyId);
  },
  WITH_KEYS,
);
