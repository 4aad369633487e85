/** A pipeline and a trigger for the tests in browsers, as applications export them. */
import { definePipeline, defineTrigger, type KinesisEvent } from "millrace";

/** Counts the numbers of `in` by whether they are even. */
export const parity = definePipeline((pipeline) => {
  pipeline
    .from<string>("in", { format: "text" })
    .map(Number)
    .keyBy((value) => (value % 2 === 0 ? "even" : "odd"), { through: "by-parity", shards: 2 })
    .aggregate<number, number>({ initial: () => 0, add: (count) => count + 1 })
    .to("counts");
});

/** Takes even numbers only, and gives up odd ones. */
export const evens = defineTrigger(
  ({ Records }: KinesisEvent) => {
    for (const { kinesis } of Records) {
      if (Number(atob(kinesis.data)) % 2 === 1) throw new RangeError("an odd number");
    }
  },
  { bisectOnError: true, maxRetries: 0, retryMs: 1, onFailure: { streamName: "odd" } },
);
