/// <reference path="./ambient.d.ts" preserve="true" />
/**
 * Byte layouts shared by the AssemblyScript core and the TypeScript host.
 *
 * This is the only file that both compilers read: every constant is annotated, holds a literal, and
 * depends on nothing. All integers are little endian. `ARCHITECTURE.md` draws the same layouts as
 * tables; a constant never changes its meaning without a new format version.
 */

// ── Record frame: one record inside a segment or a WAL run ───────────────────────────────────────
//   0  u64  XXH64 of the bytes [8, 40 + key length + data length)
//   8  u32  frame length in bytes: header, key, data and padding; a multiple of 8
//  12  u32  data length in bytes
//  16  u64  sequence index (63 bits)
//  24  f64  arrival, milliseconds since the Unix epoch
//  32  u16  key length in bytes (UTF-8)
//  34  u16  frame flags
//  36  u32  zero
//  40       key, then data, then zeros up to a multiple of 8
// Bytes 8..39 are exactly one XXH64 stripe, so the header is hashed from registers and the payload
// is hashed while it is copied.

/** Size of a record frame's header in bytes. */
export const FRAME_HEADER_BYTES: u32 = 40;
/** Byte offset of the frame's XXH64. */
export const FRAME_HASH: u32 = 0;
/** Byte offset of the frame's length. */
export const FRAME_LENGTH: u32 = 8;
/** Byte offset of the frame's data length. */
export const FRAME_DATA_LENGTH: u32 = 12;
/** Byte offset of the frame's sequence index. */
export const FRAME_SEQUENCE_INDEX: u32 = 16;
/** Byte offset of the frame's arrival time. */
export const FRAME_ARRIVAL: u32 = 24;
/** Byte offset of the frame's key length. */
export const FRAME_KEY_LENGTH: u32 = 32;
/** Byte offset of the frame's flags. */
export const FRAME_FLAGS: u32 = 34;

// ── Segment: one shard's sealed run of record frames ─────────────────────────────────────────────
//   0  u32  magic "MRS1"
//   4  u16  format version
//   6  u16  header length in bytes
//   8  u32  compatible feature bits
//  12  u32  incompatible feature bits
//  16  u32  stream uid (never reused)
//  20  u32  shard uid (never reused)
//  24  u64  ordinal: dense per shard, starting at 1
//  32  u64  epoch of the leader that sealed it
//  40  u64  first sequence index
//  48  u64  last sequence index
//  56  f64  first arrival, ms
//  64  f64  last arrival, ms
//  72  u64  number of the first WAL frame that holds its records
//  80  u64  number of the last WAL frame that holds its records
//  88  u32  record count
//  92  u32  key version (0: not encrypted)
//  96  u32  size class: capacity in blocks of 64 KiB
// 100  u32  codec (0: none)
// 104  u64  body length in bytes
// 112  u64  initialisation vector counter (0: not encrypted)
// 120  u64  XXH64 of the bytes [0, 120) followed by the body
// 128       body: record frames, back to back

