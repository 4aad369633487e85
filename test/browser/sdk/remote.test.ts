/** The remote backend in a page: over AWS's client there, which reaches this page's engine, other servers, or nobody. */
import { Kinesis, KinesisClient } from "@aws-sdk/client-kinesis";
import { assert } from "chai";
import { open, type StreamRecord } from "millrace";
import { type KinesisOptions, kinesis, type RemoteMillrace } from "millrace/remote";
import { closeAll, openEngine } from "./support.ts";

const NUMBERS = Array.from({ length: 600 }, (_, i) => ({
  partitionKey: `${i % 90}`,
  data: `${i}`,
}));

async function openRemote(options: KinesisOptions): Promise<RemoteMillrace> {
  return await open({ backend: kinesis({ pollMs: 200, ...options }) });
}

/** What a promise rejects with. */
async function failureOf(promise: Promise<unknown>): Promise<{ name?: string; code?: string }> {
  return await promise.then(
    () => ({}),
    (error: Error) => error,
  );
}

describe("a Kinesis elsewhere, from a page", () => {
  afterEach(closeAll);

  for (const [name, Client] of Object.entries({ Kinesis, KinesisClient })) {
    it(`is put into and read by the caller's ${name}`, async () => {
      const engine = await openEngine();
      const client = new Client(engine.aws({ protocol: "json" }));
      const remote = await openRemote({ client });
      const stream = await remote.streams.create("clicks", { shards: 2 });
      const result = await stream.putRecords(NUMBERS);
      assert.strictEqual(result.failedRecordCount, 0);
      const producer = await stream.producer({ maxBufferedMs: 5, aggregation: false });
      await producer.put({ partitionKey: "a", data: "600" });
      await producer.close();
      const read: StreamRecord[] = [];
      for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
        read.push(record);
      }
      const numbers = read.map((record) => Number(record.text())).sort((a, b) => a - b);
      assert.deepEqual(
        numbers,
        Array.from({ length: 601 }, (_, i) => i),
      );
      const own = await engine.streams.get("clicks");
      assert.strictEqual(own.arn, stream.arn);
      const failure = await failureOf(
        Promise.resolve().then(() => stream.subscribe({ consumer: "app", from: "LATEST" })),
      );
      assert.strictEqual(failure.name, "NotSupportedError");
      await remote.close();
      client.destroy();
    });
  }

  it("is told from servers that are none, and from nobody", async () => {
    const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };
    for (const [endpoint, name] of [
      [`${location.origin}/no/such/page`, "WrongEndpointError"],
      ["http://127.0.0.1:1", "RemoteUnavailableError"],
    ] as const) {
      const remote = await openRemote({
        ...{ region: "us-east-1", endpoint, credentials },
        deadlineMs: 3000,
      });
      assert.strictEqual((await failureOf(remote.streams.list())).name, name, endpoint);
      await remote.close();
    }
  });
});
