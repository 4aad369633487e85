/// <reference path="./ambient.d.ts" preserve="true" />
/**
 * What the core's exports mean by their numbers: codes of refusals and fields of the scratch area.
 * Read by both compilers, like layout.ts, but private to the core and its facade: no format depends
 * on it.
 */

/** Byte offset of the byte part in the scratch area; before it lie numbered fields of 8 bytes. */
export const SCRATCH_BYTES: u32 = 128;

// ── Refusals of a request batch; fields 0 to 2 are row, value and limit ──────────────────────────

/** The batch follows the layout. */
export const BATCH_OK: u32 = 0;
/** It does not begin with the magic. */
export const BATCH_BAD_MAGIC: u32 = 1;
/** Its format version is not known. */
export const BATCH_BAD_VERSION: u32 = 2;
/** Its length field is not its length, or it is shorter than a header. */
export const BATCH_BAD_LENGTH: u32 = 3;
/** It has flags that are not known. */
export const BATCH_BAD_FLAGS: u32 = 4;
/** It has too many rows. */
export const BATCH_BAD_COUNT: u32 = 5;
/** A row reaches over the end. */
export const BATCH_ROW_BOUNDS: u32 = 6;
/** A row has flags that are not known. */
export const BATCH_ROW_FLAGS: u32 = 7;
/** A row's key is empty. */
export const BATCH_KEY_EMPTY: u32 = 8;
/** A row's key has too many characters. */
export const BATCH_KEY_LONG: u32 = 9;
/** A row's data and key are too long together. */
export const BATCH_RECORD_BYTES: u32 = 10;
/** Bytes follow the last row. */
export const BATCH_TRAILING: u32 = 11;

// ── Refusals of a route ──────────────────────────────────────────────────────────────────────────

/** The shards of the route cover the ring. */
export const ROUTE_OK: u32 = 0;
/** A slot holds no shard. */
export const ROUTE_SLOT: u32 = 1;
/** A shard belongs to another route. */
export const ROUTE_TAKEN: u32 = 2;
/** The ranges leave a gap or overlap. */
export const ROUTE_RING: u32 = 3;

// ── Refusals of a segment image or of replayed frames ────────────────────────────────────────────

/** The image is good. */
export const IMAGE_OK: u32 = 0;
/** Shorter than a header, or not as long as its header says. */
export const IMAGE_LENGTH: u32 = 1;
/** Magic or header length are wrong. */
export const IMAGE_MAGIC: u32 = 2;
/** A format or feature that this build does not know. */
export const IMAGE_FORMAT: u32 = 3;
/** Of another stream or shard. */
export const IMAGE_SHARD: u32 = 4;
/** The XXH64 does not match. */
export const IMAGE_HASH: u32 = 5;
/** The frames do not follow each other as the header says. */
export const IMAGE_FRAMES: u32 = 6;
/** A cached segment holds other records of the same indexes or ordinal. */
export const IMAGE_OVERLAP: u32 = 7;
/** No memory for it. */
export const IMAGE_MEMORY: u32 = 8;
/** Frames are replayed while others are not durable, or into a segment that is closed. */
export const IMAGE_STATE: u32 = 9;

// ── Where a read found its records ───────────────────────────────────────────────────────────────

/** Fields: address, bytes, records, index after the last, arrival of the last. */
export const READ_RECORDS: u32 = 0;
/** Nothing durable at or after the position. */
export const READ_END: u32 = 1;
/** Field 0: where the cached records begin. */
export const READ_ABSENT: u32 = 2;

// ── State of a segment ───────────────────────────────────────────────────────────────────────────

/** There is no such segment. */
export const STATE_FREE: u32 = 0;
/** Takes records. */
export const STATE_OPEN: u32 = 1;
/** Takes no more records. */
export const STATE_CLOSED: u32 = 2;
/** Taken by the host on its way to the store. */
export const STATE_SEALING: u32 = 3;
/** In the store: may be evicted. */
export const STATE_DECLARED: u32 = 4;

// ── Streams of XXH64 ─────────────────────────────────────────────────────────────────────────────

/** The stream that the facade hands out. */
export const HOST_STREAM: u32 = 0;
/** The stream of bytes that are too long for one call. */
export const PIECES_STREAM: u32 = 1;
/** The stream of the segment images that the core writes and checks. */
export const IMAGE_STREAM: u32 = 2;
