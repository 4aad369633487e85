/** The call trail: every API call as a record of a stream, as CloudTrail has it. */
import type { EngineClient } from "@millrace/engine";

/** Switches the trail of an engine. It stays on over the engine's closing. */
export class Trail {
  readonly #client: EngineClient;

  /** Made by `open`. */
  constructor(client: EngineClient) {
    this.#client = client;
  }

  /** Records every call in a stream from now on. @throws ResourceNotFoundError. */
  async start(streamName: string): Promise<void> {
    await this.#client.call("setTrail", { streamName });
  }

  /** Records no more. */
  async stop(): Promise<void> {
    await this.#client.call("setTrail", { streamName: null });
  }
}