/** "MRS1" read as a little-endian u32. */
export const SEGMENT_MAGIC: u32 = 0x3153524d;
/** Format version of the segments this build writes. */
export const SEGMENT_FORMAT: u32 = 1;
/** Size of a segment's header in bytes. */
export const SEGMENT_HEADER_BYTES: u32 = 128;
/** Byte offset of the segment's stream uid. */
export const SEGMENT_STREAM_UID: u32 = 16;
/** Byte offset of the segment's shard uid. */
export const SEGMENT_SHARD_UID: u32 = 20;
/** Byte offset of the segment's ordinal. */
export const SEGMENT_ORDINAL: u32 = 24;
/** Byte offset of the segment's epoch. */
export const SEGMENT_EPOCH: u32 = 32;
/** Byte offset of the segment's first sequence index. */
export const SEGMENT_FIRST_INDEX: u32 = 40;
/** Byte offset of the segment's last sequence index. */
export const SEGMENT_LAST_INDEX: u32 = 48;
/** Byte offset of the segment's first arrival time. */
export const SEGMENT_FIRST_MS: u32 = 56;
/** Byte offset of the segment's last arrival time. */
export const SEGMENT_LAST_MS: u32 = 64;
/** Byte offset of the number of the segment's first WAL frame. */
export const SEGMENT_FIRST_WAL: u32 = 72;
/** Byte offset of the number of the segment's last WAL frame. */
export const SEGMENT_LAST_WAL: u32 = 80;
/** Byte offset of the segment's record count. */
export const SEGMENT_RECORD_COUNT: u32 = 88;
/** Byte offset of the segment's key version. */
export const SEGMENT_KEY_VERSION: u32 = 92;
/** Byte offset of the segment's size class. */
export const SEGMENT_SIZE_CLASS: u32 = 96;
/** Byte offset of the segment's codec. */
export const SEGMENT_CODEC: u32 = 100;
/** Byte offset of the segment's body length. */
export const SEGMENT_BODY_LENGTH: u32 = 104;
/** Byte offset of the segment's initialisation vector counter. */
export const SEGMENT_IV_COUNTER: u32 = 112;
/** Byte offset of the segment's XXH64. */
export const SEGMENT_HASH: u32 = 120;

// ── WAL frame: one group commit ──────────────────────────────────────────────────────────────────
//   0  u32  magic "MRW1"
//   4  u16  format version
//   6  u16  header length in bytes
//   8  u32  compatible feature bits
//  12  u32  incompatible feature bits
//  16  u64  epoch
//  24  u64  frame number: dense, starting at 1; also the key in the store
//  32  u64  XXH64 of the previous frame (its field at 56; 0 for frame 1)
//  40  u32  total length in bytes
//  44  u32  section count
//  48  f64  time of the commit, milliseconds since the Unix epoch
//  56  u64  XXH64 of the bytes [0, 56) followed by [64, total length)
//  64       sections, each padded with zeros to a multiple of 8

/** "MRW1" read as a little-endian u32. */
export const WAL_MAGIC: u32 = 0x3157524d;
/** Format version of the WAL frames this build writes. */
export const WAL_FORMAT: u32 = 1;
/** Size of a WAL frame's header in bytes. */
export const WAL_HEADER_BYTES: u32 = 64;
/** Byte offset of the WAL frame's XXH64. */
export const WAL_HASH: u32 = 56;

// ── Section of a WAL frame ───────────────────────────────────────────────────────────────────────
//   0  u16  type: one of SECTION_*
//   2  u16  flags: SECTION_CRITICAL
//   4  u32  stream uid (0: not of one stream)
//   8  u32  key id (0: not encrypted)
//  12  u32  codec (0: none)
//  16  u64  payload length in bytes, padding excluded
//  24  u64  initialisation vector counter (0: not encrypted)
//  32       payload

/** Size of a section's header in bytes. */
export const SECTION_HEADER_BYTES: u32 = 32;
/** A build that does not know a section with this flag must not lead. */
export const SECTION_CRITICAL: u32 = 1;
/** Runs of record frames of one stream. */
export const SECTION_RECORDS: u32 = 1;
/** Control records: a JSON array of changes of state. */
export const SECTION_CONTROL: u32 = 2;
/** Producer table delta: what each producer's batches of this frame came to. */
export const SECTION_PRODUCERS: u32 = 3;
/** Epoch commit of a job. */
export const SECTION_JOB_EPOCH: u32 = 4;
/** Snapshot of the control state and the producer table; replay starts at the newest one. */
export const SECTION_SNAPSHOT: u32 = 5;
/** Fence: the first frame of a leader's epoch. Never trimmed. */
export const SECTION_FENCE: u32 = 6;
/** Numbers of all fences before a snapshot. */
export const SECTION_FENCE_LIST: u32 = 7;

