/** The consumer groups of an engine, of all its streams. What they do is loaded when it is used. */
import type { EngineClient, GroupDefinition } from "@millrace/engine";
import type { ConsumerGroup } from "./consumer-group.ts";

/** The consumer groups of one open engine; they are made by `stream.group()`. */
export class Groups {
  readonly #client: EngineClient;

  /** Made by `open`. */
  constructor(client: EngineClient) {
    this.#client = client;
  }

  /** All groups in the order of their names, as they were created. */
  async list(): Promise<GroupDefinition[]> {
    return await this.#client.call("groupsList", {});
  }

  /** An existing group. @throws ResourceNotFoundError, InvalidArgumentError. */
  async get(name: string): Promise<ConsumerGroup> {
    return await (await import("./consumer-group.ts")).getGroup(this.#client, name);
  }
}
