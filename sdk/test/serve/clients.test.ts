/** Clients as they come: the official one over both versions of HTTP, the AWS CLI, boto3. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  type KinesisClientConfig,
  ListStreamsCommand,
  PutRecordCommand,
  PutRecordsCommand,
  RegisterStreamConsumerCommand,
  ResourceNotFoundException,
  SubscribeToShardCommand,
} from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { assert } from "chai";
import { type KinesisServer, serve } from "millrace/serve";
import { afterEach, beforeAll, beforeEach, describe, it } from "vitest";
import { canRun, selfSigned } from "./support.ts";

const CREDENTIALS = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };
const REGION = "us-east-1";
const servers: KinesisServer[] = [];
const clients: KinesisClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  for (const server of servers.splice(0)) await server.close();
});

async function start(options: Parameters<typeof serve>[0] = {}): Promise<KinesisServer> {
  const server = await serve({ port: 0, ...options });
  servers.push(server);
  return server;
}

function clientOf(endpoint: string, config: KinesisClientConfig = {}): KinesisClient {
  const client = new KinesisClient({
    ...{ endpoint, region: REGION, credentials: CREDENTIALS, maxAttempts: 1 },
    ...config,
  });
  clients.push(client);
  return client;
}

/** Creates, puts, reads and subscribes as an application does. */
async function useStream(client: KinesisClient): Promise<void> {
  await client.send(new CreateStreamCommand({ StreamName: "clicks", ShardCount: 1 }));
  const listed = await client.send(new ListStreamsCommand({}));
  assert.deepEqual(listed.StreamNames, ["clicks"]);
  const Data = new TextEncoder().encode("first");
  const put = { StreamName: "clicks", PartitionKey: "ada", Data };
  const { SequenceNumber, ShardId } = await client.send(new PutRecordCommand(put));
  assert.strictEqual(ShardId, "shardId-000000000000");
  const Records = Array.from({ length: 500 }, (_, i) => ({
    PartitionKey: `key-${i}`,
    Data: new Uint8Array(1024).fill(i),
  }));
  const many = await client.send(new PutRecordsCommand({ StreamName: "clicks", Records }));
  assert.strictEqual(many.FailedRecordCount, 0);
  const { ShardIterator } = await client.send(
    new GetShardIteratorCommand({
      StreamName: "clicks",
      ShardId,
      ShardIteratorType: "TRIM_HORIZON",
    }),
  );
  const read = await client.send(new GetRecordsCommand({ ShardIterator }));
  assert.lengthOf(read.Records ?? [], 501);
  assert.strictEqual(read.Records?.[0]?.SequenceNumber, SequenceNumber);
  assert.deepEqual(read.Records?.[0]?.Data, Data);
  assert.deepEqual(read.Records?.[500]?.Data, new Uint8Array(1024).fill(499));
}

/** Subscribes and resolves with the partition keys of the first events that hold `count` records. */
async function subscribe(client: KinesisClient, count: number): Promise<string[]> {
  const { StreamDescriptionSummary } = await client.send(
    new DescribeStreamSummaryCommand({ StreamName: "clicks" }),
  );
  const StreamARN = StreamDescriptionSummary?.StreamARN;
  const { Consumer } = await client.send(
    new RegisterStreamConsumerCommand({ StreamARN, ConsumerName: "reader" }),
  );
  const { EventStream } = await client.send(
    new SubscribeToShardCommand({
      ConsumerARN: Consumer?.ConsumerARN,
      ShardId: "shardId-000000000000",
      StartingPosition: { Type: "TRIM_HORIZON" },
    }),
  );
  const keys: string[] = [];
  for await (const { SubscribeToShardEvent } of EventStream ?? []) {
    for (const { PartitionKey } of SubscribeToShardEvent?.Records ?? [])
      keys.push(`${PartitionKey}`);
    if (keys.length >= count) break;
  }
  return keys;
}

