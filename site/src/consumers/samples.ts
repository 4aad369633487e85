/** The calls behind the Consumers place. AWS has groups in a library, the KCL, and not in its API. */
import type { CodeSample } from "../live/code-samples.ts";

/** Samples for a group of a stream. */
export function groupSamples(groupName: string, streamName: string): CodeSample[] {
  const name = JSON.stringify(groupName);
  return [
    {
      heading: "A worker that counts every record once",
      code: `const stream = await millrace.streams.get(${JSON.stringify(streamName)});
const group = await stream.group(${name}, { from: "TRIM_HORIZON" });

const worker = group.start(() => {
  let records = 0;
  return {
    initialize({ state }) { records = state.records ?? 0; },
    async processRecords(input) {
      records += input.records.length;
      await input.checkpointer.checkpoint({ state: { records } }); // both or neither
    },
  };
}, { checkpoints: "manual", reads: "fan-out" });

worker.on("lease-taken", ({ shardId }) => console.log(shardId));
await worker.stop();                    // finishes what it has in hand
// await worker.stop({ graceful: false }); // drops it: it comes again`,
    },
    {
      heading: "The same as a loop",
      code: `for await (const batch of group.read()) {
  console.log(batch.shardId, batch.records.length); // checkpointed when the next one is asked for
}`,
    },
    {
      heading: "Leases, lag and workers",
      code: `const { leases, workers } = await group.describe();
for (const { shardId, status, owner, leaseCounter, checkpoint, lagRecords, iteratorAgeMs } of leases) {
  console.log(shardId, status, owner?.workerId, leaseCounter, checkpoint, lagRecords, iteratorAgeMs);
}`,
    },
    {
      heading: "Replay from a time",
      code: `await group.reset(new Date(Date.now() - 60_000), { force: true }); // takes the leases from their owners`,
    },
    {
      heading: "A job: the worker in a thread of its own, begun anew when it fails",
      code: `await millrace.jobs.define("counter", {
  module: new URL("./counter-job.js", location.href), // exports (context) => () => processor
  group: { streamName: ${JSON.stringify(streamName)}, name: "counters" },
});
await millrace.jobs.host(); // whenever this tab leads
for (const { name, state, restarts, lastError } of await millrace.jobs.list()) {
  console.log(name, state, restarts, lastError?.message);
}`,
    },
    {
      heading: "AWS SDK for JavaScript: one shard, without leases and checkpoints",
      code: `import { GetRecordsCommand, GetShardIteratorCommand, KinesisClient } from "@aws-sdk/client-kinesis";

const client = new KinesisClient(millrace.aws());
let { ShardIterator } = await client.send(new GetShardIteratorCommand({
  StreamName: ${JSON.stringify(streamName)},
  ShardId: "shardId-000000000000",
  ShardIteratorType: "TRIM_HORIZON",
}));
while (ShardIterator !== undefined) {
  const answer = await client.send(new GetRecordsCommand({ ShardIterator }));
  console.log(answer.Records.length, answer.MillisBehindLatest);
  ShardIterator = answer.NextShardIterator;
  await new Promise((resolve) => setTimeout(resolve, 200)); // 5 reads a second per shard
}`,
    },
  ];
}
