/** The control state as JSON in a snapshot section, and how what older builds wrote is read. */
import { UnsupportedFormatError } from "../errors/index.ts";
import type {
  DocumentValue,
  ShardDefinition,
  StreamDefinition,
  StreamSettings,
} from "./control-records.ts";
import type { DataLoss } from "./loss-reports.ts";
import { type UidRange, UidRanges } from "./uid-ranges.ts";

/** Version of the snapshots that this build writes. */
const SNAPSHOT_VERSION = 3;

/** What is known of a segment besides its key: length in bytes, number of records, last sequence index. */
export type SegmentFacts = readonly [byteLength: number, recordCount: number, lastIndex: number];

/** A shard with its place in the log. */
export interface ShardState extends ShardDefinition {
  readonly streamUid: number;
  /** Ordinal of the last segment that is in the store; all before it are too, or were trimmed. */
  readonly sealedThrough: number;
  /** Ordinal of the last segment that retention dropped. */
  readonly trimmedThrough: number;
  /** Sequence index before which retention dropped everything. */
  readonly trimmedBefore: number;
  /** No record of the shard can have this index or a later one unless the WAL still holds it. */
  readonly nextIndexFloor: number;
  /**
   * Facts of the newest declared segments, oldest first: the last one is of the ordinal `sealedThrough`.
   * Snapshots before version 3 did not have them, so that older segments may be missing in front.
   */
  readonly segments: readonly SegmentFacts[];
}

/**
 * Frames whose place a snapshot takes: all up to one, but fences and those that are kept. A deletion may be
 * undone in part, so that they are there again and cannot be read.
 */
export interface TrimmedFrames {
  readonly through: number;
  /** Numbers of those that hold records of segments that are not declared, ascending. */
  readonly kept: readonly number[];
  /**
   * What was found to be lost when it was written, by a leader that may have ended before it told anybody.
   * Absent in the snapshots of a checkpoint.
   */
  readonly losses?: readonly DataLoss[];
}

/** Snapshot as JSON; `version` guards against older builds. */
export interface ControlSnapshot {
  readonly version: typeof SNAPSHOT_VERSION;
  readonly nextStreamUid: number;
  readonly nextShardUid: number;
  /** Creation seconds of the newest shard of each stream name, deleted streams included. */
  readonly lastCreatedSeconds: Readonly<Record<string, number>>;
  readonly streams: readonly Omit<StreamDefinition, "shards">[];
  readonly shards: readonly ShardState[];
  /** Uids of deleted and expired shards. */
  readonly deletedShards: readonly UidRange[];
  readonly documents: Readonly<Record<string, DocumentValue>>;
}

/** Members that version 1 of a stream did not have. */
type AddedMembers =
  | "mode"
  | "distribution"
  | "writeCapacity"
  | "nextShardIndex"
  | "durability"
  | "whenFull";
/** A stream as any version wrote it. */
type StoredStream<Stream extends Partial<Pick<StreamDefinition, AddedMembers>>> = Omit<
  Stream,
  AddedMembers
> &
  Partial<Pick<Stream, AddedMembers & keyof Stream>>;

/** A snapshot as any version up to this one wrote it. */
export type StoredSnapshot = Omit<
  ControlSnapshot,
  "version" | "streams" | "shards" | "deletedShards" | "documents"
> & {
  readonly version: number;
  readonly shards: readonly (Omit<ShardState, "segments"> &
    Partial<Pick<ShardState, "segments">>)[];
  readonly streams: readonly StoredStream<Omit<StreamDefinition, "shards">>[];
  readonly deletedShards: readonly (UidRange | number)[];
  readonly documents?: Readonly<Record<string, DocumentValue>>;
  /** Absent in what older builds wrote. */
  readonly trimmed?: TrimmedFrames;
};

/** What streams were before they had these settings. */
const FIRST_SETTINGS: Omit<StreamSettings, "retentionHours" | "recordKibMax"> = {
  mode: "PROVISIONED",
  distribution: "USER_PARTITION_KEY",
  writeCapacity: null,
  durability: "strict",
  whenFull: "refuse-new",
};

/** A stream definition of any version as one of this version. */
export function upgradeStream(stream: StoredStream<StreamDefinition>): StreamDefinition {
  return { ...FIRST_SETTINGS, nextShardIndex: stream.shards.length, ...stream };
}

/** The shards of each stream, by its uid. */
export function shardsByStream(shards: readonly ShardState[]): Map<number, ShardState[]> {
  const byStream = new Map<number, ShardState[]>();
  for (const shard of shards) {
    const others = byStream.get(shard.streamUid);
    if (others === undefined) byStream.set(shard.streamUid, [shard]);
    else others.push(shard);
  }
  return byStream;
}

/** Version 1 listed uids one by one, in any order. */
function upgradeUids(stored: readonly (UidRange | number)[]): UidRange[] {
  const uids = new UidRanges(stored.filter((one) => typeof one !== "number"));
  for (const one of stored) if (typeof one === "number") uids.add(one);
  return uids.ranges();
}

/** A snapshot of any version as one of this version. @throws UnsupportedFormatError for one of a newer build. */
export function upgradeSnapshot(stored: StoredSnapshot): ControlSnapshot {
  if (![1, 2, SNAPSHOT_VERSION].includes(stored.version)) {
    throw new UnsupportedFormatError(
      `the log holds a snapshot of version ${String(stored.version)}; this build knows versions up to ${SNAPSHOT_VERSION}`,
      { argument: "snapshot.version", value: stored.version, limit: SNAPSHOT_VERSION },
    );
  }
  const shards = stored.shards.map((shard) => ({ ...shard, segments: shard.segments ?? [] }));
  const shardsOf = shardsByStream(shards);
  return {
    ...stored,
    version: SNAPSHOT_VERSION,
    shards,
    streams: stored.streams.map((stream) => {
      const { shards: _, ...upgraded } = upgradeStream({
        ...stream,
        shards: shardsOf.get(stream.uid) ?? [],
      });
      return upgraded;
    }),
    deletedShards: upgradeUids(stored.deletedShards),
    documents: stored.documents ?? {},
  };
}
