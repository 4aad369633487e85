/** What an inventory of an engine lists: plain data, no behaviour. */
import type { StreamDescription } from "../streams/stream-types.ts";

/** A registered consumer of a stream. */
export interface ConsumerInventory {
  readonly name: string;
  readonly arn: string;
  readonly status: "CREATING" | "DELETING" | "ACTIVE";
  readonly tags: Readonly<Record<string, string>>;
  /** The resource policy as JSON; null when there is none. */
  readonly policy: string | null;
}

/** A stream with all that belongs to it except its records. */
export interface StreamInventory {
  readonly stream: StreamDescription;
  readonly tags: Readonly<Record<string, string>>;
  /** The resource policy as JSON; null when there is none. */
  readonly policy: string | null;
  /** Shard-level metrics that are enabled, in AWS's order. */
  readonly shardMetrics: readonly string[];
  /** Warm throughput that is in force, in MiB/s; 0 for none. */
  readonly warmMibps: number;
  /** By name. */
  readonly consumers: readonly ConsumerInventory[];
  /** Names of the channels that deliver from it. */
  readonly channelNames: readonly string[];
}

/** What an engine holds, all of one moment. */
export interface Inventory {
  readonly name: string;
  /** By name. */
  readonly streams: readonly StreamInventory[];
  /** Stream that the call trail is written into; null when there is none. */
  readonly trailStreamName: string | null;
  /** Whether the account is committed to a minimum throughput: On-demand Advantage. */
  readonly advantage: boolean;
  /** Where virtual time stood when it was last advanced, in ms since the Unix epoch; null when it never was. */
  readonly virtualMs: number | null;
}
