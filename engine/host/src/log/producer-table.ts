/**
 * Which batches of which producer are in the log, and what came of them, so that a batch that is sent
 * twice is appended once and answered alike both times.
 *
 * A row keeps the last results in a compact form: the first sequence index per shard and one bit
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
import { bytesOfHex, hexOfBytes } from "../model/hex.ts";
import { padTo8, readUint64, viewOf, writeUint64 } from "./bytes.ts";

const ENTRY_HEADER_BYTES = 40;
const ENTRY_SHARD_BYTES = 16;
/** Stands for the first sequence index of a shard that had its turns and accepted nothing. */
const NOTHING_ACCEPTED = Number.MAX_SAFE_INTEGER;
/**
 * Results that are kept of a producer whatever it says. What it has not settled yet is kept beyond that,
 * so that a batch that waits for its answer over a change of leader is never forgotten.
 */
export const RESULTS_PER_PRODUCER = 32;
/** Results that are kept of a producer at most: the number of batches that a client may have in flight. */
export const UNSETTLED_PER_PRODUCER = 1024;
/** A producer that sent nothing for this long is forgotten: 24 hours. */
export const PRODUCER_IDLE_MS = 86_400_000;
/** A new leader forgets nobody for this long, in ms: whoever waits for an answer is about to ask again. */
const TAKEOVER_MS = 600_000;
/** Nor anybody who was idle for less than this, in ms; leaders that follow each other quickly must not keep all. */
const TAKEOVER_IDLE_MS = 7 * PRODUCER_IDLE_MS;
/** Producers that were forgotten and can still be told from ones that were never here. */
const EXPIRED_MAX = 1000;
/**
 * Of a producer that is not known no batch was committed in the last 24 hours. Half of that is left for
 * clocks that disagree.
 */
const UNKNOWN_AGE_MS_MAX = PRODUCER_IDLE_MS / 2;

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

/** Where the table stands on a batch that arrives and is not committed. */
export type Verdict =
  /**
   * It follows what came before. `later` are batches of higher numbers that an earlier leader committed
   * without it: it may only go behind them where they went into other streams.
   */
  | { readonly kind: "new"; readonly later: readonly BatchResult[] }
  /** It was refused already. */
  | { readonly kind: "refused"; readonly error: Error }
  /** Batches that it must follow did not come here yet; the first of them is wanted. */
  | { readonly kind: "gap"; readonly wanted: number }
  /** Nobody can tell any more what came of it. */
  | { readonly kind: "forgotten" };

/** What a producer says of the order of a batch; see `BatchOrder` of the service. */
export interface ClaimedOrder {
  readonly settledBefore: number;
  /** Milliseconds. */
  readonly ageMs: number;
}

/** A batch as its sender names it. */
export interface NamedBatch {
  /** 32 hexadecimal digits. */
  readonly producerId: string;
  readonly batchNumber: number;
}

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

/** What one leader knows of one producer. */
class ProducerRow {
  /** Results by batch number, in the order in which they were committed. */
  readonly results = new Map<number, BatchResult>();
  /** Refusals by batch number, oldest first. They are not in the log. */
  readonly refusals = new Map<number, Error>();
  /** Highest number of a result. */
  newest = 0;
  /** Highest number that was taken in order, whatever came of it. */
  taken = 0;
  /** All batches below are settled, as far as the producer said. */
  settledBefore = 0;
  /** When it was last heard of, in ms since the Unix epoch. */
  heardMs = 0;

  add(result: BatchResult): void {
    this.results.set(result.batchNumber, result);
    this.newest = Math.max(this.newest, result.batchNumber);
    this.heardMs = Math.max(this.heardMs, result.timeMs);
    for (const number of this.results.keys()) {
      const { size } = this.results;
      const settled = size > RESULTS_PER_PRODUCER && number < this.settledBefore;
      if (!settled && size <= UNSETTLED_PER_PRODUCER) return;
      this.results.delete(number);
    }
  }

  /**
   * Whether a number without a result is certainly not in the log and not on its way there: it was not
   * taken here, and its result was not dropped, which happens to settled ones and to the oldest of many.
   */
  isCertain(batchNumber: number): boolean {
    if (batchNumber <= this.taken || batchNumber < this.settledBefore) return false;
    if (batchNumber > this.newest || this.results.size < RESULTS_PER_PRODUCER) return true;
    return batchNumber > Math.min(...this.results.keys());
  }

  /** Results of higher numbers. */
  after(batchNumber: number): BatchResult[] {
    if (batchNumber > this.newest) return [];
    return [...this.results.values()].filter((result) => result.batchNumber > batchNumber);
  }

  refuse(batchNumber: number, error: Error): void {
    this.refusals.set(batchNumber, error);
    const [oldest] = this.refusals.keys();
    if (this.refusals.size > RESULTS_PER_PRODUCER && oldest !== undefined) {
      this.refusals.delete(oldest);
    }
  }
}

/**
 * The batches of all producers: those that are committed, as the log has them, and what this leader alone
 * knows, up to which number it took batches and which it refused.
 */
export class ProducerTable {
  readonly #rows = new Map<string, ProducerRow>();
  /** Highest number taken here of producers that were forgotten, the latest ones of them. */
  readonly #expired = new Map<string, number>();
  /** When something was first to be forgotten here, in ms since the Unix epoch. */
  #beganMs: number | undefined;
  /** No batch after this time belongs to a producer that was forgotten; ms since the Unix epoch. */
  #forgottenMs = Number.NEGATIVE_INFINITY;

  /** The stored result of a batch, if it is committed and was not settled long ago. */
  find({ producerId, batchNumber }: NamedBatch): BatchResult | undefined {
    return this.#rows.get(producerId)?.results.get(batchNumber);
  }

