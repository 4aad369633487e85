/**
 * The control state: what all control records so far come to. Pure and deterministic: the same
 * records in the same order give the same state on every leader, and a snapshot of it stands for them.
 */
import {
  InternalFailureError,
  ResourceNotFoundError,
  UnsupportedFormatError,
} from "../errors/index.ts";
import {
  type ControlRecord,
  type DocumentValue,
  KNOWN_KINDS,
  type SegmentManifest,
  type ShardDefinition,
  type StreamDefinition,
  type StreamSettings,
} from "./control-records.ts";
import {
  type ControlSnapshot,
  type ShardState,
  type StoredSnapshot,
  shardsByStream,
  upgradeSnapshot,
  upgradeStream,
} from "./control-snapshot.ts";
import { DocumentMap } from "./document-map.ts";
import { LayeredMap } from "./layered-map.ts";
import { ringProblem } from "./shard-ring.ts";
import { UidRanges } from "./uid-ranges.ts";

export type { ControlSnapshot, ShardState } from "./control-snapshot.ts";

type Reshard = Extract<ControlRecord, { kind: "stream-resharded" }>;

/**
 * Sequence index of a shard's first record. No record has 0, the index of the shard's own starting sequence
 * number, so that reading after that number skips nothing.
 */
const FIRST_INDEX = 1;

/** Streams, shards and documents as the committed control records describe them. */
export class ControlState {
  #streams = LayeredMap.of<number, StreamDefinition>();
  #shards = LayeredMap.of<number, ShardState>();
  #lastCreatedSeconds = LayeredMap.of<string, number>();
  /** Shards of deleted streams and expired ones: a segment of theirs in the store is nobody's loss. */
  #deletedShards = new UidRanges();
  #documents = DocumentMap.of();
  #nextStreamUid = 1;
  #nextShardUid = 1;
  /** Seconds since the Unix epoch that new shards are created after, whatever their stream's name. */
  #createdAfterSeconds = 0;

  /** All streams, in the order of their creation. */
  streams(): IterableIterator<StreamDefinition> {
    return this.#streams.values();
  }

  /** All shards that are not expired, closed ones included, in the order of their creation. */
  shards(): IterableIterator<ShardState> {
    return this.#shards.values();
  }

  stream(uid: number): StreamDefinition | undefined {
    return this.#streams.get(uid);
  }

  shard(uid: number): ShardState | undefined {
    return this.#shards.get(uid);
  }

  /** Number of streams. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** Number of shards that are not expired, closed ones included. */
  get shardCount(): number {
    return this.#shards.size;
  }

  /** The value under a key. */
  document(key: string): DocumentValue | undefined {
    return this.#documents.get(key);
  }

  /** Characters that all documents take in a snapshot, about. */
  get documentsSize(): number {
    return this.#documents.size;
  }

  /** Keys of documents that begin with a prefix, in ascending order. */
  documentKeys(prefix: string): string[] {
    return this.#documents.keys(prefix);
  }

  get nextStreamUid(): number {
    return this.#nextStreamUid;
  }

  get nextShardUid(): number {
    return this.#nextShardUid;
  }

  /** Whether the shard is expired or its stream was deleted. */
  wasDeleted(shardUid: number): boolean {
    return this.#deletedShards.has(shardUid);
  }

  /** Never gives these uids to anyone new: the log holds something of theirs, whether known or not. */
  reserve(streamUid: number, shardUid: number): void {
    this.#nextStreamUid = Math.max(this.#nextStreamUid, streamUid + 1);
    this.#nextShardUid = Math.max(this.#nextShardUid, shardUid + 1);
  }

