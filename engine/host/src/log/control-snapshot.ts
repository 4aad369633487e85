/** The control state as JSON in a snapshot section, and how what older builds wrote is read. */
import { UnsupportedFormatError } from "../errors/index.ts";
import type {
  DocumentValue,
  ShardDefinition,
  StreamDefinition,
  StreamSettings,
} from "./control-records.ts";
import { type UidRange, UidRanges } from "./uid-ranges.ts";

/** Version of the snapshots that this build writes. */
const SNAPSHOT_VERSION = 2;

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

/** A snapshot as version 1 or 2 wrote it. */
export type StoredSnapshot = Omit<
  ControlSnapshot,
  "version" | "streams" | "deletedShards" | "documents"
> & {
  readonly version: number;
  readonly streams: readonly StoredStream<Omit<StreamDefinition, "shards">>[];
  readonly deletedShards: readonly (UidRange | number)[];
  readonly documents?: Readonly<Record<string, DocumentValue>>;
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
  if (stored.version !== 1 && stored.version !== SNAPSHOT_VERSION) {
    throw new UnsupportedFormatError(
      `the log holds a snapshot of version ${String(stored.version)}; this build knows versions up to ${SNAPSHOT_VERSION}`,
      { argument: "snapshot.version", value: stored.version, limit: SNAPSHOT_VERSION },
    );
  }
  const shardsOf = shardsByStream(stored.shards);
  return {
    ...stored,
    version: SNAPSHOT_VERSION,
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
