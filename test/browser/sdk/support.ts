/** Engines in real workers over real IndexedDB, and files that are not what they should be. */
import { assert } from "chai";
import { type Millrace, type OpenOptions, open, type Stream } from "millrace";

const engines: Millrace[] = [];

/** A name that no other test uses. */
export function newName(): string {
  return `test-${crypto.randomUUID()}`;
}

/** Opens an engine that {@link closeAll} closes. */
export async function openEngine(options: Partial<OpenOptions> = {}): Promise<Millrace> {
  const engine = await open({ name: newName(), ...options });
  engines.push(engine);
  return engine;
}

export async function closeAll(): Promise<void> {
  for (const engine of engines.splice(0)) await engine.close();
}

/** What a promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    assert.instanceOf(error, Error);
    return error;
  }
  return assert.fail("it was expected to fail");
}

/** Every text from the beginning to the end. */
export async function readTexts(stream: Stream): Promise<string[]> {
  const texts: string[] = [];
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    texts.push(record.text());
  }
  return texts;
}

/** URL of a file beside this one. */
export function fileHere(name: string): string {
  return new URL(name, import.meta.url).href;
}
