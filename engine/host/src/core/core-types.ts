/**
 * What the host knows of the core: one shard log in Wasm memory, addressed by slots.
 *
 * Terms: a *slot* is a small integer that the host assigns to a shard while the core holds it; a
 * *route* is a small integer that it assigns to a stream. Sequence indexes are integers below 2^53.
 * Every record is in one of three conditions: *provisional* (appended), *cut* (part of the WAL frame
 * in flight) and *durable* (the frame is in the store). Readers see durable records only.
 */

/** Sizes that are fixed for the life of a core. */
export interface CoreOptions {
  /** Number of shard slots, open and closed shards together. */
  readonly shardSlotsMax: number;
  /** Number of stream routes. */
  readonly routesMax: number;
  /** Largest size of the arena that holds segments and large requests, in bytes. */
  readonly arenaBytesMax: number;
}

/** A shard as the core needs to know it. */
export interface ShardPlacement {
  readonly slot: number;
  readonly streamUid: number;
  readonly shardUid: number;
  /** First hash key of the range, inclusive: 0 to 2^128 - 1. */
  readonly startingHashKey: bigint;
  /** Last hash key of the range, inclusive. */
  readonly endingHashKey: bigint;
  /** Sequence index of the next record. */
  readonly nextIndex: number;
  /** Ordinal of the next segment, at least 1. */
  readonly nextOrdinal: number;
  /** Whether the write quotas of a shard are enforced. */
  readonly writeQuotas: boolean;
}

/** How a route takes records. */
export interface RouteSettings {
  /** Quota of all the route's shards together, with a tank of one second (bytes: at least 10 MiB); null for none. */
  readonly quota: { readonly recordsPerSecond: number; readonly bytesPerSecond: number } | null;
  /** Spreads records evenly over the shards, whatever their keys; keys may then be empty. */
  readonly spread: boolean;
}

/** Settings of one append. */
export interface AppendSettings {
  readonly route: number;
  /** Arrival time of the records in ms since the Unix epoch; the core has no clock. */
  readonly nowMs: number;
  /** Data and key of one record together, in bytes. */
  readonly recordBytesMax: number;
  /** Takes records over the quotas, too: their tanks go into debt. False when absent. */
  readonly overdraws?: boolean;
}

/** What came of one append; its rows are in the core until the next append. */
export interface AppendOutcome {
  readonly recordCount: number;
  readonly refusedCount: number;
  /** Bytes of frames that were appended. */
  readonly bytes: number;
}

/** One row of the last append. */
export interface AppendRow {
  readonly slot: number;
  /** One of the STATUS_* constants of the layout. */
  readonly status: number;
  /**
   * Sequence index. When the record was refused 0, or with the status of a stream's rate that rate per
   * second.
   */
  readonly index: number;
}

/** A stretch of record frames in one segment that the cut took. */
export interface Run {
  readonly slot: number;
  readonly streamUid: number;
  readonly shardUid: number;
  /** Ordinal of the segment. */
  readonly ordinal: number;
  /** Sequence index of the first record. */
  readonly firstIndex: number;
  readonly recordCount: number;
  /** Byte offset of the first frame in the segment's body. */
  readonly bodyOffset: number;
  /** Address of the first frame in core memory. */
  readonly address: number;
  /** Length of the frames in bytes. */
  readonly byteLength: number;
}

/** A closed segment whose records are all durable and that is not yet in the store. */
export interface SealableSegment {
  /** Handle of the segment in the core. */
  readonly segment: number;
  readonly slot: number;
  readonly streamUid: number;
  readonly shardUid: number;
  readonly ordinal: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly recordCount: number;
  /** First and last WAL frame that hold its records. */
  readonly firstFrame: number;
  readonly lastFrame: number;
  /** Header and body together, in bytes. */
  readonly byteLength: number;
}

/** Where a read found its records. */
export type ReadRange =
  | {
      readonly kind: "records";
      readonly address: number;
      readonly byteLength: number;
      readonly recordCount: number;
      /** Sequence index after the last record of the range. */
      readonly nextIndex: number;
      /** Arrival time of the last record of the range. */
      readonly lastMs: number;
    }
  /** Nothing durable at or after the position. */
  | { readonly kind: "end" }
  /**
   * The position lies before the oldest cached segment at or after it: the host must look into its
   * directory, and load a segment or move the position to `cachedFrom`.
   */
  | { readonly kind: "absent"; readonly cachedFrom: number };

/** Positions and sizes of one shard. */
export interface ShardPosition {
  /** Index that the next appended record gets. */
  readonly nextIndex: number;
  /** Index after the last durable record. */
  readonly durableIndex: number;
  /** Whether records were appended that are not durable yet. */
  readonly provisional: boolean;
  /** Ordinal of the next segment. */
  readonly nextOrdinal: number;
  /** Arrival of the last durable record in ms, 0 when there is none. */
  readonly durableMs: number;
}

/** Memory in use, in bytes. */
export interface CoreMemory {
  /** Size of the whole Wasm memory. */
  readonly totalBytes: number;
  /** Arena blocks in segments that are not in the store yet. */
  readonly dirtyBytes: number;
  /** Arena blocks in segments that are in the store and may be evicted. */
  readonly cachedBytes: number;
  /** Arena blocks that are free, the arena's room to grow included. */
  readonly freeBytes: number;
}