  /**
   * What to do with a batch that is not committed and arrives at `nowMs` (ms since the Unix epoch).
   * Without an order its sender sends in order over one connection, so that numbers that it leaves out
   * belong to batches that were refused.
   */
  judge(batch: NamedBatch, nowMs: number, order?: ClaimedOrder): Verdict {
    const { batchNumber } = batch;
    const row = this.#rows.get(batch.producerId);
    if (row === undefined) return this.#judgeUnknown(batch, nowMs, order);
    const error = row.refusals.get(batchNumber);
    if (error !== undefined) return { kind: "refused", error };
    if (!row.isCertain(batchNumber)) return { kind: "forgotten" };
    if (order === undefined) {
      return batchNumber > row.newest ? { kind: "new", later: [] } : { kind: "forgotten" };
    }
    let wanted = Math.max(row.taken + 1, order.settledBefore);
    while (wanted < batchNumber && row.results.has(wanted)) wanted += 1;
    return wanted < batchNumber
      ? { kind: "gap", wanted }
      : { kind: "new", later: row.after(batchNumber) };
  }

  /** Notes that a batch was taken: later ones may follow it. */
  take({ producerId, batchNumber }: NamedBatch, nowMs: number, order?: ClaimedOrder): void {
    const row = this.#rowOf(producerId);
    row.taken = Math.max(row.taken, batchNumber);
    // Whoever sends in order without a word of what is settled keeps to the window.
    const settledBefore = order?.settledBefore ?? batchNumber - RESULTS_PER_PRODUCER;
    row.settledBefore = Math.max(row.settledBefore, settledBefore);
    row.heardMs = Math.max(row.heardMs, nowMs);
  }

  /** Notes that a batch that was taken is refused for good: nothing of it is in the log, nor will be. */
  refuse({ producerId, batchNumber }: NamedBatch, error: Error): void {
    this.#rows.get(producerId)?.refuse(batchNumber, error);
  }

  /** Notes that a batch that was taken is open again, with all that its producer sent after it. */
  reopen({ producerId, batchNumber }: NamedBatch): void {
    const row = this.#rows.get(producerId);
    if (row !== undefined) row.taken = Math.min(row.taken, batchNumber - 1);
  }

  /** Takes over what another table of the same leader knows and the log does not. */
  succeed(before: ProducerTable): void {
    this.#beganMs = before.#beganMs;
    for (const [producerId, number] of before.#expired) this.#expired.set(producerId, number);
    for (const [producerId, old] of before.#rows) {
      const row = this.#rowOf(producerId);
      row.taken = old.taken;
      row.settledBefore = old.settledBefore;
      row.heardMs = Math.max(row.heardMs, old.heardMs);
      for (const [batchNumber, error] of old.refusals) row.refuse(batchNumber, error);
    }
  }

  /** Notes a committed batch. */
  add(result: BatchResult): void {
    this.#rowOf(result.producerId).add(result);
  }

  /**
   * Forgets producers that have been idle for {@link PRODUCER_IDLE_MS} at `nowMs`, a wall time that can be
   * trusted. A new leader waits for ten minutes before, but for those that were idle for a week.
   */
  expire(nowMs: number): void {
    this.#beganMs ??= nowMs;
    const idleMs = nowMs - this.#beganMs < TAKEOVER_MS ? TAKEOVER_IDLE_MS : PRODUCER_IDLE_MS;
    for (const [producerId, { heardMs, taken, newest }] of this.#rows) {
      if (nowMs - heardMs <= idleMs) continue;
      this.#rows.delete(producerId);
      this.#forgottenMs = Math.max(this.#forgottenMs, heardMs);
      this.#expired.set(producerId, Math.max(taken, newest));
    }
    for (const producerId of this.#expired.keys()) {
      if (this.#expired.size <= EXPIRED_MAX) return;
      this.#expired.delete(producerId);
    }
  }

  /** All results, for a snapshot. */
  all(): BatchResult[] {
    return [...this.#rows.values()].flatMap(({ results }) => [...results.values()]);
  }

  /**
   * Empties the table, before a snapshot is read that was made at `snapshotMs` (ms since the Unix epoch):
   * whom it does not know may have been forgotten.
   */
  clear(snapshotMs: number): void {
    this.#rows.clear();
    this.#forgottenMs = snapshotMs - PRODUCER_IDLE_MS;
  }

  /**
   * A batch of a producer that is not known is certainly not in the log when it is first sent, or was so
   * short a time ago that its result would still be kept.
   */
  #judgeUnknown(
    { producerId, batchNumber }: NamedBatch,
    nowMs: number,
    order?: ClaimedOrder,
  ): Verdict {
    const expired = this.#expired.get(producerId);
    if (expired !== undefined && batchNumber <= expired) return { kind: "forgotten" };
    if (order === undefined) {
      const fresh = batchNumber === 1 || expired !== undefined;
      return fresh ? { kind: "new", later: [] } : { kind: "forgotten" };
    }
    const { ageMs } = order;
    const certain =
      ageMs < UNKNOWN_AGE_MS_MAX || nowMs - ageMs > this.#forgottenMs + UNKNOWN_AGE_MS_MAX;
    if (!certain) return { kind: "forgotten" };
    const wanted = Math.max(1, order.settledBefore);
    return wanted < batchNumber ? { kind: "gap", wanted } : { kind: "new", later: [] };
  }

  #rowOf(producerId: string): ProducerRow {
    let row = this.#rows.get(producerId);
    if (row === undefined) {
      row = new ProducerRow();
      this.#rows.set(producerId, row);
    }
    return row;
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
    bytes.set(bytesOfHex(result.producerId), at);
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
      producerId: hexOfBytes(payload.subarray(at, at + 16)),
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
