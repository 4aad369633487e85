/** Where puts go: streams by what their calls name them, asked of the engine once and then remembered. */
import type { CallContext, EngineClient, StreamDescription } from "@millrace/engine";

/** How an input names its stream. */
export interface StreamNames {
  readonly StreamName?: string | undefined;
  readonly StreamARN?: string | undefined;
  readonly StreamId?: string | undefined;
}

/** Names that are remembered; beyond it all are forgotten, which costs one question each. */
const NAMES_MAX = 1000;

/**
 * What is remembered may be out of date: whoever fails with it asks anew. The caller's permission is
 * not remembered; the engine looks at it at every put.
 */
export class StreamLocator {
  readonly #client: EngineClient;
  readonly #found = new Map<string, StreamDescription>();

  constructor(client: EngineClient) {
    this.#client = client;
  }

  /** @throws ResourceNotFoundError, InvalidArgumentError, AccessDeniedError. */
  async locate(names: StreamNames, call: CallContext): Promise<StreamDescription> {
    return this.#found.get(keyOf(names)) ?? (await this.locateAnew(names, call));
  }

  /** As {@link locate}, but asks the engine. */
  async locateAnew(names: StreamNames, call: CallContext): Promise<StreamDescription> {
    const key = keyOf(names);
    this.#found.delete(key);
    const { operation, caller } = call;
    const stream = await this.#client.call("locateStream", { operation, input: names, caller });
    if (this.#found.size >= NAMES_MAX) this.#found.clear();
    this.#found.set(key, stream);
    return stream;
  }
}

function keyOf({ StreamName = "", StreamARN = "", StreamId = "" }: StreamNames): string {
  return `${StreamName} ${StreamARN} ${StreamId}`;
}