/** Frames of a damaged image that are intact. */
export interface IntactRange {
  /** Byte offset in the image. */
  readonly byteOffset: number;
  readonly byteLength: number;
  readonly recordCount: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Fields that the host adds to a sealed segment's header. */
export interface SealFields {
  readonly epoch: number;
  /** Zeros behind the copy, for what encrypting it in place adds, in bytes; none when absent. */
  readonly spareBytes?: number;
}

/** The facade's contract; `Core` in `core.ts` implements it over the Wasm exports. */
export interface ShardLogCore {
  // Shards and routes
  /** Adds a shard with no records. @throws InvalidArgumentError when the slot is taken or out of range. */
  addShard(placement: ShardPlacement): void;
  /** Drops a shard with all its segments, whatever their condition. */
  removeShard(slot: number): void;
  /** Sets the open shards of a stream; any order; together they must cover the ring exactly once. */
  setRoutes(route: number, slots: readonly number[]): void;
  /**
   * Sets how a route takes records; a route begins with no quota and without spreading. The tank of a
   * new quota is full. Capacity that a rewound append took is not given back.
   */
  setRouteSettings(route: number, settings: RouteSettings): void;
  /** Whether the write quotas of a shard are enforced from now on. */
  setWriteQuotas(slot: number, enforced: boolean): void;
  /** Slot of the shard that takes a partition key (UTF-8) on a route, when it does not spread. */
  routeKey(route: number, key: Uint8Array): number;
  /** Raises the shard's next sequence index; lower values are ignored. Closes the open segment when it raises. */
  raiseNextIndex(slot: number, nextIndex: number): void;
  position(slot: number): ShardPosition;

  // The life of a record
  /**
   * Appends a packed request batch (layout: request batch), provisionally.
   * @throws MalformedBatchError when the buffer does not follow the layout or a row breaks a limit; nothing was appended then.
   */
  append(request: Uint8Array, settings: AppendSettings): AppendOutcome;
  /** Row `i` of the last append. */
  appendRow(i: number): AppendRow;
  /** Packed result of the last append (layout: result), `shardIndexOf` and `createdSecondsOf` by slot. A new buffer, owned by the caller. */
  packResult(
    nowMs: number,
    describe: (slot: number) => { shardIndex: number; createdSeconds: number },
  ): ArrayBuffer;
  /**
   * Milliseconds until the write tanks of the shard, and those of the route that it is on, take `bytes`
   * more in one record; 0 when they do now.
   */
  writeRetryAfterMs(slot: number, bytes: number, nowMs: number): number;
  /** Whether anything was appended since the last cut. */
  hasProvisional(): boolean;
  /** Takes everything provisional into the frame about to be written. At most one cut is in flight. */
  cut(): Run[];
  /** The cut is in the store: its records become durable. */
  commit(frameNumber: number): void;
  /** Takes every touched shard back to its durable mark, the cut and all that was appended after it included. */
  rewind(): void;

  // Segments
  /** Closes the shard's open segment, if it holds records, so that it can be sealed once durable. */
  roll(slot: number): void;
  /** Rolls every open segment whose first record arrived before `beforeMs`; Infinity rolls all. Returns how many. */
  rollOlderThan(beforeMs: number): number;
  /** Closed, durable segments that nobody took yet, oldest first, at most `limit`. */
  sealable(limit: number): SealableSegment[];
  /** Takes a sealable segment: writes its header and hash, returns a copy of header and body. */
  seal(segment: number, fields: SealFields): ArrayBuffer;
  /** The sealed segment is in the store and declared: it may be evicted from now on. */
  declare(segment: number): void;
  /** The sealed segment could not be stored: it is sealable again. */
  unseal(segment: number): void;
  /** Puts a stored segment image into the cache. @throws DamagedSegmentError when header, hash or frames do not verify. */
  load(slot: number, image: Uint8Array): void;
  /** Drops cached segments that end before `beforeIndex`. */
  trim(slot: number, beforeIndex: number): void;
  /** Appends frames of a WAL run as durable records during recovery; they become part of segment `ordinal`. */
  replay(slot: number, ordinal: number, frames: Uint8Array, frameNumber: number): void;

  // Reading
  /** Finds durable records at or after `fromIndex`, within one segment. At least one record, however large. */
  locate(slot: number, fromIndex: number, recordsMax: number, bytesMax: number): ReadRange;
  /** Index of the first cached durable record at or after a time, or undefined when all cached records are older. */
  indexAtTime(slot: number, timeMs: number): number | undefined;
  /** A view of core memory, valid until the next call of any method. */
  view(address: number, byteLength: number): Uint8Array;
  /** Takes one read call from the shard's read tanks: 0 when admitted, else milliseconds to wait. */
  admitRead(slot: number, nowMs: number): number;
  /** Charges the bytes of an admitted read; the tank may go into debt. */
  chargeRead(slot: number, byteLength: number, nowMs: number): void;

  // Hashes
  /** Starts the one streaming XXH64 (seed 0). */
  hashReset(): void;
  /** Adds bytes of core memory. */
  hashMemory(address: number, byteLength: number): void;
  /** Adds bytes from outside. */
  hashBytes(bytes: Uint8Array): void;
  hashDigest(): bigint;
  /** XXH64 (seed 0) of bytes from outside. */
  xxh64(bytes: Uint8Array): bigint;
  crc32(bytes: Uint8Array): number;
  crc32c(bytes: Uint8Array): number;
  md5(bytes: Uint8Array): Uint8Array;
  /** Verified frames in a stretch of bytes that may be damaged, in order, by scanning for intact frames. */
  intactFrames(bytes: Uint8Array): IntactRange[];

  memory(): CoreMemory;
}
