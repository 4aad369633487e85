/** The engine's time, which may be virtual. */
import type { EngineClient } from "@millrace/engine";

/** The engine's clock. */
export class EngineTime {
  readonly #client: EngineClient;

  /** Made by `open`. */
  constructor(client: EngineClient) {
    this.#client = client;
  }

  /** The engine's wall time in ms since the Unix epoch. */
  async now(): Promise<number> {
    return await this.#client.call("now", {});
  }

  /**
   * Lets virtual time pass, in ms, with all that becomes due in it; resolves with the new time.
   *
   * @throws InvalidArgumentError unless the engine was opened with time "virtual".
   */
  async advance(byMs: number): Promise<number> {
    return await this.#client.call("advanceTime", { byMs });
  }
}
