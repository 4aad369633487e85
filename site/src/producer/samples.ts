/** The calls behind the Producer place: the SDK's producer, and AWS's PutRecords. */
import type { CodeSample } from "../live/code-samples.ts";
import type { PlaygroundSettings } from "./settings.ts";
import { helpersOf, literalOf } from "./template.ts";

const RECORDS_PER_CALL_MAX = 500;

function generator({ key, data }: PlaygroundSettings): string {
  const templates = [key.template, data.template].filter((one) => one !== undefined);
  const helpers = helpersOf(templates).map((helper) => `${helper}\n`);
  const [keyLiteral, dataLiteral] = [key, data].map(({ template }) =>
    template === undefined ? '""' : literalOf(template),
  );
  return `${helpers.join("")}const record = (i) => ({
  partitionKey: ${keyLiteral},
  data: ${dataLiteral},
});`;
}

/** Samples for these settings; a template that does not read is an empty text. */
export function producerSamples(settings: PlaygroundSettings): CodeSample[] {
  const { streamName, ratePerSecond, aggregation } = settings;
  const name = JSON.stringify(streamName);
  const perCall = Math.min(RECORDS_PER_CALL_MAX, ratePerSecond);
  return [
    { heading: "The records", code: generator(settings) },
    {
      heading: "Millrace SDK",
      code: `const stream = await millrace.streams.get(${name});
const producer = await stream.producer({ aggregation: ${aggregation} });

for (let i = 0; i < ${ratePerSecond}; i += 1) { // a second's worth
  await producer.ready(); // waits while its buffer is full
  producer.put(record(i)).catch((error) => console.warn(error.code, error.message));
}
await producer.flush(); // all of it is settled
const { userRecordsPut, kinesisRecordsPut, kinesisBytesPut } = producer.metrics();`,
    },
    {
      heading: "AWS SDK for JavaScript",
      code: `import { KinesisClient, PutRecordsCommand } from "@aws-sdk/client-kinesis";
${aggregation ? `import { encodeAggregate } from "millrace/aggregation"; // the KPL's format\n` : ""}
const client = new KinesisClient(millrace.aws());
${aggregation ? awsAggregated(name, perCall) : awsSingle(name, perCall)}`,
    },
  ];
}

function awsSingle(name: string, perCall: number): string {
  return `const Records = Array.from({ length: ${perCall} }, (_, i) => {
  const { partitionKey, data } = record(i);
  return { PartitionKey: partitionKey, Data: new TextEncoder().encode(data) };
});
const { FailedRecordCount } = await client.send(
  new PutRecordsCommand({ StreamName: ${name}, Records }),
); // what failed has to be put again by you`;
}

function awsAggregated(name: string, perCall: number): string {
  return `const members = Array.from({ length: ${perCall} }, (_, i) => {
  const { partitionKey, data } = record(i);
  return { partitionKey, data: new TextEncoder().encode(data) };
});
// One aggregate lies in one shard: its members must be those whose keys fall into that shard,
// which the SDK's producer finds out by itself. With one shard, all do.
const Data = encodeAggregate(members);
await client.send(
  new PutRecordsCommand({ StreamName: ${name}, Records: [{ PartitionKey: "a", Data }] }),
);`;
}
