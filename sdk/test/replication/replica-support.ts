/** What tests of replicas share: a local engine, what streams hold, and waiting. */
import { type Millrace, type OpenOptions, open, type Stream, type StreamLike } from "millrace";
import type { RemoteStream } from "millrace/remote";
import { forward, startStub } from "../remote/stub-endpoint.ts";
import { endLater, http1, openRemote } from "../remote/support.ts";

let opened = 0;

/** An engine in memory, closed after the test. */
export async function openLocal(options: Partial<OpenOptions> = {}): Promise<Millrace> {
  opened += 1;
  const engine = await open({ name: `replica-${opened}`, storage: "memory", ...options });
  endLater(() => engine.close());
  return engine;
}

/** A local stream to copy into. */
export async function openCopy(shards = 1): Promise<Stream> {
  return await (await openLocal()).streams.create("copy", { shards });
}

/** Starts a replica that is stopped after the test. */
export async function replicate(
  far: RemoteStream,
  near: Stream,
  options?: Parameters<RemoteStream["replicateTo"]>[1],
): ReturnType<RemoteStream["replicateTo"]> {
  const replica = await far.replicateTo(near, options);
  endLater(() => replica.stop());
  return replica;
}

/** An endpoint before another one that answers itself where `trouble` says so. */
export async function openBehind(
  url: string,
  trouble: (operation: string, question: Parameters<typeof forward>[1]) => boolean,
  options: Parameters<typeof openRemote>[1] = {},
): ReturnType<typeof openRemote> {
  const endpoint = await startStub((question) => {
    if (!trouble(question.operation, question)) forward(url, question);
  });
  return await openRemote(endpoint, { requestHandler: http1(), ...options });
}

/** Records with these numbers as data, of so many partition keys. */
export function numbered(
  from: number,
  to: number,
  keys = 40,
): { readonly partitionKey: string; readonly data: string }[] {
  return Array.from({ length: to - from }, (_, i) => ({
    partitionKey: `k${(from + i) % keys}`,
    data: `${from + i}`,
  }));
}

/** One record as a test looks at it. */
export interface ReadRecord {
  readonly partitionKey: string;
  readonly text: string;
  readonly shardId: string;
}

/** All records of a stream, in the order in which they are read. */
export async function readAll(stream: Pick<StreamLike, "read">): Promise<ReadRecord[]> {
  const records: ReadRecord[] = [];
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    const { partitionKey, shardId } = record;
    records.push({ partitionKey, shardId, text: record.text() });
  }
  return records;
}

/** Data as numbers, sorted, with repeats. */
export async function numbersIn(stream: Pick<StreamLike, "read">): Promise<number[]> {
  return (await readAll(stream)).map(({ text }) => Number(text)).sort((a, b) => a - b);
}

/** Integers from one on, below another. */
export function integers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** The keys of records whose numbers do not rise. */
export function disorderedKeys(records: readonly ReadRecord[]): string[] {
  const last = new Map<string, number>();
  const disordered = new Set<string>();
  for (const { partitionKey, text } of records) {
    if (Number(text) <= (last.get(partitionKey) ?? -1)) disordered.add(partitionKey);
    last.set(partitionKey, Number(text));
  }
  return [...disordered];
}

/** Resolves when a condition holds. */
export async function until(
  holds: () => Promise<boolean> | boolean,
  limitMs = 20_000,
): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error("it did not come to that in time");
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
