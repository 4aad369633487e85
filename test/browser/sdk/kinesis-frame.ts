/** A page that talks to Kinesis by AWS's own client and knows nothing of Millrace. */
import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  PutRecordCommand,
  RegisterStreamConsumerCommand,
  ResourceNotFoundException,
  SubscribeToShardCommand,
} from "@aws-sdk/client-kinesis";

const StreamName = "clicks";
const ShardId = "shardId-000000000000";
const client = new KinesisClient({
  region: "us-east-1",
  credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" },
  maxAttempts: 1,
});

const text = (data: Uint8Array | undefined): string => new TextDecoder().decode(data);

function put(data: string, stream = StreamName) {
  const Data = new TextEncoder().encode(data);
  return client.send(new PutRecordCommand({ StreamName: stream, PartitionKey: "a", Data }));
}

/** What the test looks at. */
async function run(): Promise<Record<string, unknown>> {
  const { SequenceNumber } = await put("hello");
  const place = { StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" } as const;
  const { ShardIterator } = await client.send(new GetShardIteratorCommand(place));
  const { Records } = await client.send(new GetRecordsCommand({ ShardIterator }));
  const failure: unknown = await put("x", "missing").catch((error: unknown) => error);
  const StreamARN = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks";
  const register = new RegisterStreamConsumerCommand({ StreamARN, ConsumerName: "app" });
  const ConsumerARN = (await client.send(register)).Consumer?.ConsumerARN;
  const StartingPosition = { Type: "LATEST" } as const;
  const input = { ConsumerARN, ShardId, StartingPosition };
  const { EventStream } = await client.send(new SubscribeToShardCommand(input));
  const events = EventStream?.[Symbol.asyncIterator]();
  const pushed: string[] = [];
  for (let i = 0; i < 20; i++) {
    const next = events?.next();
    await put(`${i}`);
    const event = (await next)?.value?.SubscribeToShardEvent;
    pushed.push(...(event?.Records ?? []).map(({ Data }: { Data?: Uint8Array }) => text(Data)));
  }
  await events?.return?.(undefined);
  return {
    sequenceNumber: SequenceNumber,
    records: Records?.map(({ Data }) => text(Data)),
    notFound: failure instanceof ResourceNotFoundException,
    pushed,
  };
}

run().then(
  (result) => parent.postMessage({ result }, location.origin),
  (error: unknown) => parent.postMessage({ error: String(error) }, location.origin),
);
