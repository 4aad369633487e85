/** kinesalite over loopback with the official client, in Node: what the page's figures are held against. */
import { spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  PutRecordCommand,
  PutRecordsCommand,
} from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";

const RECORDS = 500;
const READ_RECORDS = 1000;
const SHARDS = 4;
const STREAM = "bench";
const WARM_UP_CALLS = 10;

async function startServer() {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL("./kinesalite-server.mjs", import.meta.url))],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const port = await new Promise((resolve, reject) => {
    child.stdout.once("data", (text) => resolve(Number(text)));
    child.once("exit", (code) => reject(new Error(`kinesalite ended with code ${code}`)));
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const stop = () => {
    child.stdin.end();
    return ended;
  };
  return { url: `http://127.0.0.1:${port}`, stop };
}

async function createStream(client, StreamName, ShardCount) {
  await client.send(new CreateStreamCommand({ StreamName, ShardCount }));
  for (;;) {
    const { StreamDescriptionSummary } = await client.send(
      new DescribeStreamSummaryCommand({ StreamName }),
    );
    if (StreamDescriptionSummary.StreamStatus === "ACTIVE") return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function randomCall(dataBytes, StreamName = STREAM) {
  const Records = Array.from({ length: RECORDS }, () => ({
    PartitionKey: randomUUID(),
    Data: randomBytes(dataBytes),
  }));
  return new PutRecordsCommand({ StreamName, Records });
}

async function put(client, call) {
  const { FailedRecordCount } = await client.send(call);
  if (FailedRecordCount > 0) throw new Error(`kinesalite refused ${FailedRecordCount} records`);
}

/** A call to repeat, and how many records or calls one of them counts for. */
function putTask(dataBytes) {
  return async (client) => {
    const calls = Array.from({ length: 8 }, () => randomCall(dataBytes));
    return { work: RECORDS, call: (i) => put(client, calls[i % calls.length]) };
  };
}

async function singleTask(client) {
  const call = new PutRecordCommand({
    StreamName: STREAM,
    PartitionKey: "one",
    Data: randomBytes(1024),
  });
  return { work: 1, repeats: 10, depths: [1], call: () => client.send(call) };
}

async function readTask(client) {
  const StreamName = "read";
  await createStream(client, StreamName, 1);
  for (let i = 0; i < 4; i++) await put(client, randomCall(1024, StreamName));
  const { ShardIterator } = await client.send(
    new GetShardIteratorCommand({
      StreamName,
      ShardId: "shardId-000000000000",
      ShardIteratorType: "TRIM_HORIZON",
    }),
  );
  const command = new GetRecordsCommand({ ShardIterator, Limit: READ_RECORDS });
  const call = async () => {
    const { Records } = await client.send(command);
    if (Records.length !== READ_RECORDS) throw new Error(`read ${Records.length} records`);
  };
  return { work: READ_RECORDS, depths: [1], call };
}

const TASKS = {
  "puts 1 KiB": putTask(1024),
  "puts 100 B": putTask(100),
  "single put": singleTask,
  "reads 1 KiB": readTask,
};

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Median rate per second; with so many calls under way as serve it best, where that may be chosen. */
async function rateOf({ work, call, repeats = 1, depths = [1, 4] }, rounds, callsPerRound) {
  const calls = callsPerRound * repeats;
  for (let i = 0; i < WARM_UP_CALLS; i++) await call(i);
  const rates = new Map(depths.map((depth) => [depth, []]));
  for (let round = 0; round < rounds; round++) {
    for (const depth of depths) {
      const start = performance.now();
      let next = 0;
      const lane = async () => {
        while (next < calls) await call(next++);
      };
      await Promise.all(Array.from({ length: depth }, lane));
      rates.get(depth).push((calls * work * 1000) / (performance.now() - start));
    }
  }
  return Math.max(...[...rates.values()].map(median));
}

/** Rates per second of the measures that are wanted, by name. */
export async function measureKinesalite(wanted, rounds, callsPerRound) {
  const server = await startServer();
  const client = new KinesisClient({
    endpoint: server.url,
    region: "us-east-1",
    credentials: { accessKeyId: "none", secretAccessKey: "none" },
    maxAttempts: 1,
    // The client would speak HTTP/2, which kinesalite does not.
    requestHandler: new NodeHttpHandler({ httpAgent: { keepAlive: true, maxSockets: 16 } }),
  });
  try {
    await createStream(client, STREAM, SHARDS);
    const measured = {};
    for (const name of wanted) {
      measured[name] = await rateOf(await TASKS[name](client), rounds, callsPerRound);
    }
    return measured;
  } finally {
    client.destroy();
    await server.stop();
  }
}