describe("the official client", () => {
  const handlers: Record<string, (() => KinesisClientConfig) | undefined> = {
    "as it is, over HTTP/2": () => ({}),
    "over HTTP/1.1": () => ({ requestHandler: new NodeHttpHandler() }),
  };
  for (const [how, config] of Object.entries(handlers)) {
    it(`works ${how}`, async () => {
      const { url } = await start();
      await useStream(clientOf(url, config?.()));
    });

    it(`is pushed records ${how}`, async () => {
      const { url } = await start();
      const client = clientOf(url, config?.());
      await useStream(client);
      const keys = await subscribe(client, 501);
      assert.deepEqual(keys.slice(0, 2), ["ada", "key-0"]);
    });

    it(`is told AWS's errors ${how}`, async () => {
      const { url } = await start();
      const error = await clientOf(url, config?.())
        .send(new DescribeStreamSummaryCommand({ StreamName: "nowhere" }))
        .catch((reason: unknown) => reason);
      if (!(error instanceof ResourceNotFoundException)) assert.fail(String(error));
      assert.match(error.message, /^Stream nowhere under account \d+ not found\.$/);
      assert.match(error.$metadata.requestId ?? "", /^[0-9a-f-]{36}$/);
    });
  }

  it("works over TLS, with HTTP/1.1", async ({ skip }) => {
    const tls = selfSigned();
    if (tls === undefined) return skip("there is no openssl that makes a certificate");
    const { url } = await start({ tls });
    assert.match(url, /^https:/);
    const httpsAgent = new Agent({ ca: tls.cert });
    await useStream(clientOf(url, { requestHandler: new NodeHttpHandler({ httpsAgent }) }));
  });

  it("works over TLS as it is, with HTTP/2", async ({ skip }) => {
    const tls = selfSigned();
    if (tls === undefined) return skip("there is no openssl that makes a certificate");
    const { url } = await start({ tls, accessKeys: [CREDENTIALS] });
    const directory = mkdtempSync(join(tmpdir(), "millrace-ca-"));
    const ca = join(directory, "ca.pem");
    writeFileSync(ca, tls.cert);
    try {
      // Node reads what it trusts when it starts, and the client's handler takes no other word for it.
      const words = ["--input-type=module", "--eval", TLS_CLIENT];
      const output = await run(process.execPath, words, url, { NODE_EXTRA_CA_CERTS: ca });
      assert.deepEqual(JSON.parse(output), { StreamNames: ["clicks"] });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("has its signature verified where keys are given, and is the key's principal", async () => {
    const { url } = await start({ accessKeys: [CREDENTIALS] });
    await useStream(clientOf(url));
    await useAgain(clientOf(url, { requestHandler: new NodeHttpHandler() }));
    const wrong = clientOf(url, { credentials: { ...CREDENTIALS, secretAccessKey: "guess" } });
    const failure = await wrong.send(new ListStreamsCommand({})).catch((reason: unknown) => reason);
    assert.strictEqual((failure as Error).name, "InvalidSignatureException");
    const stranger = clientOf(url, { credentials: { accessKeyId: "X", secretAccessKey: "y" } });
    const refused = await stranger
      .send(new ListStreamsCommand({}))
      .catch((reason: unknown) => reason);
    assert.strictEqual((refused as Error).name, "UnrecognizedClientException");
  });
});

const TLS_CLIENT = `
import { CreateStreamCommand, KinesisClient, ListStreamsCommand } from "@aws-sdk/client-kinesis";
const client = new KinesisClient({ endpoint: process.env.MILLRACE_URL, maxAttempts: 1 });
await client.send(new CreateStreamCommand({ StreamName: "clicks", ShardCount: 1 }));
const { StreamNames } = await client.send(new ListStreamsCommand({}));
console.log(JSON.stringify({ StreamNames }));
client.destroy();
`;

async function useAgain(client: KinesisClient): Promise<void> {
  const { StreamNames } = await client.send(new ListStreamsCommand({}));
  assert.deepEqual(StreamNames, ["clicks"]);
}

/** Runs a program beside this one, whose server must go on answering meanwhile; resolves its output. */
function run(
  command: string,
  words: readonly string[],
  url: string,
  environment: Record<string, string> = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, {
      env: {
        ...process.env,
        AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
        AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
        AWS_DEFAULT_REGION: REGION,
        AWS_REGION: REGION,
        AWS_EC2_METADATA_DISABLED: "true",
        AWS_MAX_ATTEMPTS: "1",
        AWS_PAGER: "",
        MILLRACE_URL: url,
        ...environment,
      },
    });
    let [output, complaint] = ["", ""];
    child.stdout.on("data", (text) => {
      output += text;
    });
    child.stderr.on("data", (text) => {
      complaint += text;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ended with ${code}: ${complaint}`));
    });
  });
}

describe("the AWS CLI", () => {
  let there = false;
  beforeAll(() => {
    there = canRun("aws", "--version");
  });
  let url = "";
  beforeEach(async () => {
    url = (await start({ accessKeys: [CREDENTIALS] })).url;
  });

  async function kinesis(...words: string[]): Promise<Record<string, unknown>> {
    const output = await run("aws", ["--endpoint-url", url, "kinesis", ...words], url);
    return output.trim() === "" ? {} : (JSON.parse(output) as Record<string, unknown>);
  }

  it("creates, puts and reads", async ({ skip }) => {
    if (!there) return skip("there is no AWS CLI");
    await kinesis("create-stream", "--stream-name", "clicks", "--shard-count", "1");
    assert.deepEqual((await kinesis("list-streams"))["StreamNames"], ["clicks"]);
    const stream = ["--stream-name", "clicks"];
    await kinesis("put-record", ...stream, "--partition-key", "ada", "--data", "aGVsbG8=");
    const { ShardIterator } = await kinesis(
      ...["get-shard-iterator", ...stream, "--shard-id", "shardId-000000000000"],
      ...["--shard-iterator-type", "TRIM_HORIZON"],
    );
    const read = await kinesis("get-records", "--shard-iterator", String(ShardIterator));
    const [record] = read["Records"] as Record<string, unknown>[];
    assert.strictEqual(record?.["PartitionKey"], "ada");
    const failure = await kinesis("describe-stream", "--stream-name", "nowhere").catch(String);
    assert.include(failure, "ResourceNotFoundException");
    assert.include(failure, "Stream nowhere under account");
  }, 120_000);
});

const BOTO3 = `
import boto3, json, os, threading, time
from botocore.exceptions import ClientError
kinesis = boto3.client("kinesis", endpoint_url=os.environ["MILLRACE_URL"])
kinesis.create_stream(StreamName="clicks", ShardCount=1)
kinesis.get_waiter("stream_exists").wait(StreamName="clicks")
put = kinesis.put_records(StreamName="clicks", Records=[
    {"PartitionKey": "key-%d" % i, "Data": bytes([i]) * 1024} for i in range(100)])
iterator = kinesis.get_shard_iterator(StreamName="clicks", ShardId="shardId-000000000000",
    ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
read = kinesis.get_records(ShardIterator=iterator)
arn = kinesis.describe_stream_summary(StreamName="clicks")["StreamDescriptionSummary"]["StreamARN"]
consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="reader")["Consumer"]
keys = []
events = kinesis.subscribe_to_shard(ConsumerARN=consumer["ConsumerARN"],
    ShardId="shardId-000000000000", StartingPosition={"Type": "TRIM_HORIZON"})["EventStream"]
def late():
    time.sleep(0.2)
    kinesis.put_record(StreamName="clicks", PartitionKey="late", Data=b"pushed")
threading.Thread(target=late).start()
for event in events:
    keys += [record["PartitionKey"] for record in event["SubscribeToShardEvent"]["Records"]]
    if "late" in keys:
        break
events.close()
try:
    kinesis.describe_stream(StreamName="nowhere")
    error = None
except ClientError as problem:
    error = problem.response["Error"]["Code"]
print(json.dumps({"failed": put["FailedRecordCount"], "read": len(read["Records"]),
    "same": read["Records"][7]["Data"] == bytes([7]) * 1024, "pushed": len(keys),
    "last": keys[-1], "error": error}))
`;

describe("boto3", () => {
  it("puts, reads and is pushed records over HTTP/1.1", async ({ skip }) => {
    if (!canRun("python3", "-c", "import boto3")) return skip("there is no boto3");
    const { url } = await start({ accessKeys: [CREDENTIALS] });
    assert.deepEqual(JSON.parse(await run("python3", ["-c", BOTO3], url)), {
      ...{ failed: 0, read: 100, same: true, pushed: 101 },
      ...{ last: "late", error: "ResourceNotFoundException" },
    });
  }, 120_000);
});
