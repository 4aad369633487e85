/** AWS's own client in a page: handed to the engine directly, and unmodified through a service worker. */
import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  PutRecordsCommand,
  SubscribeToShardCommand,
} from "@aws-sdk/client-kinesis";
import { assert } from "chai";
import { serveServiceWorker } from "millrace/aws";
import { closeAll, fileHere, openEngine } from "./support.ts";

const StreamName = "clicks";
const ShardId = "shardId-000000000000";
const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data);

async function controlledFrame(): Promise<Record<string, unknown>> {
  const frame = document.createElement("iframe");
  const answer = new Promise<Record<string, unknown>>((resolve, reject) => {
    addEventListener("message", ({ data, source }) => {
      if (source !== frame.contentWindow) return;
      if ("error" in data) reject(new Error(data.error));
      else if ("result" in data) resolve(data.result);
    });
  });
  frame.src = fileHere("kinesis-frame.html");
  document.body.append(frame);
  try {
    return await answer;
  } finally {
    frame.remove();
  }
}

async function activeWorker(): Promise<ServiceWorkerRegistration> {
  const scope = fileHere("./");
  const registration = await navigator.serviceWorker.register(
    fileHere("kinesis-service-worker.js"),
    {
      scope,
      type: "module",
    },
  );
  const worker = registration.installing ?? registration.waiting ?? registration.active;
  await new Promise<void>((resolve) => {
    if (worker?.state === "activated") resolve();
    worker?.addEventListener("statechange", () => {
      if (worker.state === "activated") resolve();
    });
  });
  return registration;
}

describe("AWS's client in a page", () => {
  afterEach(closeAll);

  for (const protocol of ["direct", "json"] as const) {
    it(`uses the engine by ${protocol}, and is pushed every record`, async () => {
      const engine = await openEngine();
      const stream = await engine.streams.create(StreamName);
      const client = new KinesisClient(engine.aws({ protocol }));
      const Records = ["a", "b"].map((key) => ({
        PartitionKey: key,
        Data: new TextEncoder().encode(key),
      }));
      await client.send(new PutRecordsCommand({ StreamName, Records }));
      const { ShardIterator } = await client.send(
        new GetShardIteratorCommand({ StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" }),
      );
      const read = await client.send(new GetRecordsCommand({ ShardIterator }));
      assert.deepEqual(
        read.Records?.map(({ Data }) => text(Data)),
        ["a", "b"],
      );
      const { arn: ConsumerARN } = await stream.registerConsumer("app");
      const input = { ConsumerARN, ShardId, StartingPosition: { Type: "LATEST" } } as const;
      const { EventStream } = await client.send(new SubscribeToShardCommand(input));
      const events = EventStream?.[Symbol.asyncIterator]();
      for (let i = 0; i < 30; i++) {
        const next = events?.next();
        await stream.putRecord({ partitionKey: "a", data: `${i}` });
        const event = (await next)?.value?.SubscribeToShardEvent;
        assert.equal(text(event?.Records?.[0]?.Data), `${i}`);
      }
      await events?.return?.(undefined);
    });
  }

  it("works unmodified, its requests answered by a service worker", async () => {
    const engine = await openEngine();
    await engine.streams.create(StreamName);
    const registration = await activeWorker();
    const stop = serveServiceWorker(engine);
    try {
      const result = await controlledFrame();
      assert.deepEqual(result["records"], ["hello"]);
      assert.match(String(result["sequenceNumber"]), /^4\d{55}$/);
      assert.isTrue(result["notFound"]);
      assert.deepEqual(
        result["pushed"],
        Array.from({ length: 20 }, (_, i) => `${i}`),
      );
    } finally {
      stop();
      await registration.unregister();
    }
  });
});
