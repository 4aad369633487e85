/**
 * Control records: every change of state that is not a record of a stream, as JSON in the WAL.
 *
 * A record's `kind` decides how it is applied. A build that meets a kind it does not know must not
 * lead, because it could not keep the state that the kind describes.
 */
import type { SegmentKey } from "../storage/log-store.ts";

/** A shard as it was created. Hash keys are 32 hexadecimal digits. */
export interface ShardDefinition {
  readonly uid: number;
  /** Position in the stream's numbering: 5 is shardId-000000000005. */
  readonly shardIndex: number;
  readonly startingHashKey: string;
  readonly endingHashKey: string;
  /** Seconds since the Unix epoch; part of every sequence number of the shard. */
  readonly createdSeconds: number;
  /** Shard that was split or merged into this one; absent for the shards that a stream begins with. */
  readonly parentShardIndex?: number;
  /** Second shard of a merge. */
  readonly adjacentParentShardIndex?: number;
  /** When a reshard closed it, in ms since the Unix epoch; absent while it is open. */
  readonly closedMs?: number;
}

/** Write capacity of a whole stream, per second. */
export interface WriteCapacity {
  readonly recordsPerSecond: number;
  readonly bytesPerSecond: number;
}

/** What of a stream changes without its shards changing. */
export interface StreamSettings {
  readonly retentionHours: number;
  /** Data and key of one record together, in KiB. */
  readonly recordKibMax: number;
  /** AWS's stream mode. */
  readonly mode: "PROVISIONED" | "ON_DEMAND";
  /** AWS's record distribution strategy: by partition key, or spread evenly whatever the key. */
  readonly distribution: "USER_PARTITION_KEY" | "AUTO";
  /** Write quota of the stream as a whole, instead of one per shard; null for one per shard. */
  readonly writeCapacity: WriteCapacity | null;
  /** Whether frames with its records wait for the disk; snapshots and records without it mean "strict". */
  readonly durability: "strict" | "relaxed";
  /** What gives way when the store is full; snapshots and records without it mean "refuse-new". */
  readonly whenFull: "refuse-new" | "drop-oldest";
}

/** A stream with all its shards that are not expired, closed ones included, by index. */
export interface StreamDefinition extends StreamSettings {
  readonly uid: number;
  readonly name: string;
  /** Milliseconds since the Unix epoch. */
  readonly createdMs: number;
  readonly shards: readonly ShardDefinition[];
  /** Index that the next shard gets; never reused. */
  readonly nextShardIndex: number;
}

/** A value that JSON can hold. */
export type DocumentValue =
  | string
  | number
  | boolean
  | null
  | readonly DocumentValue[]
  | { readonly [member: string]: DocumentValue };

/** A sealed segment that is in the store and verified. */
export interface SegmentManifest {
  readonly key: SegmentKey;
  readonly lastIndex: number;
  readonly recordCount: number;
  readonly byteLength: number;
}

/** One change of state. */
export type ControlRecord =
  | { readonly kind: "stream-created"; readonly stream: StreamDefinition }
  | { readonly kind: "stream-deleted"; readonly streamUid: number }
  /** Segments of a shard are declared in the order of their ordinals, without gaps. */
  | { readonly kind: "segments-sealed"; readonly segments: readonly SegmentManifest[] }
  /** Retention dropped everything before an index, and the segments up to an ordinal. */
  | {
      readonly kind: "shard-trimmed";
      readonly shardUid: number;
      readonly beforeIndex: number;
      readonly throughOrdinal: number;
    }
  | {
      readonly kind: "stream-updated";
      readonly streamUid: number;
      readonly settings: Partial<StreamSettings>;
    }
  /** Shards of a stream were closed and others took over their hash keys. */
  | {
      readonly kind: "stream-resharded";
      readonly streamUid: number;
      /** When, in ms since the Unix epoch. */
      readonly atMs: number;
      /** Uids of the shards that take no more records. */
      readonly closed: readonly number[];
      /** Their children; lower hash keys first. */
      readonly opened: readonly ShardDefinition[];
    }
  /** Closed shards that hold nothing any more are forgotten. */
  | { readonly kind: "shards-expired"; readonly shardUids: readonly number[] }
  /** A document: a JSON value under a key, for state that only the layers above understand. */
  | { readonly kind: "document-put"; readonly key: string; readonly value: DocumentValue }
  | { readonly kind: "document-deleted"; readonly key: string };

/** Every kind that this build can apply. */
export const KNOWN_KINDS: ReadonlySet<string> = new Set<ControlRecord["kind"]>([
  "stream-created",
  "stream-deleted",
  "segments-sealed",
  "shard-trimmed",
  "stream-updated",
  "stream-resharded",
  "shards-expired",
  "document-put",
  "document-deleted",
]);
