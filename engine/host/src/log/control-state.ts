/**
 * The control state: what all control records so far come to. Pure and deterministic: the same
 * records in the same order give the same state on every leader, and a snapshot of it stands for them.
 */
import { UnsupportedFormatError } from "../errors/index.ts";
import {
  type ControlRecord,
  KNOWN_KINDS,
  type ShardDefinition,
  type StreamDefinition,
} from "./control-records.ts";

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
  readonly version: 1;
  readonly nextStreamUid: number;
  readonly nextShardUid: number;
  /** Creation seconds of the newest stream that had each name, deleted ones included. */
  readonly lastCreatedSeconds: Readonly<Record<string, number>>;
  readonly streams: readonly Omit<StreamDefinition, "shards">[];
  readonly shards: readonly ShardState[];
  /** Uids of deleted shards whose segments may still be in the store. */
  readonly deletedShards: readonly number[];
}

/** Streams and shards as the committed control records describe them. */
export class ControlState {
  readonly #streams = new Map<number, StreamDefinition>();
  readonly #shards = new Map<number, ShardState>();
  readonly #lastCreatedSeconds = new Map<string, number>();
  /** Shards of deleted streams, as long as segments of theirs may be in the store. */
  readonly #deletedShards = new Set<number>();
  #nextStreamUid = 1;
  #nextShardUid = 1;

  /** All streams, in the order of their creation. */
  streams(): IterableIterator<StreamDefinition> {
    return this.#streams.values();
  }

  /** All shards, in the order of their creation. */
  shards(): IterableIterator<ShardState> {
    return this.#shards.values();
  }

  stream(uid: number): StreamDefinition | undefined {
    return this.#streams.get(uid);
  }

  shard(uid: number): ShardState | undefined {
    return this.#shards.get(uid);
  }

  get nextStreamUid(): number {
    return this.#nextStreamUid;
  }

  get nextShardUid(): number {
    return this.#nextShardUid;
  }

  /** Whether the shard's stream was deleted, and its segments may still be in the store. */
  wasDeleted(shardUid: number): boolean {
    return this.#deletedShards.has(shardUid);
  }

  /** No segment of a deleted shard is in the store any more. */
  forgetDeleted(): void {
    this.#deletedShards.clear();
  }

  /** Never gives these uids to anyone new: the log holds something of theirs, whether known or not. */
  reserve(streamUid: number, shardUid: number): void {
    this.#nextStreamUid = Math.max(this.#nextStreamUid, streamUid + 1);
    this.#nextShardUid = Math.max(this.#nextShardUid, shardUid + 1);
  }

  /** Seconds that a new stream of this name must be created after, so that sequence numbers never return. */
  lastCreatedSeconds(name: string): number {
    return this.#lastCreatedSeconds.get(name) ?? 0;
  }

  /** Applies one committed record. @throws UnsupportedFormatError for a kind that this build does not know. */
  apply(record: ControlRecord): void {
    switch (record.kind) {
      case "stream-created":
        this.#createStream(record.stream);
        return;
      case "stream-deleted":
        this.#deleteStream(record.streamUid);
        return;
      case "segments-sealed":
        for (const { key, lastIndex } of record.segments) {
          const [uid, ordinal] = key;
          this.#update(uid, (shard) => ({
            sealedThrough: Math.max(shard.sealedThrough, ordinal),
            nextIndexFloor: Math.max(shard.nextIndexFloor, lastIndex + 1),
          }));
        }
        return;
      case "shard-trimmed":
        this.#update(record.shardUid, (shard) => ({
          trimmedBefore: Math.max(shard.trimmedBefore, record.beforeIndex),
          trimmedThrough: Math.max(shard.trimmedThrough, record.throughOrdinal),
        }));
        return;
      default:
        throw unknownKind(record);
    }
  }

  /** The state as JSON. `nextIndexOf` gives each shard's next sequence index as of now. */
  snapshot(nextIndexOf: (shardUid: number) => number): ControlSnapshot {
    return {
      version: 1,
      nextStreamUid: this.#nextStreamUid,
      nextShardUid: this.#nextShardUid,
      lastCreatedSeconds: Object.fromEntries(this.#lastCreatedSeconds),
      streams: [...this.#streams.values()].map(({ shards: _, ...stream }) => stream),
      deletedShards: [...this.#deletedShards],
      shards: [...this.#shards.values()].map((shard) => ({
        ...shard,
        nextIndexFloor: Math.max(shard.nextIndexFloor, nextIndexOf(shard.uid)),
      })),
    };
  }

  /** Replaces the state by a snapshot. @throws UnsupportedFormatError for a snapshot of a newer build. */
  restore(snapshot: ControlSnapshot): void {
    if (snapshot.version !== 1) {
      throw new UnsupportedFormatError(
        `the log holds a snapshot of version ${String(snapshot.version)}; this build knows version 1`,
        { argument: "snapshot.version", value: snapshot.version, limit: 1 },
      );
    }
    this.#streams.clear();
    this.#shards.clear();
    this.#lastCreatedSeconds.clear();
    for (const uid of snapshot.deletedShards) this.#deletedShards.add(uid);
    this.reserve(snapshot.nextStreamUid - 1, snapshot.nextShardUid - 1);
    for (const [name, seconds] of Object.entries(snapshot.lastCreatedSeconds)) {
      this.#lastCreatedSeconds.set(name, seconds);
    }
    for (const shard of snapshot.shards) this.#shards.set(shard.uid, shard);
    for (const stream of snapshot.streams) {
      const shards = snapshot.shards.filter((shard) => shard.streamUid === stream.uid);
      this.#streams.set(stream.uid, { ...stream, shards });
    }
  }

  #createStream(stream: StreamDefinition): void {
    this.#streams.set(stream.uid, stream);
    for (const shard of stream.shards) {
      this.#shards.set(shard.uid, {
        ...shard,
        streamUid: stream.uid,
        sealedThrough: 0,
        trimmedThrough: 0,
        trimmedBefore: 0,
        nextIndexFloor: 0,
      });
      this.reserve(stream.uid, shard.uid);
      const last = this.lastCreatedSeconds(stream.name);
      this.#lastCreatedSeconds.set(stream.name, Math.max(last, shard.createdSeconds));
    }
  }

  #deleteStream(streamUid: number): void {
    this.#streams.delete(streamUid);
    for (const shard of [...this.#shards.values()]) {
      if (shard.streamUid !== streamUid) continue;
      this.#shards.delete(shard.uid);
      this.#deletedShards.add(shard.uid);
    }
  }

  /** Changes a shard; one that was deleted in the meantime has nothing left to change. */
  #update(uid: number, change: (shard: ShardState) => Partial<ShardState>): void {
    const shard = this.#shards.get(uid);
    if (shard !== undefined) this.#shards.set(uid, { ...shard, ...change(shard) });
  }
}

function unknownKind(record: never): UnsupportedFormatError {
  const kind = String((record as { kind?: unknown }).kind);
  return new UnsupportedFormatError(
    `the log holds a control record of kind "${kind}", which this build does not know; open it with a newer build`,
    { argument: "kind", value: kind, limit: [...KNOWN_KINDS].join(", ") },
  );
}
