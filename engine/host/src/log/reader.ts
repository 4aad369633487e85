/**
 * Reads durable records from any number of shards of one stream into one packed slice.
 *
 * What is in the core's cache is copied straight out of it. What is not is loaded first: a read that
 * finds nothing in the cache waits for the store, one that finds something returns it and has the rest
 * loaded for the next read.
 */
import {
  FRAME_ARRIVAL,
  FRAME_HEADER_BYTES,
  PART_AT_END,
  PART_HOLE,
  PART_SHARD_CLOSED,
  PART_TRIMMED,
} from "@millrace/core/layout";
import type { SegmentKey } from "../storage/log-store.ts";
import { viewOf } from "./bytes.ts";
import type { LogContext } from "./log-context.ts";
import { expiredBeforeMs } from "./retention.ts";
import { readSalvaged, type SalvagedFrames } from "./salvage.ts";
import { SegmentLoader } from "./segment-loader.ts";
import type { SlottedShard } from "./shard-slots.ts";
import { byteLengthOf, packSlice, type SlicePart, type SliceSource } from "./slice-writer.ts";

/** Smallest share of a read's bytes that each shard gets. */
const SHARE_BYTES_MIN = 65_536;
/** Segments that one read has loaded at once. */
const LOADS_MAX = 4;

/** Where a read stands in one shard. */
export interface ReadPosition {
  readonly shard: SlottedShard;
  readonly nextIndex: number;
}

/** Where one read stands after some passes that found nothing, and what it met on the way. */
interface ReachedPosition extends ReadPosition {
  /** PART_* bits. */
  readonly flags: number;
}

/** Limits of one read. */
export interface ReadLimits {
  readonly recordsMax: number;
  readonly bytesMax: number;
}

/** What one pass over the cache found of one shard. */
interface Found {
  readonly part: SlicePart;
  /** Segment that must be loaded before the read can go on. */
  readonly absent: SegmentKey | undefined;
  /** Whether it begins with a record that retention no longer keeps, although it is still there. */
  readonly expired: boolean;
}

/** First index that retention keeps, by uid of the shards where a read met older records. */
type Horizons = Map<number, number>;

/** A slice with what the caller needs to account for it. */
export interface ReadOutcome {
  readonly slice: ArrayBuffer;
  readonly recordCount: number;
  /** What each shard contributed; bytes are those of its record frames. */
  readonly taken: readonly {
    readonly shard: SlottedShard;
    readonly recordCount: number;
    readonly byteLength: number;
  }[];
  /** Shards that are closed and were read to their end: nothing will ever follow there. */
  readonly ended: readonly SlottedShard[];
}

/** Reads for everyone; keeps no position of its own. */
export class Reader {
  readonly #context: LogContext;
  readonly #loader: SegmentLoader;
  /** Shard that the next read begins with, so that none starves. */
  #turn = 0;

  constructor(context: LogContext) {
    this.#context = context;
    this.#loader = new SegmentLoader(context);
  }

  /**
   * Reads what is there, empty when nothing is.
   * @throws ResourceNotFoundError when a shard goes meanwhile; MillraceError when the store cannot be read.
   */
  async read(positions: readonly ReadPosition[], limits: ReadLimits): Promise<ReadOutcome> {
    const horizons: Horizons = new Map();
    let reached: readonly ReachedPosition[] = positions.map((one) => ({ ...one, flags: 0 }));
    for (;;) {
      for (const { shard } of positions) this.#context.slots.requireHeld(shard);
      const found = this.#pass(reached, limits, horizons);
      if (found.some((one) => one.expired)) {
        await this.#findHorizons(positions, found, horizons);
        continue;
      }
      const absent = found.filter((one) => one.absent !== undefined).slice(0, LOADS_MAX);
      const loads = absent.map((one) => this.#load(positions, one.absent));
      const parts = found.map((one) => one.part);
      reached = reached.map((one) => advanced(one, parts));
      if (loads.length === 0 || parts.some((part) => part.recordCount > 0)) {
        // A failed load in the background shows when a read has to wait for it.
        for (const load of loads) load.catch(() => undefined);
        return this.#outcome(positions, parts);
      }
      await Promise.all(loads);
    }
  }

  /** Index of the first durable record at or after a time that retention keeps; the end when there is none. */
  indexAtTime(shard: SlottedShard, timeMs: number): Promise<number> {
    return this.#indexFrom(shard, Math.max(timeMs, this.#expiredMs(shard)));
  }

  /** Index at which what retention keeps of a shard begins; the end when it keeps nothing. */
  async trimHorizon(shard: SlottedShard): Promise<number> {
    const { control, directory } = this.#context;
    const trimmedBefore = control.shard(shard.uid)?.trimmedBefore ?? 0;
    const expiredMs = this.#expiredMs(shard);
    const oldest = directory.of(shard.uid)[0];
    if (expiredMs === Number.NEGATIVE_INFINITY) return trimmedBefore;
    if (oldest !== undefined && oldest[3] >= expiredMs) return trimmedBefore;
    return Math.max(trimmedBefore, await this.#indexFrom(shard, expiredMs));
  }

  #expiredMs(shard: SlottedShard): number {
    const stream = this.#context.control.stream(shard.streamUid);
    return stream === undefined ? Number.NEGATIVE_INFINITY : expiredBeforeMs(this.#context, stream);
  }

  async #findHorizons(
    positions: readonly ReadPosition[],
    found: readonly Found[],
    horizons: Horizons,
  ): Promise<void> {
    const expired = found.filter((one) => one.expired).map(({ part }) => part.shardIndex);
    const shards = positions.flatMap(({ shard }) =>
      expired.includes(shard.shardIndex) ? [shard] : [],
    );
    await Promise.all(
      shards.map(async (shard) => {
        horizons.set(shard.uid, await this.trimHorizon(shard));
      }),
    );
  }

  async #indexFrom(shard: SlottedShard, timeMs: number): Promise<number> {
    const { core, directory, slots } = this.#context;
    let key = directory.reaching(shard.uid, timeMs);
    while (key !== undefined) {
      await this.#loader.load(shard.slot, key);
      slots.requireHeld(shard);
      const salvaged = this.#loader.salvaged(key);
      if (salvaged === undefined) break;
      const range = salvaged.ranges.find((candidate) => candidate.lastMs >= timeMs);
      if (range !== undefined) return range.firstIndex;
      key = directory.after(shard.uid, key[2]);
    }
    return core.indexAtTime(shard.slot, timeMs) ?? core.position(shard.slot).durableIndex;
  }

