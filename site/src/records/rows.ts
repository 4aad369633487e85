/** Records as the list holds them, and batches of several shards merged into one order of arrival. */

/** One record of the list. */
export interface RecordRow {
  readonly shardIndex: number;
  readonly shardId: string;
  readonly sequenceNumber: string;
  readonly partitionKey: string;
  /** When the engine took it, in ms since the Unix epoch. */
  readonly arrivalMs: number;
  /** The record's own copy: a view would keep the whole batch that it came with in memory. */
  readonly data: Uint8Array;
}

/** What the order of arrival depends on. */
export type Arrival = Pick<RecordRow, "shardIndex" | "arrivalMs">;

/** Bytes of a record's data that its preview is made of. */
const PREVIEW_BYTES_MAX = 240;

/** Bytes of a record's data that the filter looks at. */
const FILTER_BYTES_MAX = 16_384;

const decoder = new TextDecoder();

/** Names a row among all rows of a stream. */
export function rowId({ shardIndex, sequenceNumber }: RecordRow): string {
  return `${shardIndex}:${sequenceNumber}`;
}

/** The beginning of the data on one line; what is not text is shown as dots. */
export function previewOf(data: Uint8Array): string {
  const text = decoder.decode(data.subarray(0, PREVIEW_BYTES_MAX));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  return text.replace(/[\u0000-\u001f\u007f]+/g, (found) => (/^\s+$/.test(found) ? " " : "·"));
}

/** A sequence number's beginning and end; the middle is the same for long. */
export function shortSequenceNumber(sequenceNumber: string): string {
  if (sequenceNumber.length <= 20) return sequenceNumber;
  return `${sequenceNumber.slice(0, 6)}…${sequenceNumber.slice(-12)}`;
}

/** Whether a row contains a text in its key, its sequence number or the beginning of its data. */
export function matchesFilter(row: RecordRow, filter: string): boolean {
  if (filter === "") return true;
  const wanted = filter.toLowerCase();
  return (
    row.partitionKey.toLowerCase().includes(wanted) ||
    row.sequenceNumber.includes(wanted) ||
    decoder.decode(row.data.subarray(0, FILTER_BYTES_MAX)).toLowerCase().includes(wanted)
  );
}

/**
 * Merges rows of several shards by arrival. The order within a shard stays as it is, also where the
 * clock was set back between two of its records.
 */
export function mergeByArrival<Row extends Arrival>(rows: readonly Row[]): Row[] {
  const latest = new Map<number, number>();
  // A row's place is the latest arrival up to it in its shard: sorting by that, stably, keeps the order.
  const placed = rows.map((row) => {
    const atMs = Math.max(row.arrivalMs, latest.get(row.shardIndex) ?? Number.NEGATIVE_INFINITY);
    latest.set(row.shardIndex, atMs);
    return { row, atMs };
  });
  return placed.sort((left, right) => left.atMs - right.atMs).map(({ row }) => row);
}
