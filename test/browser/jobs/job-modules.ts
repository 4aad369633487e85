/** Jobs for the tests in browsers, as applications write them. */
import type { JobContext, ProcessInput, ShardProcessor } from "millrace";

const TEXTS = new TextDecoder();

function settingsOf({ settings }: JobContext): { readonly to: string; readonly endAt: string } {
  return settings as { to: string; endAt: string };
}

function copying(context: JobContext) {
  const { to: streamName } = settingsOf(context);
  return async ({ records, checkpointer }: ProcessInput): Promise<void> => {
    const outputs = records.map(({ partitionKey, data }) => ({ streamName, partitionKey, data }));
    await checkpointer.checkpoint({ outputs });
  };
}

/** Copies every record in one step with its checkpoint. */
export function copy(context: JobContext) {
  context.log("begun");
  const processRecords = copying(context);
  return (): ShardProcessor => ({ processRecords });
}

/** Copies, and ends its worker once it has copied a text that the settings name. */
export function copyAndEnd(context: JobContext) {
  const process = copying(context);
  const { endAt } = settingsOf(context);
  const has = ({ records }: ProcessInput, text: string): boolean =>
    records.some(({ data }) => TEXTS.decode(data) === text);
  return (): ShardProcessor => ({
    processRecords: async (input) => {
      await process(input);
      if (has(input, endAt)) globalThis.close();
    },
  });
}

/** Throws where nobody catches it. */
export function throwsLater(_context: JobContext) {
  setTimeout(() => {
    throw new Error("thrown outside of any call");
  }, 20);
  return (): ShardProcessor => ({ processRecords: () => undefined });
}

/** Rejects where nobody catches it. */
export function rejectsLater(_context: JobContext) {
  void Promise.reject(new Error("rejected outside of any call"));
  return (): ShardProcessor => ({ processRecords: () => undefined });
}

/** Its first delivery never ends. */
export function spin(_context: JobContext) {
  return (): ShardProcessor => ({
    processRecords: () => {
      for (;;);
    },
  });
}

/** Holds 100 MiB and more of objects from its beginning. */
export function hold(_context: JobContext) {
  const held = Array.from({ length: 5_000_000 }, (_, number) => ({ number }));
  return (): ShardProcessor => ({ processRecords: () => void held.at(0) });
}
