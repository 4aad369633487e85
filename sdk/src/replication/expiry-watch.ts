/**
 * Warns before retention drops what was not sent, and holds it where that is wished: the stream's retention rises
 * in time, and goes back when all is sent. What it was before is a tag of the stream, which outlives every tab.
 */
import {
  type EngineClient,
  type GroupDescription,
  ROOT_PRINCIPAL,
  type StreamDescription,
} from "@millrace/engine";
import type { InputOf, OperationName, OutputOf } from "@millrace/engine/model";
import { shortName } from "./far-side.ts";

/** What an expiry is watched with. */
export interface ExpiryParts {
  readonly client: EngineClient;
  readonly streamName: string;
  /** Of the replication, as the tag bears it. */
  readonly name: string;
  readonly warnBeforeMs: number;
  readonly hold: boolean;
  /** Records of a shard expire in so many ms. */
  readonly onExpiring: (shardId: string, expiresMs: number) => void;
}

const HOUR_MS = 3_600_000;
/** AWS's longest retention. */
const RETENTION_HOURS_MAX = 8760;
/** By how much the retention rises at a time. */
const RAISE_HOURS = 24;
const TAG_PREFIX = "millrace.hold.";
/** AWS's longest key of a tag, in characters. */
const TAG_KEY_LENGTH_MAX = 128;

/** See above. */
export class ExpiryWatch {
  readonly #parts: ExpiryParts;
  /** What the tag calls the replication. */
  readonly #holder: string;
  /** Shards that were warned of. */
  readonly #warned = new Set<string>();

  constructor(parts: ExpiryParts) {
    this.#parts = parts;
    this.#holder = shortName(parts.name, TAG_KEY_LENGTH_MAX - TAG_PREFIX.length);
  }

  /** Looks at the group as it is. @throws what the engine throws. */
  async look({ leases }: GroupDescription): Promise<void> {
    const { client, streamName, warnBeforeMs, hold, onExpiring } = this.#parts;
    const waiting = leases.filter(({ lagRecords }) => lagRecords > 0);
    for (const shardId of this.#warned) {
      if (!waiting.some((lease) => lease.shardId === shardId)) this.#warned.delete(shardId);
    }
    if (waiting.length === 0) {
      if (hold) await this.#release();
      return;
    }
    const stream = await client.call("describeStream", { name: streamName });
    let soonestMs = Number.POSITIVE_INFINITY;
    for (const { shardId, iteratorAgeMs } of waiting) {
      const expiresMs = stream.retentionHours * HOUR_MS - iteratorAgeMs;
      soonestMs = Math.min(soonestMs, expiresMs);
      if (expiresMs > warnBeforeMs) this.#warned.delete(shardId);
      else if (!this.#warned.has(shardId)) {
        this.#warned.add(shardId);
        onExpiring(shardId, Math.max(0, expiresMs));
      }
    }
    if (hold && soonestMs <= warnBeforeMs) await this.#raise(stream);
  }

  async #raise(stream: StreamDescription): Promise<void> {
    const { warnBeforeMs, streamName } = this.#parts;
    const holder = this.#holder;
    const raise = RAISE_HOURS + Math.ceil(warnBeforeMs / HOUR_MS);
    const hours = Math.min(RETENTION_HOURS_MAX, stream.retentionHours + raise);
    if (hours === stream.retentionHours) return;
    const held = await this.#tags();
    // Others may hold the stream already: what it was before them counts.
    const [known] = held.values();
    if (!held.has(holder)) {
      const value = known ?? String(stream.retentionHours);
      const Tags = { [`${TAG_PREFIX}${holder}`]: value };
      await this.#invoke("AddTagsToStream", { StreamName: streamName, Tags });
    }
    const input = { StreamName: streamName, RetentionPeriodHours: hours };
    await this.#invoke("IncreaseStreamRetentionPeriod", input);
  }

  /** Gives the stream its retention back, unless somebody else holds it still. */
  async #release(): Promise<void> {
    const { client, streamName } = this.#parts;
    const holder = this.#holder;
    const held = await this.#tags();
    const hours = Number(held.get(holder) ?? Number.NaN);
    if (Number.isNaN(hours)) return;
    if (held.size === 1) {
      const { retentionHours } = await client.call("describeStream", { name: streamName });
      const input = { StreamName: streamName, RetentionPeriodHours: hours };
      if (retentionHours > hours) await this.#invoke("DecreaseStreamRetentionPeriod", input);
    }
    const TagKeys = [`${TAG_PREFIX}${holder}`];
    await this.#invoke("RemoveTagsFromStream", { StreamName: streamName, TagKeys });
  }

  /** Hours of retention before each hold, by the name of its replication. */
  async #tags(): Promise<Map<string, string>> {
    const { streamName } = this.#parts;
    const { Tags } = await this.#invoke("ListTagsForStream", { StreamName: streamName });
    const holding = Tags.filter(({ Key }) => Key.startsWith(TAG_PREFIX));
    return new Map(holding.map(({ Key, Value = "" }) => [Key.slice(TAG_PREFIX.length), Value]));
  }

  async #invoke<Name extends OperationName>(
    operation: Name,
    input: InputOf<Name>,
  ): Promise<OutputOf<Name>> {
    const caller = { principal: ROOT_PRINCIPAL };
    const call = { operation, input, caller };
    return (await this.#parts.client.call("invoke", call)) as OutputOf<Name>;
  }
}
