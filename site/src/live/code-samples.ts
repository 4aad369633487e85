/** The calls behind what is on the screen, as code that runs as it stands. */
import type { LiveSettings } from "./settings.ts";

/** One piece of code with its title. */
export interface CodeSample {
  readonly heading: string;
  readonly code: string;
}

/** Names that the samples speak of. */
export interface SampleNames {
  readonly engine: string;
  readonly stream: string;
  readonly shards: number;
  readonly hotKey: string;
}

/** Samples for these settings. */
export function codeSamples(names: SampleNames, settings: LiveSettings): CodeSample[] {
  const { ratePerSecond, hotPercent, shardIndex } = settings;
  const key =
    hotPercent === 0
      ? `line.slice(0, line.indexOf(" "))`
      : `i % 100 < ${hotPercent} ? "${names.hotKey}" : line.slice(0, line.indexOf(" "))`;
  const shard =
    shardIndex === undefined ? "" : `, shard: "shardId-${String(shardIndex).padStart(12, "0")}"`;
  return [
    {
      heading: "Open the engine and its stream",
      code: `import { open } from "millrace";

const millrace = await open({ name: "${names.engine}", quotas: "aws" });
const stream = await millrace.streams.ensure("${names.stream}", { shards: ${names.shards} });`,
    },
    {
      heading: "Put log lines",
      code: `const text = await (await fetch("access-log/apache_combined.log")).text();
const lines = text.trimEnd().split("\\n").slice(0, ${Math.max(1, ratePerSecond)}); // a second's worth

const result = await stream.putRecords(
  lines.map((line, i) => ({ partitionKey: ${key}, data: line })),
); // what is acknowledged is on disk

console.log(result.length - result.failedRecordCount, "acknowledged");
for (let i = 0; i < result.length; i += 1) {
  const answer = result.get(i);
  if ("errorCode" in answer) console.warn(answer.errorCode, answer.errorMessage);
}`,
    },
    {
      heading: "Consume live, through the plugin",
      code: `import { accessLog } from "@millrace/transform-access-log";
import { openTransform } from "millrace/plugin";

const stop = new AbortController();
const { signal } = stop;
const transform = openTransform(accessLog());

for await (const batch of stream.readBatches({ from: "LATEST", until: "live", signal${shard} })) {
  for (const outcome of await transform.transform(batch)) {
    if (outcome.result === "Ok") console.log(outcome.data);
  }
}`,
    },
    {
      heading: "Read everything again",
      code: `let records = 0;
for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end"${shard} })) {
  records += 1; // record.partitionKey, record.sequenceNumber, record.text()
}
console.log(records, "records");`,
    },
    {
      heading: "Meters",
      code: `const shards = await stream.metrics();   // records and bytes per shard since opening
const storage = await millrace.storage(); // what is on disk, and what is not acknowledged yet`,
    },
  ];
}
