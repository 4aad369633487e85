/** The records that a plugin gets: a packed batch of the engine's, or one made by hand. */
import { InvalidArgumentError } from "@millrace/engine";

/** Records as a plugin sees them, by position: 0 to `length` - 1. It must not write to them. */
export interface RecordBatch {
  readonly length: number;
  /** Names the record for good, the same at every attempt: what to tell duplicates by. */
  id(i: number): string;
  partitionKey(i: number): string;
  /** When the engine took the record, in ms since the Unix epoch. */
  arrivalMs(i: number): number;
  /** A copy of the data, the plugin's own. */
  bytes(i: number): Uint8Array;
  /** The data read as UTF-8. */
  text(i: number): string;
  /** The data read as JSON. @throws SyntaxError when it is none. */
  json<Value = unknown>(i: number): Value;
}

/** A record to make a batch of. */
export interface BatchRecord {
  /** A string stands for its UTF-8. */
  readonly data: Uint8Array | string;
  /** Empty when absent. */
  readonly partitionKey?: string;
  /** 0 when absent. */
  readonly arrivalMs?: number;
  /** The position in the batch when absent. */
  readonly id?: string;
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** Makes a batch by hand, for tests of plugins and for hosts whose records come from elsewhere. */
export function recordBatch(records: readonly BatchRecord[]): RecordBatch {
  function at(i: number): BatchRecord {
    const record = records[i];
    if (record !== undefined) return record;
    throw new InvalidArgumentError(
      `there is no record ${String(i)} in a batch of ${records.length}`,
      {
        argument: "i",
        value: String(i),
        limit: `0 to ${records.length - 1}`,
      },
    );
  }
  const textAt = (i: number): string => {
    const { data } = at(i);
    return typeof data === "string" ? data : DECODER.decode(data);
  };
  return {
    length: records.length,
    id: (i) => at(i).id ?? String(i),
    partitionKey: (i) => at(i).partitionKey ?? "",
    arrivalMs: (i) => at(i).arrivalMs ?? 0,
    bytes: (i) => {
      const { data } = at(i);
      return typeof data === "string" ? ENCODER.encode(data) : data.slice();
    },
    text: textAt,
    json: (i) => JSON.parse(textAt(i)),
  };
}
