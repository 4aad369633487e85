/** The shards of a group's stream: asked for once, and again when there are new ones. */
import {
  type EngineClient,
  MillraceError,
  ResourceNotFoundError,
  type ShardDescription,
  type StreamDescription,
} from "@millrace/engine";
import { allShards, childrenOf } from "../shard-turns.ts";

/** See above. */
export class ShardDirectory {
  readonly #client: EngineClient;
  readonly #stream: Pick<StreamDescription, "name" | "uid">;
  #shards: Promise<ReadonlyMap<number, ShardDescription>> | undefined;

  constructor(client: EngineClient, stream: Pick<StreamDescription, "name" | "uid">) {
    this.#client = client;
    this.#stream = stream;
  }

  /** @throws ResourceNotFoundError when the shard or its stream is not there any more. */
  async find(shardIndex: number): Promise<ShardDescription> {
    const known = await this.#shards?.catch(() => undefined);
    const found = known?.get(shardIndex) ?? (await this.#ask()).get(shardIndex);
    if (found !== undefined) return found;
    throw new ResourceNotFoundError(
      `stream ${this.#stream.name} has no shard ${shardIndex} any more`,
      { argument: "shard", value: shardIndex },
    );
  }

  /** The shards that came of one. @throws ResourceNotFoundError when the stream is not there any more. */
  async childrenOf(shardIndex: number): Promise<readonly ShardDescription[]> {
    return childrenOf([...(await this.#ask()).values()], shardIndex);
  }

  #ask(): Promise<ReadonlyMap<number, ShardDescription>> {
    this.#shards = this.#describe();
    return this.#shards;
  }

  async #describe(): Promise<ReadonlyMap<number, ShardDescription>> {
    const { name, uid } = this.#stream;
    const description = await this.#client.call("describeStream", { name });
    if (description.uid !== uid) throw ResourceNotFoundError.stream(name);
    return new Map(allShards(description).map((shard) => [shard.shardIndex, shard]));
  }
}

/**
 * A stream as it is, or the failure that keeps it from being known now, as while the leader changes.
 * @throws ResourceNotFoundError, and any error of a client that is closed.
 */
export async function describedOr(
  client: EngineClient,
  name: string,
): Promise<StreamDescription | MillraceError> {
  try {
    return await client.call("describeStream", { name });
  } catch (error) {
    const final = error instanceof ResourceNotFoundError || client.closed;
    if (final || !(error instanceof MillraceError)) throw error;
    return error;
  }
}
