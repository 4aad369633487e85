/** A client whose leader changes: one engine after the other over the same files. */
import { type EngineClient, EngineClosedError, type PackedBatch } from "@millrace/engine";
import { type Millrace, open, type Stream } from "millrace";
import { clientOf } from "../src/client-of.ts";

/** One engine after the other over the same files; calls that one of them left go to the next one. */
export class Leaders implements EngineClient {
  readonly name = "leaders";
  readonly closed = false;
  readonly #directory: string;
  #leader: Promise<Millrace>;
  #last: EngineClient | undefined;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#leader = this.#open();
  }

  static async open(directory: string): Promise<Leaders> {
    const leaders = new Leaders(directory);
    await leaders.#leader;
    return leaders;
  }

  async #open(): Promise<Millrace> {
    const { name } = this;
    const engine = await open({ name, storage: "file", directory: this.#directory });
    this.#last = clientOf(engine);
    return engine;
  }

  get #client(): EngineClient {
    if (this.#last === undefined) throw new Error("nobody led yet");
    return this.#last;
  }

  get clock() {
    return this.#client.clock;
  }

  get pool() {
    return this.#client.pool;
  }

  async stream(name: string, shards = 1): Promise<Stream> {
    return await (await this.#leader).streams.ensure(name, { shards });
  }

  async change(): Promise<void> {
    const before = await this.#leader;
    this.#leader = before.close().then(() => this.#open());
    await this.#leader;
  }

  async call(...[operation, argument, ms]: Parameters<EngineClient["call"]>): Promise<never> {
    return (await this.#ask((client) => client.call(operation, argument, ms))) as never;
  }

  put(...[batch, settings]: Parameters<EngineClient["put"]>) {
    return this.#client.put(batch, settings);
  }

  async commitEpoch(...[commit, outputs]: Parameters<EngineClient["commitEpoch"]>) {
    return await this.#ask((client) => client.commitEpoch(commit, outputs.map(copied)));
  }

  read(...[request, signal]: Parameters<EngineClient["read"]>) {
    return this.#ask((client) => client.read(request, signal));
  }

  onLeave(): () => void {
    return () => undefined;
  }

  async close(): Promise<void> {
    await (await this.#leader).close();
  }

  async #ask<Answer>(ask: (client: EngineClient) => Promise<Answer>): Promise<Answer> {
    for (;;) {
      const leader = this.#leader;
      try {
        return await ask(clientOf(await leader));
      } catch (error) {
        if (!(error instanceof EngineClosedError) || leader === this.#leader) throw error;
      }
    }
  }
}

/** Clients take the buffers that they are given. */
function copied({ buffer, byteLength, recordCount }: PackedBatch): PackedBatch {
  return { buffer: buffer.slice(0, byteLength), byteLength, recordCount };
}
