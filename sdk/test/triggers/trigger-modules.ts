/**
 * Triggers as applications export them, for the tests, which bundle this file for Node's threads. What a handler has
 * done it writes to the file `done` beside its module, a line of JSON for each batch: a Lambda handler has no stream.
 */
import { appendFileSync } from "node:fs";
import { defineTrigger, type KinesisEvent, type LambdaContext } from "millrace";

const DONE = new URL("done", import.meta.url);
const QUICK = { retryMs: 1 } as const;

function textsOf({ Records }: KinesisEvent): string[] {
  return Records.map(({ kinesis }) => atob(kinesis.data));
}

async function handle(event: KinesisEvent, { functionName }: LambdaContext): Promise<void> {
  const texts = textsOf(event);
  if (texts.includes("7")) throw new RangeError("7 is not wanted");
  appendFileSync(DONE, `${JSON.stringify({ texts, functionName })}\n`);
}

/** Batches of 10 records at most. */
export const tens = defineTrigger(handle, { ...QUICK, batchSize: 10 });

/** Takes everything but 7, which it gives up. */
export const picky = defineTrigger(handle, {
  ...{ ...QUICK, bisectOnError: true, maxRetries: 0, onFailure: { streamName: "failures" } },
  functionName: "picky-one",
});

/** Does nothing for the words that its filter leaves out. */
export const filtered = defineTrigger(handle, {
  ...QUICK,
  filter: { Filters: [{ Pattern: "{" }] },
});

/** Says what its job's definition is to say. */
export const named = defineTrigger(handle, { name: "mine" } as object);

/** Gives up what fails into a stream that there is not. */
export const nowhere = defineTrigger(handle, { onFailure: { streamName: "none" } });

/** Is no function. */
export const noHandler = defineTrigger("handler" as never);
