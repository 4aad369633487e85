/**
 * Warns before retention drops what was not sent, and holds it where that is wished: the stream's retention rises
 * in time, and goes back when all is sent. Who holds a stream, and what it goes back to, is the engine's to decide.
 */
import type { EngineClient, GroupDescription } from "@millrace/engine";
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
/** A hold comes into effect so long before records would be dropped, in ms, or when they are warned of. */
const HOLD_BEFORE_MS = HOUR_MS;
/** What is left of a tag's key for who holds, in characters. */
const HOLDER_LENGTH_MAX = 114;

/** See above. */
export class ExpiryWatch {
  readonly #parts: ExpiryParts;
  /** As what this holds the stream. */
  readonly #holder: string;
  /** Shards that were warned of. */
  readonly #warned = new Set<string>();

  constructor(parts: ExpiryParts) {
    this.#parts = parts;
    this.#holder = shortName(parts.name, HOLDER_LENGTH_MAX);
  }

  /** Looks at the group as it is. @throws what the engine throws. */
  async look({ leases }: GroupDescription): Promise<void> {
    const { client, streamName, warnBeforeMs, hold, onExpiring } = this.#parts;
    const waiting = leases.filter(({ lagRecords }) => lagRecords > 0);
    for (const shardId of this.#warned) {
      if (!waiting.some((lease) => lease.shardId === shardId)) this.#warned.delete(shardId);
    }
    if (waiting.length === 0) {
      const holding = { streamName, holder: this.#holder };
      if (hold) await client.call("retentionRelease", holding);
      return;
    }
    const stream = await client.call("describeStream", { name: streamName });
    for (const { shardId, iteratorAgeMs } of waiting) {
      const expiresMs = stream.retentionHours * HOUR_MS - iteratorAgeMs;
      if (expiresMs > warnBeforeMs) this.#warned.delete(shardId);
      else if (!this.#warned.has(shardId)) {
        this.#warned.add(shardId);
        onExpiring(shardId, Math.max(0, expiresMs));
      }
    }
    if (hold) await this.#hold(Math.max(...waiting.map(({ iteratorAgeMs }) => iteratorAgeMs)));
  }

  /** Holds what would expire soon, or would if nobody else held it. */
  async #hold(oldestMs: number): Promise<void> {
    const { client, streamName, warnBeforeMs } = this.#parts;
    const neededMs = oldestMs + Math.max(HOLD_BEFORE_MS, warnBeforeMs);
    const hours = Math.floor(neededMs / HOUR_MS) + 1;
    if (hours <= RETENTION_HOURS_MIN) return;
    await client.call("retentionHold", {
      ...{ streamName, holder: this.#holder },
      hours: Math.min(RETENTION_HOURS_MAX, hours),
    });
  }
}