// ── Run inside a records section ─────────────────────────────────────────────────────────────────
//   0  u32  shard uid
//   4  u32  record count
//   8  u64  ordinal of the segment it belongs to
//  16  u64  first sequence index
//  24  u32  length of the frames in bytes
//  28  u32  byte offset of the first frame in the segment's body
//  32       record frames as they lie in the segment

/** Size of a run's header in bytes. */
export const RUN_HEADER_BYTES: u32 = 32;

// ── Request batch: records on their way from a page to the engine ────────────────────────────────
//   0  u32  magic "MRB1"
//   4  u16  format version
//   6  u16  flags: BATCH_ORDERED
//   8  u32  record count
//  12  u32  total length in bytes
//  16  16B  producer id
//  32  u64  batch number of the producer, starting at 1
//  40  u32  stream uid
//  44  u32  zero
//  48       rows
// Row:
//   0  u16  key length in bytes (UTF-8)
//   2  u16  row flags: ROW_EXPLICIT_HASH_KEY
//   4  u32  data length in bytes
//   8  [u64 high half, u64 low half of the explicit hash key, when the flag is set]
//      key, data, zeros up to a multiple of 8

/** "MRB1" read as a little-endian u32. */
export const BATCH_MAGIC: u32 = 0x3142524d;
/** Format version of request batches. */
export const BATCH_FORMAT: u32 = 1;
/** Size of a request batch's header in bytes. */
export const BATCH_HEADER_BYTES: u32 = 48;
/** After a refused record, refuse the later records of the same shard in the batch. */
export const BATCH_ORDERED: u32 = 1;
/** Size of a row's header in bytes. */
export const ROW_HEADER_BYTES: u32 = 8;
/** The row carries an explicit hash key of 16 bytes. */
export const ROW_EXPLICIT_HASH_KEY: u32 = 1;
/** The record is to be refused with STATUS_FAULT. Set by the engine when a fault is injected. */
export const ROW_FAULT: u32 = 2;

// ── Result of a request batch ────────────────────────────────────────────────────────────────────
//   0  u32  magic "MRA1"
//   4  u16  format version
//   6  u16  flags: RESULT_ENCRYPTED
//   8  u32  record count
//  12  u32  count of refused records
//  16  f64  arrival of the records, milliseconds since the Unix epoch
//  24  u32  shard count
//  28  u32  total length in bytes
//  32       shards: {u32 shard index, u32 retry after in ms, f64 creation in seconds since the Unix epoch}
//           rows:   {u32 position in the shard list, u32 status, u64 sequence index; with the status of
//                    a stream's rate instead the limit per second, with STATUS_FAULT 1 when the host
//                    made an internal failure of it, with other refusals 0}

/** "MRA1" read as a little-endian u32. */
export const RESULT_MAGIC: u32 = 0x3141524d;
/** Format version of results. */
export const RESULT_FORMAT: u32 = 1;
/** Byte offset of a result's flags. */
export const RESULT_FLAGS: u32 = 6;
/** The stream is encrypted at rest: its batches must not be kept as they are. Set by the host. */
export const RESULT_ENCRYPTED: u32 = 1;
/** Size of a result's header in bytes. */
export const RESULT_HEADER_BYTES: u32 = 32;
/** Size of one shard entry of a result in bytes. */
export const RESULT_SHARD_BYTES: u32 = 16;
/** Size of one row of a result in bytes. */
export const RESULT_ROW_BYTES: u32 = 16;

/** The record was appended. */
export const STATUS_OK: u32 = 0;
/** Over the shard's 1,000 records per second. */
export const STATUS_RECORD_RATE: u32 = 1;
/** Over the shard's 1 MiB per second. */
export const STATUS_BYTE_RATE: u32 = 2;
/** An earlier record of the same shard in an ordered batch was refused. */
export const STATUS_ORDER: u32 = 3;
/** The arena holds no free memory that may be recycled. */
export const STATUS_NO_MEMORY: u32 = 4;
/** Refused because a fault was injected. */
export const STATUS_FAULT: u32 = 5;
/** Over the stream's records per second: its capacity as a whole, as in on-demand mode. */
export const STATUS_STREAM_RECORD_RATE: u32 = 6;
/** Over the stream's bytes per second. */
export const STATUS_STREAM_BYTE_RATE: u32 = 7;

