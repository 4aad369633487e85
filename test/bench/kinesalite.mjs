/** putRecords of 500 x 1 KiB to kinesalite over loopback with the official client, in Node. */
import { spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  KinesisClient,
  PutRecordsCommand,
} from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";

const RECORDS = 500;
const DATA_BYTES = 1024;
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

async function createStream(client) {
  await client.send(new CreateStreamCommand({ StreamName: STREAM, ShardCount: SHARDS }));
  for (;;) {
    const { StreamDescriptionSummary } = await client.send(
      new DescribeStreamSummaryCommand({ StreamName: STREAM }),
    );
    if (StreamDescriptionSummary.StreamStatus === "ACTIVE") return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function randomCall() {
  const Records = Array.from({ length: RECORDS }, () => ({
    PartitionKey: randomUUID(),
    Data: randomBytes(DATA_BYTES),
  }));
  return { StreamName: STREAM, Records };
}

async function put(client, call) {
  const { FailedRecordCount } = await client.send(new PutRecordsCommand(call));
  if (FailedRecordCount > 0) throw new Error(`kinesalite refused ${FailedRecordCount} records`);
}

/**
 * Median rate in records/s of `rounds` rounds of calls, with so many calls under way as serve it best:
 * one and four are tried, and the better one counts.
 */
export async function measureKinesalite(rounds, callsPerRound) {
  const server = await startServer();
  const client = new KinesisClient({
    endpoint: server.url,
    region: "us-east-1",
    credentials: { accessKeyId: "none", secretAccessKey: "none" },
    maxAttempts: 1,
    // The client would speak HTTP/2, which kinesalite does not.
    requestHandler: new NodeHttpHandler({ httpAgent: { keepAlive: true, maxSockets: 16 } }),
  });
  const calls = Array.from({ length: 8 }, randomCall);
  try {
    await createStream(client);
    for (let i = 0; i < WARM_UP_CALLS; i++) await put(client, calls[i % calls.length]);
    const rates = { 1: [], 4: [] };
    for (let round = 0; round < rounds; round++) {
      for (const depth of [1, 4]) {
        const start = performance.now();
        let next = 0;
        const lane = async () => {
          while (next < callsPerRound) await put(client, calls[next++ % calls.length]);
        };
        await Promise.all(Array.from({ length: depth }, lane));
        rates[depth].push((callsPerRound * RECORDS * 1000) / (performance.now() - start));
      }
    }
    const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
    return Math.max(median(rates[1]), median(rates[4]));
  } finally {
    client.destroy();
    await server.stop();
  }
}
