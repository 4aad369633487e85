/** The pipeline of the site: from the access log to requests, to those that failed, and to counts by status. */
import type { Millrace, Pipeline } from "millrace";
import { type LogRequest, requestIn } from "./log-line.ts";

/** Name of the pipeline, and the first part of its groups' names. */
export const DEMO_PIPELINE = "demo-pipeline";

/** Streams that its stages write. */
export const DEMO_STREAMS = {
  requests: "demo-requests",
  failed: "demo-failed-requests",
  keyed: "demo-by-status",
  counts: "demo-status-counts",
} as const;

function requestsIn(line: string): LogRequest[] {
  const request = requestIn(line);
  return request === undefined ? [] : [request];
}

/** Writes down the stages; nothing runs yet. */
export async function demoPipeline(millrace: Millrace, streamName: string): Promise<Pipeline> {
  const { requests, failed, keyed, counts } = DEMO_STREAMS;
  const pipeline = await millrace.pipeline(DEMO_PIPELINE);
  const parsed = pipeline
    .from<string>(streamName, { format: "text", startingPosition: "LATEST" })
    .flatMap<LogRequest>((line) => requestsIn(line))
    .to(requests, { stage: "parse" });
  parsed.filter(({ status }) => status >= 400).to(failed, { stage: "only-failed" });
  parsed
    .keyBy(({ status }) => String(status))
    .to(keyed, { stage: "by-status" })
    .aggregate<number, { status: string; requests: number }>({
      initial: () => 0,
      add: (count) => count + 1,
      result: (count, status) => ({ status, requests: count }),
    })
    .to(counts, { stage: "count" });
  return pipeline;
}