  #load(positions: readonly ReadPosition[], key: SegmentKey | undefined): Promise<void> {
    const shard = positions.find((position) => position.shard.uid === key?.[0])?.shard;
    if (key === undefined || shard === undefined) return Promise.resolve();
    return this.#loader.load(shard.slot, key);
  }

  #pass(
    positions: readonly ReachedPosition[],
    limits: ReadLimits,
    horizons: ReadonlyMap<number, number>,
  ): Found[] {
    const turn = this.#turn++ % Math.max(1, positions.length);
    const ordered = [...positions.slice(turn), ...positions.slice(0, turn)];
    let records = limits.recordsMax;
    let bytes = limits.bytesMax;
    return ordered.map((position, i) => {
      const left = ordered.length - i;
      const share = {
        recordsMax: Math.min(records, Math.ceil(records / left)),
        bytesMax: Math.min(Math.max(SHARE_BYTES_MIN, Math.floor(bytes / left)), bytes),
      };
      const one = this.#ofShard(position, share, horizons.get(position.shard.uid));
      records -= one.part.recordCount;
      bytes -= byteLengthOf(one.part);
      return one;
    });
  }

  #ofShard(
    { shard, nextIndex, flags }: ReachedPosition,
    limits: ReadLimits,
    horizon?: number,
  ): Found {
    const { core, control, clock } = this.#context;
    const state = control.shard(shard.uid);
    const trimmedBefore = state?.trimmedBefore ?? 0;
    const from = Math.max(nextIndex, trimmedBefore, horizon ?? 0);
    const walk = new ShardWalk(this.#context, this.#loader, shard, from);
    walk.flags = flags;
    // A position at the trim horizon stands before everything that is left, whatever went before it.
    if (from > nextIndex && nextIndex !== trimmedBefore && nextIndex > 0)
      walk.flags |= PART_TRIMMED;
    walk.advance(limits);
    const { durableIndex, provisional } = core.position(shard.slot);
    const atEnd = walk.nextIndex >= durableIndex;
    if (atEnd) walk.flags |= PART_AT_END;
    if (atEnd && !provisional && state?.closedMs !== undefined) walk.flags |= PART_SHARD_CLOSED;
    return {
      absent: walk.absent,
      expired: horizon === undefined && walk.firstMs() < this.#expiredMs(shard),
      part: {
        shardIndex: shard.shardIndex,
        createdSeconds: shard.createdSeconds,
        flags: walk.flags,
        nextIndex: walk.nextIndex,
        behindMs: atEnd ? 0 : behindMs(walk, clock.nowMs()),
        recordCount: walk.recordCount,
        sources: walk.sources,
      },
    };
  }

  #outcome(positions: readonly ReadPosition[], parts: readonly SlicePart[]): ReadOutcome {
    const taken = positions.flatMap(({ shard }) => {
      const part = parts.find(({ shardIndex }) => shardIndex === shard.shardIndex);
      if (part === undefined || part.recordCount === 0) return [];
      return [{ shard, recordCount: part.recordCount, byteLength: byteLengthOf(part) }];
    });
    return {
      slice: packSlice(this.#context.core, parts, this.#context.clock.nowMs()),
      recordCount: taken.reduce((sum, one) => sum + one.recordCount, 0),
      taken,
      ended: positions.flatMap(({ shard }) =>
        parts.some(
          ({ shardIndex, flags }) =>
            shardIndex === shard.shardIndex && (flags & PART_SHARD_CLOSED) !== 0,
        )
          ? [shard]
          : [],
      ),
    };
  }
}

