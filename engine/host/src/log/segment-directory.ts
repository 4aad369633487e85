/**
 * Which sealed segments the store holds for each shard: derived from the keys of the store and the
 * declared ordinals of the control state, never stored itself.
 */
import {
  SEGMENT_HEADER_BYTES,
  SEGMENT_LAST_INDEX,
  SEGMENT_RECORD_COUNT,
} from "@millrace/core/layout";
import type { SegmentKey } from "../storage/log-store.ts";
import { readUint64, viewOf } from "./bytes.ts";
import type { SegmentFacts, ShardState } from "./control-snapshot.ts";

/**
 * Ordinal of what is written to try whether there is room: far beyond any that is declared, so that a leader
 * removes what stays. It is no segment.
 */
export const PROBE_ORDINAL = 2 ** 40;

/** Position of the last element that satisfies a condition that is true first and false later, or -1. */
function lastWhere(keys: readonly SegmentKey[], condition: (key: SegmentKey) => boolean): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const key = keys[middle];
    if (key !== undefined && condition(key)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** What a stored segment tells of itself; undefined for what is too short to be one. */
export function factsOfImage(image: Uint8Array): SegmentFacts | undefined {
  if (image.byteLength < SEGMENT_HEADER_BYTES) return undefined;
  const view = viewOf(image);
  const recordCount = view.getUint32(SEGMENT_RECORD_COUNT, true);
  return [image.byteLength, recordCount, readUint64(view, SEGMENT_LAST_INDEX)];
}

/** What the keys of a store come to, given what is declared. */
export interface DirectoryScan {
  readonly directory: SegmentDirectory;
  /** Keys that no manifest declares: left by a leader that was deposed or died before declaring. */
  readonly garbage: readonly SegmentKey[];
  /** Keys of shards that the control state does not know. */
  readonly unknown: readonly SegmentKey[];
  /** Declared ordinals that no key stands for. */
  readonly missing: readonly MissingSegment[];
}

/** A declared segment that the store does not hold. */
export interface MissingSegment {
  readonly shardUid: number;
  readonly ordinal: number;
  /** What its manifest told, when it is known. */
  readonly facts: SegmentFacts | undefined;
}

/** Declared segments by shard, in the order of their ordinals. */
export class SegmentDirectory {
  readonly #byShard = new Map<number, SegmentKey[]>();
  /** What the keys do not hold, as far as manifests or the segments themselves told it. */
  readonly #facts = new Map<string, SegmentFacts>();
  /** Names of the segments that the store does not hold whole, and of which the WAL has records. */
  readonly #gone = new Set<string>();
  /** Names of segments that are being deleted before the frame that says so. */
  readonly #going = new Set<string>();
  #count = 0;
  #byteLength = 0;

  /**
   * Sorts out the keys of a store: of several keys for one ordinal the one with the highest epoch is
   * declared, because a leader writes only ordinals that no earlier epoch had declared.
   */
  static scan(
    keys: readonly SegmentKey[],
    shards: Iterable<
      Pick<ShardState, "uid" | "sealedThrough" | "trimmedThrough"> &
        Partial<Pick<ShardState, "segments">>
    >,
  ): DirectoryScan {
    const declared = new Map<number, Map<number, SegmentKey>>();
    const byUid = new Map([...shards].map((shard) => [shard.uid, shard]));
    const garbage: SegmentKey[] = [];
    const unknown: SegmentKey[] = [];
    for (const key of keys) {
      const [uid, ordinal, , , , epoch] = key;
      const shard = byUid.get(uid);
      if (shard === undefined) {
        unknown.push(key);
        continue;
      }
      if (ordinal > shard.sealedThrough || ordinal <= shard.trimmedThrough) {
        garbage.push(key);
        continue;
      }
      const ordinals = declared.get(uid) ?? new Map<number, SegmentKey>();
      declared.set(uid, ordinals);
      const rival = ordinals.get(ordinal);
      if (rival !== undefined) garbage.push(rival[5] < epoch ? rival : key);
      if (rival === undefined || rival[5] < epoch) ordinals.set(ordinal, key);
    }
    const directory = new SegmentDirectory();
    const missing: MissingSegment[] = [];
    for (const { uid, sealedThrough, trimmedThrough, segments = [] } of byUid.values()) {
      const ordinals = declared.get(uid);
      const unknownThrough = sealedThrough - segments.length;
      for (let ordinal = trimmedThrough + 1; ordinal <= sealedThrough; ordinal++) {
        const key = ordinals?.get(ordinal);
        const facts = segments[ordinal - unknownThrough - 1];
        if (key === undefined) missing.push({ shardUid: uid, ordinal, facts });
        else directory.add(key, facts);
      }
    }
    return { directory, garbage, unknown, missing };
  }

  /** Number of segments. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of all segments whose length is known. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** Adds a segment behind all others of its shard. */
  add(key: SegmentKey, facts?: SegmentFacts): void {
    const keys = this.#byShard.get(key[0]);
    if (keys === undefined) this.#byShard.set(key[0], [key]);
    else keys.push(key);
    this.#count++;
    if (facts !== undefined) this.note(key, facts);
  }

  /** Notes that the store does not hold these segments whole: what the WAL has of them must stay there. */
  noteGone(keys: readonly SegmentKey[]): void {
    for (const [shardUid, ordinal] of keys) this.#gone.add(`${shardUid}/${ordinal}`);
  }

  /** Notes that segments are about to be deleted: what is missing of them is nobody's loss. */
  noteGoing(keys: readonly SegmentKey[]): void {
    for (const key of keys) this.#going.add(key.join());
  }

  /** Notes that segments are not deleted after all, or that nothing in the log says so. */
  forgetGoing(keys: readonly SegmentKey[]): void {
    for (const key of keys) this.#going.delete(key.join());
  }

  /** Whether a segment is being deleted. */
  isGoing(key: SegmentKey): boolean {
    return this.#going.has(key.join());
  }

  /** Whether the store holds a segment whole, as far as it is known. */
  isStored(shardUid: number, ordinal: number): boolean {
    return !this.#gone.has(`${shardUid}/${ordinal}`);
  }

  /** Notes what is known of a segment; it must be one of these. */
  note(key: SegmentKey, facts: SegmentFacts): void {
    const name = key.join();
    this.#byteLength += facts[0] - (this.#facts.get(name)?.[0] ?? 0);
    this.#facts.set(name, facts);
  }

  /** What is known of a segment, when a manifest or the segment itself told it. */
  factsOf(key: SegmentKey): SegmentFacts | undefined {
    return this.#facts.get(key.join());
  }

  /** A segment's last sequence index, when it is known. */
  lastIndexOf(key: SegmentKey): number | undefined {
    return this.factsOf(key)?.[2];
  }

  /** Segments of which nothing is known but the key: those of snapshots before version 3. */
  unknown(): SegmentKey[] {
    return [...this.#byShard.values()].flat().filter((key) => !this.#facts.has(key.join()));
  }

  /** All segments, shard by shard. */
  all(): SegmentKey[] {
    return [...this.#byShard.values()].flat();
  }

  /** The segments of a shard, oldest first. */
  of(shardUid: number): readonly SegmentKey[] {
    return this.#byShard.get(shardUid) ?? [];
  }

  /** The last segment that begins at or before an index. */
  covering(shardUid: number, index: number): SegmentKey | undefined {
    const keys = this.of(shardUid);
    return keys[lastWhere(keys, (key) => key[2] <= index)];
  }

  /** The first segment that begins after an index. */
  after(shardUid: number, index: number): SegmentKey | undefined {
    const keys = this.of(shardUid);
    return keys[lastWhere(keys, (key) => key[2] <= index) + 1];
  }

  /** The first segment whose last record arrived at or after a time. */
  reaching(shardUid: number, timeMs: number): SegmentKey | undefined {
    return this.of(shardUid).find((key) => key[4] >= timeMs);
  }

  /** Segments at the old end whose last record arrived before a time. */
  endedBefore(shardUid: number, timeMs: number): SegmentKey[] {
    const keys = this.of(shardUid);
    const kept = keys.findIndex((key) => key[4] >= timeMs);
    return keys.slice(0, kept === -1 ? keys.length : kept);
  }

  /** Takes segments up to an ordinal out and returns them. */
  trimThrough(shardUid: number, ordinal: number): SegmentKey[] {
    const keys = this.of(shardUid);
    const dropped = keys.filter((key) => key[1] <= ordinal);
    this.#byShard.set(
      shardUid,
      keys.filter((key) => key[1] > ordinal),
    );
    this.#forget(dropped);
    return dropped;
  }

  /** Takes a shard out and returns its segments. */
  drop(shardUid: number): SegmentKey[] {
    const keys = [...this.of(shardUid)];
    this.#byShard.delete(shardUid);
    this.#forget(keys);
    return keys;
  }

  #forget(keys: readonly SegmentKey[]): void {
    this.#count -= keys.length;
    for (const key of keys) {
      const name = key.join();
      this.#byteLength -= this.#facts.get(name)?.[0] ?? 0;
      this.#facts.delete(name);
      this.#going.delete(name);
      this.#gone.delete(`${key[0]}/${key[1]}`);
    }
  }
}
