/**
 * Tells of shards that expired before all of them was shipped, also while no replication ran: the group keeps note of
 * them. What was told is forgotten after a while, since other threads may be yet to hear of it.
 */
import type { CheckpointDescription, EngineClient, GroupDescription } from "@millrace/engine";
import type { ReplicationGap } from "./replication-types.ts";

/** From the first word of a shard until it is forgotten, in ms: other threads look every 15 s at least. */
const FORGET_MS = 60_000;

/** What the loss of shards is told with. */
export interface LostShardsParts {
  readonly client: EngineClient;
  /** Of the consumer group. */
  readonly name: string;
  readonly onLost: (gap: ReplicationGap) => void;
}

/** See above. */
export class LostShards {
  readonly #parts: LostShardsParts;
  /** The engine's time at which a shard was told, by its index. */
  readonly #toldMs = new Map<number, number>();

  constructor(parts: LostShardsParts) {
    this.#parts = parts;
  }

  /** Looks at the group as it is now. @throws what the engine throws. */
  async look({ expired }: Pick<GroupDescription, "expired">): Promise<void> {
    const { client, name, onLost } = this.#parts;
    if (expired.length === 0) return;
    const nowMs = await client.call("now", {});
    const known: number[] = [];
    for (const { shardIndex, shardId, checkpoint } of expired) {
      const toldMs = this.#toldMs.get(shardIndex);
      if (toldMs === undefined) {
        this.#toldMs.set(shardIndex, nowMs);
        onLost({ shardId, after: recordOf(checkpoint), before: undefined });
      } else if (nowMs - toldMs >= FORGET_MS) known.push(shardIndex);
    }
    if (known.length > 0) await client.call("groupsForgetExpired", { name, shardIndexes: known });
  }
}

function recordOf(checkpoint: CheckpointDescription): string | undefined {
  return "sequenceNumber" in checkpoint ? checkpoint.sequenceNumber : undefined;
}
