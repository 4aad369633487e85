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
}

/** A stream as it was created. */
export interface StreamDefinition {
  readonly uid: number;
  readonly name: string;
  /** Milliseconds since the Unix epoch. */
  readonly createdMs: number;
  readonly retentionHours: number;
  readonly recordKibMax: number;
  readonly shards: readonly ShardDefinition[];
}

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
    };

/** Every kind that this build can apply. */
export const KNOWN_KINDS: ReadonlySet<string> = new Set<ControlRecord["kind"]>([
  "stream-created",
  "stream-deleted",
  "segments-sealed",
  "shard-trimmed",
]);
