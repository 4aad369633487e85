/** Engines in this thread for the tests of the SDK, and what they are filled with. */
import { readFile } from "node:fs/promises";
import { type Millrace, type OpenOptions, open, type Stream, type StreamRecord } from "millrace";
import { afterEach } from "vitest";

const engines: Millrace[] = [];
let opened = 0;

/** An engine in memory that is closed after the test. */
export async function openEngine(options: Partial<OpenOptions> = {}): Promise<Millrace> {
  opened += 1;
  const engine = await open({ name: `test-${opened}`, storage: "memory", ...options });
  engines.push(engine);
  return engine;
}

afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
});

/** What a promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it was expected to fail");
}

/** Every record from the beginning to the end. */
export async function readAll(stream: Stream): Promise<StreamRecord[]> {
  const records: StreamRecord[] = [];
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    records.push(record);
  }
  return records;
}

/** The lines of a real web server's access log. */
export async function accessLogLines(): Promise<string[]> {
  const file = new URL("../../test/fixtures/access-log/apache_combined.log", import.meta.url);
  return (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
}

/** Values by key, each key's in their order. */
export function byKey(pairs: Iterable<readonly [string, string]>): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [key, value] of pairs) {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}