// ── Read slice: committed records on their way from the engine to a page ─────────────────────────
//   0  u32  magic "MRR1"
//   4  u16  format version
//   6  u16  flags: SLICE_ENCRYPTED
//   8  u32  part count
//  12  u32  record count
//  16  u64  total length in bytes
//  24  f64  engine time, milliseconds since the Unix epoch
//  32       parts
// Part (one shard):
//   0  u32  shard index
//   4  u32  part flags: PART_*
//   8  f64  creation of the shard in seconds since the Unix epoch
//  16  u64  next sequence index: where the next read of this shard continues
//  24  f64  milliseconds behind the tip of the shard
//  32  u32  record count
//  36  u32  length of the frames in bytes
//  40       record frames

/** "MRR1" read as a little-endian u32. */
export const SLICE_MAGIC: u32 = 0x3152524d;
/** Format version of read slices. */
export const SLICE_FORMAT: u32 = 1;
/** Byte offset of a slice's flags. */
export const SLICE_FLAGS: u32 = 6;
/** The stream is encrypted at rest. Set by the host. */
export const SLICE_ENCRYPTED: u32 = 1;
/** Size of a read slice's header in bytes. */
export const SLICE_HEADER_BYTES: u32 = 32;
/** Size of a part's header in bytes. */
export const PART_HEADER_BYTES: u32 = 40;
/** The part reaches the shard's durable end. */
export const PART_AT_END: u32 = 1;
/** Records before this part were trimmed by retention since the position was handed out. */
export const PART_TRIMMED: u32 = 2;
/** The shard is closed and this part reaches its last record. */
export const PART_SHARD_CLOSED: u32 = 4;
/** Records before this part were lost to damage and reported. */
export const PART_HOLE: u32 = 8;

// ── Memory of the core ───────────────────────────────────────────────────────────────────────────

/** Granularity of the arena in bytes. */
export const BLOCK_BYTES: u32 = 65536;
/** Largest capacity of a segment in bytes, unless one record needs more. */
export const SEGMENT_BYTES_MAX: u32 = 1048576;
/** Bytes after a segment's or a request's end that kernels may read or overwrite. */
export const SLACK_BYTES: u32 = 64;
/** Rows that one call of the core takes or gives. */
export const RECORDS_PER_CALL_MAX: u32 = 10000;

// ── Limits ───────────────────────────────────────────────────────────────────────────────────────

/** Bytes of one record (data and key) that a stream takes unless told otherwise: 1 MiB. */
export const RECORD_BYTES_DEFAULT: u32 = 1048576;
/** Bytes of one record (data and key) that a stream can be told to take: 10 MiB. */
export const RECORD_BYTES_MAX: u32 = 10485760;
/** Bytes of one request batch: 12 MiB. */
export const REQUEST_BYTES_MAX: u32 = 12582912;
/** Unicode characters of a partition key. */
export const PARTITION_KEY_CHARACTERS_MAX: u32 = 256;
/** Write quota of a shard: records per second, and the size of that tank. */
export const WRITE_RECORDS_PER_SECOND: u32 = 1000;
/** Write quota of a shard: bytes per second. */
export const WRITE_BYTES_PER_SECOND: u32 = 1048576;
/** Size of the write tank of a shard in bytes: 10 MiB. */
export const WRITE_TANK_BYTES: u32 = 10485760;
/** Read quota of a shard: calls per second, and the size of that tank. */
export const READ_CALLS_PER_SECOND: u32 = 5;
/** Read quota of a shard: bytes per second, and the size of that tank. */
export const READ_BYTES_PER_SECOND: u32 = 2097152;
