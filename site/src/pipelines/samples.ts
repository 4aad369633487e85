/** The calls behind the Pipelines place. AWS's nearest is Managed Service for Apache Flink, and no API. */
import type { CodeSample } from "../live/code-samples.ts";
import { DEMO_PIPELINE, DEMO_STREAMS } from "./demo-pipeline.ts";

/** Samples for the site's own pipeline. */
export function pipelineSamples(streamName: string): CodeSample[] {
  const { requests, failed, keyed, counts } = DEMO_STREAMS;
  return [
    {
      heading: "The stages",
      code: `const pipeline = await millrace.pipeline("${DEMO_PIPELINE}");

const LINE = /^(\\S+) \\S+ \\S+ \\[[^\\]]*\\] "([A-Z]+) (\\S+)[^"]*" (\\d{3}) (\\d+|-)/;
const parsed = pipeline
  .from(${JSON.stringify(streamName)}, { format: "text", startingPosition: "LATEST" })
  .flatMap((line) => {
    const found = LINE.exec(line);
    return found === null ? [] : [{ path: found[3], status: Number(found[4]) }];
  })
  .to("${requests}", { stage: "parse" });

parsed.filter(({ status }) => status >= 400).to("${failed}", { stage: "only-failed" });

parsed
  .keyBy(({ status }) => String(status))
  .to("${keyed}", { stage: "by-status" })
  .aggregate({
    initial: () => 0,
    add: (count) => count + 1,
    result: (count, status) => ({ status, requests: count }),
  })
  .to("${counts}", { stage: "count" });`,
    },
    {
      heading: "Run it: what a stage reads, keeps and writes is stored in one epoch",
      code: `await pipeline.start();
const { nodes, edges } = await pipeline.describe();
for (const { stage, from, to, lagRecords, iteratorAgeMs } of edges) {
  console.log(stage, from, to, lagRecords, iteratorAgeMs);
}
await pipeline.stop(); // the checkpoints stay`,
    },
    {
      heading: "AWS SDK for JavaScript: what came out of it",
      code: `import { GetRecordsCommand, GetShardIteratorCommand, KinesisClient } from "@aws-sdk/client-kinesis";

const client = new KinesisClient(millrace.aws());
const { ShardIterator } = await client.send(new GetShardIteratorCommand({
  StreamName: "${counts}",
  ShardId: "shardId-000000000000",
  ShardIteratorType: "TRIM_HORIZON",
}));
const { Records } = await client.send(new GetRecordsCommand({ ShardIterator }));
for (const { Data } of Records) console.log(new TextDecoder().decode(Data));`,
    },
  ];
}
