/**
 * Which batches of which producer are in the log, and what came of them, so that a batch that is sent
 * twice is appended once and answered alike both times.
 *
 * A row keeps the last 32 results in a compact form: the first sequence index per shard and one bit
 * per record. The resent batch's own keys give the rest, or the turns that the shards took.
 *
 * Entry in a WAL section:
 *    0  16B  producer id
 *   16  u64  batch number
 *   24  f64  time of the batch, ms
 *   32  u32  record count
 *   36  u32  shard count
 *   40       shards: {u32 shard uid, u32 place in the turn from 1 or zero, u64 first sequence index}
 *            bitmap: bit i of byte i / 8 is set when record i was accepted; padded to a multiple of 8
 */
import { STATUS_OK } from "@millrace/core/layout";
import { padTo8, readUint64, viewOf, writeUint64 } from "./bytes.ts";

const ENTRY_HEADER_BYTES = 40;
const ENTRY_SHARD_BYTES = 16;
/** Stands for the first sequence index of a shard that had its turns and accepted nothing. */
const NOTHING_ACCEPTED = Number.MAX_SAFE_INTEGER;
/** Results that are kept per producer; also the number of batches a client may have in flight. */
export const RESULTS_PER_PRODUCER = 32;
/** A producer that sent nothing for this long is forgotten: 24 hours. */
export const PRODUCER_IDLE_MS = 86_400_000;

/** What came of one batch of one producer. */
export interface BatchResult {
  /** 32 hexadecimal digits. */
  readonly producerId: string;
  readonly batchNumber: number;
  /** Arrival time of its records in ms since the Unix epoch. */
  readonly timeMs: number;
  readonly recordCount: number;
  /** Sequence index of the first accepted record, by shard uid. */
  readonly firstIndexes: ReadonlyMap<number, number>;
  /**
   * Uids of the shards that took the records in turn, over and over; empty when the keys tell which
   * record went where.
   */
  readonly turns: readonly number[];
  /** One bit per record. */
  readonly accepted: Uint8Array;
}

/** Where the table stands on a batch that arrives. */
export type Verdict =
  | { readonly kind: "new" }
  | { readonly kind: "repeat"; readonly result: BatchResult }
  /** Older than what the table keeps: nobody can tell any more what came of it. */
  | { readonly kind: "forgotten" };

/** Collects a batch's result row by row. */
export class BatchResultBuilder {
  readonly #firstIndexes = new Map<number, number>();
  readonly #accepted: Uint8Array;
  /** Shard uid by record. */
  readonly #shardUids: number[] = [];

  constructor(recordCount: number) {
    this.#accepted = new Uint8Array((recordCount + 7) >> 3);
  }