  /**
   * Seconds that a new shard of a stream of this name must be created after, so that sequence numbers
   * never return.
   */
  lastCreatedSeconds(name: string): number {
    return Math.max(this.#lastCreatedSeconds.get(name) ?? 0, this.#createdAfterSeconds);
  }

  /** The newest second of those in {@link lastCreatedSeconds}; names that came back quickly lie in the future. */
  get newestCreatedSeconds(): number {
    let newest = this.#createdAfterSeconds;
    for (const seconds of this.#lastCreatedSeconds.values()) newest = Math.max(newest, seconds);
    return newest;
  }

  /** Has all shards be created after a time, in seconds since the Unix epoch; not part of a snapshot. */
  createAfter(seconds: number): void {
    this.#createdAfterSeconds = Math.max(this.#createdAfterSeconds, seconds);
  }

  /** An equal state to try changes on, which leave this one as it is; for as long as this one does not change. */
  fork(): ControlState {
    const fork = new ControlState();
    fork.#streams = this.#streams.above();
    fork.#shards = this.#shards.above();
    fork.#lastCreatedSeconds = this.#lastCreatedSeconds.above();
    fork.#deletedShards = new UidRanges(this.#deletedShards.ranges());
    fork.#documents = this.#documents.above();
    fork.#nextStreamUid = this.#nextStreamUid;
    fork.#nextShardUid = this.#nextShardUid;
    fork.#createdAfterSeconds = this.#createdAfterSeconds;
    return fork;
  }

  /** Takes over what a fork has changed; it must be one of this state, as it is now, and is of no use afterwards. */
  takeOver(fork: ControlState): void {
    fork.#streams.merge();
    fork.#shards.merge();
    fork.#lastCreatedSeconds.merge();
    fork.#documents.merge();
    this.#deletedShards = fork.#deletedShards;
    this.#nextStreamUid = fork.#nextStreamUid;
    this.#nextShardUid = fork.#nextShardUid;
  }

  /**
   * Applies one record.
   *
   * @throws UnsupportedFormatError for a kind that this build does not know.
   * @throws ResourceNotFoundError, InternalFailureError for a record that contradicts the state, which
   * then stays as it was.
   */
  apply(record: ControlRecord): void {
    switch (record.kind) {
      case "stream-created":
        this.#createStream(upgradeStream(record.stream));
        return;
      case "stream-deleted":
        this.#deleteStream(record.streamUid);
        return;
      case "stream-updated":
        this.#updateStream(record.streamUid, record.settings);
        return;
      case "stream-resharded":
        this.#reshard(record);
        return;
      case "shards-expired":
        this.#expire(record.shardUids);
        return;
      case "segments-sealed":
        for (const { key, ...facts } of record.segments) {
          this.#update(key[0], (shard) => sealed(shard, key[1], facts));
        }
        return;
      case "shard-trimmed":
        this.#update(record.shardUid, (shard) => trimmed(shard, record));
        return;
      case "document-put":
        this.#documents.put(record.key, record.value);
        return;
      case "document-deleted":
        this.#documents.delete(record.key);
        return;
      default:
        throw unknownKind(record);
    }
  }

  /**
   * Takes the segments of a shard that the store holds, up to an ordinal, for declared ones, because the
   * declarations may be lost. `nextIndex` is the sequence index behind them, as far as it is known.
   */
  adopt(shardUid: number, ordinal: number, nextIndex: number): void {
    this.#update(shardUid, ({ sealedThrough, nextIndexFloor }) =>
      ordinal <= sealedThrough
        ? {}
        : {
            sealedThrough: ordinal,
            segments: [],
            nextIndexFloor: Math.max(nextIndexFloor, nextIndex),
          },
    );
  }

  /** The state as JSON. `nextIndexOf` gives each shard's next sequence index as of now. */
  snapshot(nextIndexOf: (shardUid: number) => number): ControlSnapshot {
    return {
      version: 3,
      nextStreamUid: this.#nextStreamUid,
      nextShardUid: this.#nextShardUid,
      lastCreatedSeconds: Object.fromEntries(this.#lastCreatedSeconds.entries()),
      streams: [...this.#streams.values()].map(({ shards: _, ...stream }) => stream),
      deletedShards: this.#deletedShards.ranges(),
      shards: [...this.#shards.values()].map((shard) => ({
        ...shard,
        nextIndexFloor: Math.max(shard.nextIndexFloor, nextIndexOf(shard.uid)),
      })),
      documents: Object.fromEntries(this.#documents.entries()),
    };
  }

  /** Replaces the state by a snapshot of any version. @throws UnsupportedFormatError for one of a newer build. */
  restore(stored: StoredSnapshot): void {
    const snapshot = upgradeSnapshot(stored);
    this.#deletedShards = new UidRanges(snapshot.deletedShards);
    this.reserve(snapshot.nextStreamUid - 1, snapshot.nextShardUid - 1);
    this.#lastCreatedSeconds = LayeredMap.of(Object.entries(snapshot.lastCreatedSeconds));
    this.#documents = DocumentMap.of(Object.entries(snapshot.documents));
    this.#shards = LayeredMap.of(snapshot.shards.map((shard) => [shard.uid, shard]));
    this.#streams = LayeredMap.of();
    const shardsOf = shardsByStream(snapshot.shards);
    for (const stream of snapshot.streams) {
      const shards = shardsOf.get(stream.uid) ?? [];
      this.#streams.set(stream.uid, { ...stream, shards: byIndex(shards.map(definitionOf)) });
    }
  }

  #createStream(stream: StreamDefinition): void {
    if (this.#streams.has(stream.uid)) throw contradiction(`stream uid ${stream.uid} exists`);
    this.#checkNew(stream.shards);
    checkRing(stream);
    this.#streams.set(stream.uid, stream);
    this.reserve(stream.uid, 0);
    for (const shard of stream.shards) this.#addShard(stream, shard);
  }

  #deleteStream(streamUid: number): void {
    const shards = this.#streams.get(streamUid)?.shards ?? [];
    this.#streams.delete(streamUid);
    for (const { uid } of shards) {
      this.#shards.delete(uid);
      this.#deletedShards.add(uid);
    }
  }

  #updateStream(streamUid: number, settings: Partial<StreamSettings>): void {
    this.#streams.set(streamUid, { ...this.#require(streamUid), ...settings });
  }