/**
 * A position after a pass that found nothing: what was passed over need not be looked at again, when it
 * is many damaged segments in a row.
 */
function advanced(position: ReachedPosition, parts: readonly SlicePart[]): ReachedPosition {
  const part = parts.find(({ shardIndex }) => shardIndex === position.shard.shardIndex);
  if (part === undefined || part.recordCount > 0) return position;
  const flags = part.flags & (PART_HOLE | PART_TRIMMED);
  return { shard: position.shard, nextIndex: part.nextIndex, flags };
}

/** How old what a walk came to is, in whole ms; never 0, which says that there is nothing more. */
function behindMs({ lastMs }: ShardWalk, nowMs: number): number {
  return lastMs === 0 ? 1 : Math.max(1, Math.ceil(nowMs - lastMs));
}

/** One pass through the cached and salvaged records of one shard. */
class ShardWalk {
  readonly #context: LogContext;
  readonly #loader: SegmentLoader;
  readonly #shard: SlottedShard;
  readonly sources: SliceSource[] = [];
  nextIndex: number;
  flags = 0;
  recordCount = 0;
  lastMs = 0;
  absent: SegmentKey | undefined;

  constructor(context: LogContext, loader: SegmentLoader, shard: SlottedShard, nextIndex: number) {
    this.#context = context;
    this.#loader = loader;
    this.#shard = shard;
    this.nextIndex = nextIndex;
  }

  /** Goes on until the limits, the end, or a segment that is not in the cache. */
  advance(limits: ReadLimits): void {
    const { core } = this.#context;
    let bytes = limits.bytesMax;
    let records = limits.recordsMax;
    while (records > 0 && (bytes > 0 || (this.recordCount === 0 && limits.bytesMax > 0))) {
      const range = core.locate(this.#shard.slot, this.nextIndex, records, Math.max(1, bytes));
      if (range.kind === "end") return;
      const found =
        range.kind === "absent" ? this.#absent(range.cachedFrom, records, bytes) : range;
      if (found === "stop") return;
      if (found === "moved") continue;
      const source = "frames" in found ? found.frames : found;
      // The first record of a read comes whole, however large; later ones only if they fit.
      if (this.recordCount > 0 && source.byteLength > bytes) return;
      this.#take(source, found);
      bytes -= source.byteLength;
      records -= found.recordCount;
    }
  }

  /** Arrival of the first record in ms since the Unix epoch; Infinity when there is none. */
  firstMs(): number {
    const [first] = this.sources;
    if (first === undefined) return Number.POSITIVE_INFINITY;
    const frame =
      first instanceof Uint8Array
        ? first
        : this.#context.core.view(first.address, FRAME_HEADER_BYTES);
    return viewOf(frame).getFloat64(FRAME_ARRIVAL, true);
  }

  #take(
    source: SliceSource,
    found: Pick<SalvagedFrames, "recordCount" | "nextIndex" | "lastMs">,
  ): void {
    this.sources.push(source);
    this.recordCount += found.recordCount;
    this.nextIndex = found.nextIndex;
    this.lastMs = found.lastMs;
  }

  /**
   * What to do where the cache has nothing: stop until a segment is loaded, take the intact rest of a
   * damaged one, or move over what no segment holds.
   */
  #absent(cachedFrom: number, records: number, bytes: number): SalvagedFrames | "stop" | "moved" {
    const { directory } = this.#context;
    const covering = directory.covering(this.#shard.uid, this.nextIndex);
    if (covering !== undefined && !this.#endsBefore(covering)) {
      const salvaged = this.#loader.salvaged(covering);
      if (salvaged === undefined) {
        this.absent = covering;
        return "stop";
      }
      if (!salvaged.whole) this.flags |= PART_HOLE;
      const frames = readSalvaged(salvaged, this.nextIndex, records, Math.max(1, bytes));
      if (frames !== undefined) return frames;
    }
    const following = directory.after(this.#shard.uid, this.nextIndex);
    this.nextIndex = Math.min(following?.[2] ?? cachedFrom, cachedFrom);
    return "moved";
  }

  /** Whether the shard is known to have nothing between the position and the end of a segment. */
  #endsBefore(key: SegmentKey): boolean {
    const last = this.#context.directory.lastIndexOf(key);
    return last !== undefined && last < this.nextIndex;
  }
}
