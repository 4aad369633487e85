/** The streams of an engine: made, found, listed and deleted by name. */
import {
  type EngineClient,
  ResourceInUseError,
  ResourceNotFoundError,
  type StreamDescription,
} from "@millrace/engine";
import { checkName } from "./check.ts";
import { RecordBatcher } from "./record-batcher.ts";
import { Stream } from "./stream.ts";
import { compareSpec, completeSpec, type StreamOptions } from "./stream-spec.ts";

/** The streams of one open engine. */
export class Streams {
  readonly #client: EngineClient;
  readonly #inTurn: boolean;
  /** One per stream, whoever asks for it, so that the order of calls is one. */
  readonly #batchers = new Map<number, RecordBatcher>();

  /** Made by `open`. `inTurn`: see {@link RecordBatcher}. */
  constructor(client: EngineClient, inTurn: boolean) {
    this.#client = client;
    this.#inTurn = inTurn;
  }

  /** Creates a stream; durable when it resolves. @throws ResourceInUseError, LimitExceededError, InvalidArgumentError. */
  async create(name: string, spec: StreamOptions = {}): Promise<Stream> {
    return this.#stream(await this.#client.call("createStream", completeSpec(name, spec)));
  }

  /**
   * The stream of that name, created when there is none.
   *
   * @throws StreamSpecMismatchError when it exists but differs in a field that `spec` names.
   * @throws LimitExceededError, InvalidArgumentError.
   */
  async ensure(name: string, spec: StreamOptions = {}): Promise<Stream> {
    const complete = completeSpec(name, spec);
    const found = (await this.#find(name)) ?? (await this.#createOrFind(complete));
    compareSpec(found, spec);
    return this.#stream(found);
  }

  /** An existing stream. @throws ResourceNotFoundError, InvalidArgumentError. */
  async get(name: string): Promise<Stream> {
    checkName("name", name);
    return this.#stream(await this.#client.call("describeStream", { name }));
  }

  /** All streams in the order of their names. */
  async list(): Promise<StreamDescription[]> {
    return await this.#client.call("listStreams", {});
  }

  /** Deletes a stream with all its records; durable when it resolves. @throws ResourceNotFoundError, InvalidArgumentError. */
  async delete(name: string): Promise<void> {
    checkName("name", name);
    await this.#client.call("deleteStream", { name });
  }

  /** Sends what this task has put so far. */
  flush(): void {
    for (const batcher of this.#batchers.values()) batcher.flush();
  }

  async #find(name: string): Promise<StreamDescription | undefined> {
    try {
      return await this.#client.call("describeStream", { name });
    } catch (error) {
      if (error instanceof ResourceNotFoundError) return undefined;
      throw error;
    }
  }

  async #createOrFind(spec: ReturnType<typeof completeSpec>): Promise<StreamDescription> {
    try {
      return await this.#client.call("createStream", spec);
    } catch (error) {
      // Somebody else created it in between.
      if (!(error instanceof ResourceInUseError)) throw error;
      return await this.#client.call("describeStream", { name: spec.name });
    }
  }

  #stream(description: StreamDescription): Stream {
    let batcher = this.#batchers.get(description.uid);
    if (batcher === undefined) {
      batcher = new RecordBatcher(this.#client, description, this.#inTurn);
      this.#batchers.set(description.uid, batcher);
    }
    batcher.update(description);
    return new Stream(this.#client, batcher, description);
  }
}