  #reshard({ streamUid, atMs, closed, opened }: Reshard): void {
    const stream = this.#require(streamUid);
    for (const uid of closed) {
      const open = stream.shards.some((shard) => shard.uid === uid && !isClosed(shard));
      if (!open) throw contradiction(`shard uid ${uid} of stream ${stream.name} is not open`);
    }
    this.#checkNew(opened);
    const reused = opened.find(({ shardIndex }) => shardIndex < stream.nextShardIndex);
    if (reused !== undefined) {
      throw contradiction(
        `shard index ${reused.shardIndex} of stream ${stream.name} was given out`,
      );
    }
    const kept = stream.shards.map((shard) =>
      closed.includes(shard.uid) ? { ...shard, closedMs: atMs } : shard,
    );
    const resharded = {
      ...stream,
      shards: byIndex([...kept, ...opened]),
      nextShardIndex: Math.max(
        ...opened.map(({ shardIndex }) => shardIndex + 1),
        stream.nextShardIndex,
      ),
    };
    checkRing(resharded);
    this.#streams.set(streamUid, resharded);
    for (const uid of closed) this.#update(uid, () => ({ closedMs: atMs }));
    for (const shard of opened) this.#addShard(resharded, shard);
  }

  #expire(shardUids: readonly number[]): void {
    // Shards whose stream was deleted meanwhile have nothing left to expire.
    const known = shardUids.flatMap((uid) => this.#shards.get(uid) ?? []);
    const open = known.find((shard) => !isClosed(shard));
    if (open !== undefined)
      throw contradiction(`shard uid ${open.uid} expires although it is open`);
    for (const { uid, streamUid } of known) {
      const stream = this.#require(streamUid);
      const shards = stream.shards.filter((shard) => shard.uid !== uid);
      this.#streams.set(streamUid, { ...stream, shards });
      this.#shards.delete(uid);
      this.#deletedShards.add(uid);
    }
  }

  #addShard(stream: StreamDefinition, shard: ShardDefinition): void {
    this.#shards.set(shard.uid, {
      ...shard,
      streamUid: stream.uid,
      sealedThrough: 0,
      trimmedThrough: 0,
      trimmedBefore: 0,
      nextIndexFloor: FIRST_INDEX,
      segments: [],
    });
    this.reserve(0, shard.uid);
    const last = this.#lastCreatedSeconds.get(stream.name) ?? 0;
    this.#lastCreatedSeconds.set(stream.name, Math.max(last, shard.createdSeconds));
  }

  #checkNew(shards: readonly ShardDefinition[]): void {
    const taken = shards.find(({ uid }) => this.#shards.has(uid) || this.#deletedShards.has(uid));
    if (taken !== undefined) throw contradiction(`shard uid ${taken.uid} was given out`);
  }

  #require(streamUid: number): StreamDefinition {
    const stream = this.#streams.get(streamUid);
    if (stream === undefined) throw ResourceNotFoundError.stream(`uid ${streamUid}`);
    return stream;
  }

  /** Changes a shard; one that was deleted in the meantime has nothing left to change. */
  #update(uid: number, change: (shard: ShardState) => Partial<ShardState>): void {
    const shard = this.#shards.get(uid);
    if (shard !== undefined) this.#shards.set(uid, { ...shard, ...change(shard) });
  }
}

