/** The calls behind the Sync place. AWS has nothing of the kind for pages; the nearest is a retry in the caller's hands. */
import type { CodeSample } from "../live/code-samples.ts";
import { FAR_STREAM } from "./far-side.ts";
import { NEAR_STREAM } from "./sync-desk.ts";

/** Samples of shipping to a Kinesis elsewhere, and of a copy of one. */
export function syncSamples(): CodeSample[] {
  return [
    {
      heading: "Store and forward: keep what is put, ship it when there is a network",
      code: `import { open } from "millrace";
import { kinesis } from "millrace/remote";

const remote = await open({
  backend: kinesis({ region: "eu-central-1", credentials: askYourServerForThem }),
});
const near = await millrace.streams.get("${NEAR_STREAM}");
const replication = await near.replicateTo(await remote.streams.get("${FAR_STREAM}"), { hold: true });

replication.on("failed", ({ error }) => console.warn("only somebody can mend this", error));
const { state, lagRecords, retries, estimatedMs } = await replication.status();
await replication.pause();
replication.resume(); // and stop() at the end: another tab goes on`,
    },
    {
      heading: "The other way: a readable copy of a stream elsewhere, each record once",
      code: `const far = await remote.streams.get("${FAR_STREAM}");
const copy = await millrace.streams.ensure("copy", { shards: 2 });
const replica = await far.replicateTo(copy, { from: "TRIM_HORIZON" });
replica.on("gap", ({ shardId, after, before }) => console.warn(shardId, after, before));`,
    },
    {
      heading: "What this page does: the far side is another engine behind AWS's protocol",
      code: `import { awsFetch } from "millrace/aws";

const far = await open({ name: "millrace-far" });
const answer = awsFetch(far); // (request: Request) => Promise<Response>
const remote = await open({
  backend: kinesis({ region, endpoint, credentials, requestHandler: sendingBy(answer) }),
});`,
    },
    {
      heading: "AWS SDK for JavaScript: what one call of it is",
      code: `import { Kinesis } from "@aws-sdk/client-kinesis";

const { FailedRecordCount, Records } = await new Kinesis({ region }).putRecords({
  StreamName: "${FAR_STREAM}",
  Records: aggregates, // at most 500 and 10 MiB; what failed is yours to send again
});`,
    },
  ];
}
