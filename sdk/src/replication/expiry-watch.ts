/**
 * Warns before retention drops what was not sent, and holds it where that is wished: the stream's retention rises
 * in time, and goes back when all is sent. What it was before, and what it was raised to, is a tag of the stream, which
 * outlives every tab; each replication that holds it has a tag besides.
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
/** AWS's shortest and longest retention. */
const RETENTION_HOURS_MIN = 24;
const RETENTION_HOURS_MAX = 8760;
/** By how much the retention rises at a time. */
const RAISE_HOURS = 24;
/** A hold comes into effect so long before records would be dropped, in ms, or when they are warned of. */
const HOLD_BEFORE_MS = HOUR_MS;
const TAG_PREFIX = "millrace.hold.";
/** Its value is the hours of retention before the first hold and after the last raise, as "24 49". */
const RAISED_TAG = "millrace.held";
/** AWS's longest key of a tag, in characters. */
const TAG_KEY_LENGTH_MAX = 128;

/** Hours of retention before a stream was held, and as the last hold has set it. */
interface Raise {
  readonly from: number;
  readonly to: number;
}

/** See above. */
export class ExpiryWatch {
  readonly #parts: ExpiryParts;
  /** Of the stream, for as long as this holds it. */
  readonly #tag: string;
  /** Shards that were warned of. */
  readonly #warned = new Set<string>();

  constructor(parts: ExpiryParts) {
    this.#parts = parts;
    this.#tag = `${TAG_PREFIX}${shortName(parts.name, TAG_KEY_LENGTH_MAX - TAG_PREFIX.length)}`;
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
    if (hold) await this.#hold(stream, soonestMs);
  }

  get #holdBeforeMs(): number {
    return Math.max(HOLD_BEFORE_MS, this.#parts.warnBeforeMs);
  }

  /** Holds what would expire soon, or would if nobody else held it. */
  async #hold({ retentionHours }: StreamDescription, soonestMs: number): Promise<void> {
    const ageMs = retentionHours * HOUR_MS - soonestMs;
    const isAtRisk = (hours: number): boolean => hours * HOUR_MS - ageMs <= this.#holdBeforeMs;
    if (isAtRisk(retentionHours)) await this.#raise(retentionHours);
    else if (isAtRisk(RETENTION_HOURS_MIN)) {
      const { holders, raised } = await this.#holds();
      if (raised === undefined || !isAtRisk(raised.from) || holders.includes(this.#tag)) return;
      await this.#tagStream({ [this.#tag]: "" });
    }
  }

  async #raise(retentionHours: number): Promise<void> {
    const { streamName } = this.#parts;
    const raise = RAISE_HOURS + Math.ceil(this.#holdBeforeMs / HOUR_MS);
    const hours = Math.min(RETENTION_HOURS_MAX, retentionHours + raise);
    if (hours === retentionHours) return;
    const { raised } = await this.#holds();
    // What lies between the two is ours, as far as another tab is with it; anything else somebody has set meanwhile.
    const isOurs =
      raised !== undefined && retentionHours >= raised.from && retentionHours <= raised.to;
    const from = isOurs ? raised.from : retentionHours;
    await this.#tagStream({ [this.#tag]: "", [RAISED_TAG]: `${from} ${hours}` });
    const input = { StreamName: streamName, RetentionPeriodHours: hours };
    await this.#invoke("IncreaseStreamRetentionPeriod", input);
  }

  /** Gives the stream its retention back, unless somebody else holds it still or has set another one meanwhile. */
  async #release(): Promise<void> {
    const { client, streamName } = this.#parts;
    const { holders, raised } = await this.#holds();
    if (!holders.includes(this.#tag)) return;
    const isLast = holders.length === 1;
    if (isLast && raised !== undefined) {
      const { retentionHours } = await client.call("describeStream", { name: streamName });
      const input = { StreamName: streamName, RetentionPeriodHours: raised.from };
      const isOurs = retentionHours === raised.to && retentionHours > raised.from;
      if (isOurs) await this.#invoke("DecreaseStreamRetentionPeriod", input);
    }
    const TagKeys = isLast ? [this.#tag, RAISED_TAG] : [this.#tag];
    await this.#invoke("RemoveTagsFromStream", { StreamName: streamName, TagKeys });
  }

  /** Tags of all who hold the stream, and how far its retention was raised for them. */
  async #holds(): Promise<{
    readonly holders: readonly string[];
    readonly raised: Raise | undefined;
  }> {
    const { streamName } = this.#parts;
    const { Tags } = await this.#invoke("ListTagsForStream", { StreamName: streamName });
    const holders = Tags.map(({ Key }) => Key).filter((key) => key.startsWith(TAG_PREFIX));
    const [, from, to] = /^(\d+) (\d+)$/.exec(tagValue(Tags, RAISED_TAG)) ?? [];
    const raised = to === undefined ? undefined : { from: Number(from), to: Number(to) };
    return { holders, raised };
  }

  async #tagStream(Tags: Readonly<Record<string, string>>): Promise<void> {
    await this.#invoke("AddTagsToStream", { StreamName: this.#parts.streamName, Tags });
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

function tagValue(tags: OutputOf<"ListTagsForStream">["Tags"], key: string): string {
  return tags.find(({ Key }) => Key === key)?.Value ?? "";
}