function isClosed(shard: ShardDefinition): boolean {
  return shard.closedMs !== undefined;
}

/** A shard without its place in the log. */
function definitionOf(shard: ShardState): ShardDefinition {
  const { streamUid, sealedThrough, trimmedThrough, trimmedBefore, ...rest } = shard;
  const { nextIndexFloor, segments, ...definition } = rest;
  return definition;
}

/** What the declaration of a segment changes of its shard. */
function sealed(
  shard: ShardState,
  ordinal: number,
  { byteLength, recordCount, lastIndex }: Omit<SegmentManifest, "key">,
): Partial<ShardState> {
  const nextIndexFloor = Math.max(shard.nextIndexFloor, lastIndex + 1);
  if (ordinal <= shard.sealedThrough) return { nextIndexFloor };
  // A declaration that was lost leaves a gap; facts stand for the ordinals without one, up to the last.
  const before = ordinal === shard.sealedThrough + 1 ? shard.segments : [];
  const segments = [...before, [byteLength, recordCount, lastIndex] as const];
  return { nextIndexFloor, sealedThrough: ordinal, segments };
}

/** What the trimming of a shard changes. */
function trimmed(
  shard: ShardState,
  { beforeIndex, throughOrdinal }: { beforeIndex: number; throughOrdinal: number },
): Partial<ShardState> {
  const trimmedThrough = Math.max(shard.trimmedThrough, throughOrdinal);
  const known = shard.sealedThrough - shard.segments.length;
  return {
    trimmedBefore: Math.max(shard.trimmedBefore, beforeIndex),
    trimmedThrough,
    segments: shard.segments.slice(Math.max(0, trimmedThrough - known)),
  };
}

function byIndex<Shard extends ShardDefinition>(shards: readonly Shard[]): Shard[] {
  return [...shards].sort((a, b) => a.shardIndex - b.shardIndex);
}

/** Every hash key belongs to exactly one open shard, whatever happens to a stream. */
function checkRing(stream: StreamDefinition): void {
  const problem = ringProblem(stream.shards);
  if (problem !== undefined) throw contradiction(`stream ${stream.name}: ${problem}`);
}

function contradiction(what: string): InternalFailureError {
  return new InternalFailureError(`a control record contradicts the state of the log: ${what}`, {
    argument: "record",
  });
}

function unknownKind(record: never): UnsupportedFormatError {
  const kind = String((record as { kind?: unknown }).kind);
  return new UnsupportedFormatError(
    `the log holds a control record of kind "${kind}", which this build does not know; open it with a newer build`,
    { argument: "kind", value: kind, limit: [...KNOWN_KINDS].join(", ") },
  );
}
