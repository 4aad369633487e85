/** Faults that are injected on purpose, so that an application can be tested against them. */
import type { EngineClient, FaultRule } from "@millrace/engine";

/** The rules by which the engine injects faults. They end with the engine. */
export class Faults {
  readonly #client: EngineClient;

  /** Made by `open`. */
  constructor(client: EngineClient) {
    this.#client = client;
  }

  /** Replaces all rules; the first that fits a call decides. @throws InvalidArgumentError that names the rule. */
  async set(rules: readonly FaultRule[]): Promise<void> {
    await this.#client.call("setFaults", { rules });
  }

  /** The rules, with what is left of their `times`. */
  async list(): Promise<FaultRule[]> {
    return await this.#client.call("faults", {});
  }

  /** Ends all faults. */
  async clear(): Promise<void> {
    await this.set([]);
  }
}
