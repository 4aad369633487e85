/** Triggers in this thread for the tests: handlers that note what they get, and engines for them. */
import type { KinesisEvent, LambdaContext, Millrace, Stream, Trigger } from "millrace";
import { afterEach } from "vitest";
import { openEngine } from "../support.ts";

const DECODER = new TextDecoder();

/** Options of most tests: everything from the beginning, and hardly a pause before a retry. */
export const QUICK = { name: "t", startingPosition: "TRIM_HORIZON", retryMs: 1 } as const;

/** The data of an event's records as texts. */
export function textsOf({ Records }: KinesisEvent): string[] {
  return Records.map(({ kinesis }) =>
    DECODER.decode(Uint8Array.from(atob(kinesis.data), (one) => one.charCodeAt(0))),
  );
}

/** What a handler was called with. */
export class Calls {
  readonly events: KinesisEvent[] = [];
  readonly contexts: LambdaContext[] = [];
  /** Texts of the batches that the handler did not refuse. */
  readonly done: string[][] = [];
  /** May throw, or take its time, or answer something. */
  answer: (texts: readonly string[], event: KinesisEvent) => unknown = () => undefined;

  /** The handler. */
  readonly handler = async (event: KinesisEvent, context: LambdaContext): Promise<unknown> => {
    this.events.push(event);
    this.contexts.push(context);
    const texts = textsOf(event);
    const answer = await this.answer(texts, event);
    this.done.push(texts);
    return answer;
  };

  /** Texts of all records that the handler did not refuse. */
  get texts(): string[] {
    return this.done.flat();
  }
}

/** An engine with a stream and a stream for what is given up. */
export async function openStreams(
  shards = 1,
): Promise<{ engine: Millrace; stream: Stream; failures: Stream }> {
  const engine = await openEngine();
  const stream = await engine.streams.create("clicks", { shards });
  return { engine, stream, failures: await engine.streams.create("failures") };
}

const triggers: Trigger[] = [];

/** Stops the trigger before its engine is closed. */
export function keepTrigger(trigger: Trigger): Trigger {
  triggers.push(trigger);
  return trigger;
}

afterEach(async () => {
  for (const trigger of triggers.splice(0)) await trigger.stop({ graceful: false });
});
