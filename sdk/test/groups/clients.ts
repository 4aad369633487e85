/** Clients between a group and its engine, for tests of what happens when one of them is not what it should be. */
import {
  type EngineClient,
  EngineClosedError,
  IndeterminateError,
  type PackedBatch,
  StoreFullError,
} from "@millrace/engine";
import { type Millrace, open, type Stream } from "millrace";
import { clientOf } from "../../src/client-of.ts";

/** A client that passes everything on. */
export class PassingClient implements EngineClient {
  protected readonly inner: EngineClient;
  readonly name: string;
  readonly clock: EngineClient["clock"];
  readonly pool: EngineClient["pool"];

  constructor(inner: EngineClient) {
    this.inner = inner;
    this.name = inner.name;
    this.clock = inner.clock;
    this.pool = inner.pool;
  }

  get closed(): boolean {
    return this.inner.closed;
  }

  async call(...[operation, argument, ms]: Parameters<EngineClient["call"]>): Promise<never> {
    return (await this.inner.call(operation, argument, ms)) as never;
  }

  put(...argument: Parameters<EngineClient["put"]>): ReturnType<EngineClient["put"]> {
    return this.inner.put(...argument);
  }

  commitEpoch(
    ...argument: Parameters<EngineClient["commitEpoch"]>
  ): ReturnType<EngineClient["commitEpoch"]> {
    return this.inner.commitEpoch(...argument);
  }

  read(...argument: Parameters<EngineClient["read"]>): ReturnType<EngineClient["read"]> {
    return this.inner.read(...argument);
  }

  onLeave(listener: () => void): () => void {
    return this.inner.onLeave(listener);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

/** A client whose worker is not heard of any more as soon as it is silent. */
export class MuteClient extends PassingClient {
  silent = false;

  override async call(
    ...[operation, argument, ms]: Parameters<EngineClient["call"]>
  ): Promise<never> {
    if (operation !== "groupPoll") return await super.call(operation, argument, ms);
    if (this.silent) return await new Promise<never>(() => undefined);
    return await super.call(operation, { ...argument, waitMs: 20 } as never, ms);
  }
}

/** A client that notes how many leases each epoch was for. */
export class CountingClient extends PassingClient {
  readonly shards: number[] = [];

  override commitEpoch(
    ...argument: Parameters<EngineClient["commitEpoch"]>
  ): ReturnType<EngineClient["commitEpoch"]> {
    this.shards.push(argument[0].checkpoints.length);
    return super.commitEpoch(...argument);
  }
}

/** A client by which every fourth epoch is refused, and the answer to every fourth other one is lost. */
export class TroubledClient extends PassingClient {
  commits = 0;

  override async commitEpoch(...argument: Parameters<EngineClient["commitEpoch"]>) {
    this.commits += 1;
    const turn = this.commits % 4;
    if (turn === 2) throw new StoreFullError("there is no room, just now");
    const answer = await super.commitEpoch(...argument);
    if (turn === 0) throw new IndeterminateError("the answer is lost", { indeterminate: true });
    return answer;
  }
}

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