  /** Notes record `i`: its shard, status and sequence index. */
  add(i: number, shardUid: number, status: number, index: number): void {
    this.#shardUids[i] = shardUid;
    if (status !== STATUS_OK) return;
    this.#accepted[i >> 3] = (this.#accepted[i >> 3] ?? 0) | (1 << (i & 7));
    if (!this.#firstIndexes.has(shardUid)) this.#firstIndexes.set(shardUid, index);
  }

  build(producerId: string, batchNumber: number, timeMs: number, recordCount: number): BatchResult {
    return {
      producerId,
      batchNumber,
      timeMs,
      recordCount,
      firstIndexes: this.#firstIndexes,
      turns: this.#turns(),
      accepted: this.#accepted,
    };
  }

  /** Where records are spread whatever their keys, shards take them in turn. */
  #turns(): number[] {
    const distinct = [...new Set(this.#shardUids)];
    const inTurn = this.#shardUids.every((uid, i) => uid === distinct[i % distinct.length]);
    return inTurn && distinct.length > 1 ? distinct : [];
  }
}

/** The committed batches of all producers. */
export class ProducerTable {
  readonly #rows = new Map<string, BatchResult[]>();
  /** Producers that this leader took a batch of; their refused batches leave no row. */
  readonly #met = new Set<string>();

  /** What to do with a batch. Numbers that a producer left out belong to batches that were refused. */
  judge(producerId: string, batchNumber: number): Verdict {
    const results = this.#rows.get(producerId);
    if (results === undefined) {
      const fresh = batchNumber === 1 || this.#met.has(producerId);
      return fresh ? { kind: "new" } : { kind: "forgotten" };
    }
    const result = results.find((candidate) => candidate.batchNumber === batchNumber);
    if (result !== undefined) return { kind: "repeat", result };
    const newest = Math.max(...results.map((candidate) => candidate.batchNumber));
    return batchNumber > newest ? { kind: "new" } : { kind: "forgotten" };
  }

  /** Notes that a producer's batches come to this leader. */
  meet(producerId: string): void {
    this.#met.add(producerId);
  }

  /** Notes the producers that another table met. */
  meetAll(other: ProducerTable): void {
    for (const producerId of other.#met) this.#met.add(producerId);
  }

  /** Notes a committed batch. */
  add(result: BatchResult): void {
    let results = this.#rows.get(result.producerId);
    if (results === undefined) {
      results = [];
      this.#rows.set(result.producerId, results);
    }
    results.push(result);
    if (results.length > RESULTS_PER_PRODUCER) results.shift();
  }

  /** Forgets the results of producers that have been idle for {@link PRODUCER_IDLE_MS}. */
  expire(nowMs: number): void {
    for (const [producerId, results] of this.#rows) {
      const last = results.at(-1);
      if (last !== undefined && nowMs - last.timeMs <= PRODUCER_IDLE_MS) continue;
      this.#rows.delete(producerId);
    }
  }

  /** All results, for a snapshot. */
  all(): BatchResult[] {
    return [...this.#rows.values()].flat();
  }

  /** Empties the table, before a snapshot is read. */
  clear(): void {
    this.#rows.clear();
  }
}

/** Uids of the shards that an entry lists, in the order in which it lists them. */
function listedShards({ turns, firstIndexes }: BatchResult): readonly number[] {
  return turns.length > 0 ? turns : [...firstIndexes.keys()];
}

function entryLength(result: BatchResult): number {
  return (
    ENTRY_HEADER_BYTES +
    listedShards(result).length * ENTRY_SHARD_BYTES +
    padTo8(result.accepted.byteLength)
  );
}

/** Entries of a producer section. A new buffer. */
export function encodeResults(results: readonly BatchResult[]): Uint8Array {
  const bytes = new Uint8Array(results.reduce((sum, result) => sum + entryLength(result), 0));
  const view = viewOf(bytes);
  let at = 0;
  for (const result of results) {
    bytes.set(bytesOfId(result.producerId), at);
    writeUint64(view, at + 16, result.batchNumber);
    view.setFloat64(at + 24, result.timeMs, true);
    view.setUint32(at + 32, result.recordCount, true);
    const listed = listedShards(result);
    view.setUint32(at + 36, listed.length, true);
    let shardAt = at + ENTRY_HEADER_BYTES;
    for (const [i, shardUid] of listed.entries()) {
      view.setUint32(shardAt, shardUid, true);
      view.setUint32(shardAt + 4, result.turns.length > 0 ? i + 1 : 0, true);
      writeUint64(view, shardAt + 8, result.firstIndexes.get(shardUid) ?? NOTHING_ACCEPTED);
      shardAt += ENTRY_SHARD_BYTES;
    }
    bytes.set(result.accepted, shardAt);
    at += entryLength(result);
  }
  return bytes;
}

/** Reads the entries of a producer section. */
export function decodeResults(payload: Uint8Array): BatchResult[] {
  const view = viewOf(payload);
  const results: BatchResult[] = [];
  let at = 0;
  while (at + ENTRY_HEADER_BYTES <= payload.byteLength) {
    const recordCount = view.getUint32(at + 32, true);
    const firstIndexes = new Map<number, number>();
    const turns: number[] = [];
    let shardAt = at + ENTRY_HEADER_BYTES;
    for (let i = view.getUint32(at + 36, true); i > 0; i--) {
      const shardUid = view.getUint32(shardAt, true);
      const firstIndex = readUint64(view, shardAt + 8);
      if (view.getUint32(shardAt + 4, true) !== 0) turns.push(shardUid);
      if (firstIndex !== NOTHING_ACCEPTED) firstIndexes.set(shardUid, firstIndex);
      shardAt += ENTRY_SHARD_BYTES;
    }
    const result: BatchResult = {
      producerId: idOfBytes(payload.subarray(at, at + 16)),
      batchNumber: readUint64(view, at + 16),
      timeMs: view.getFloat64(at + 24, true),
      recordCount,
      firstIndexes,
      turns,
      accepted: payload.slice(shardAt, shardAt + ((recordCount + 7) >> 3)),
    };
    results.push(result);
    at += entryLength(result);
  }
  return results;
}

/** 16 bytes as 32 hexadecimal digits. */
export function idOfBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bytesOfId(id: string): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(id.slice(i * 2, i * 2 + 2), 16));
}
