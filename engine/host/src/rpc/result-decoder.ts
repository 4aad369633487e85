/** Packed results of puts, read row by row when somebody asks. */
import {
  RESULT_ENCRYPTED,
  RESULT_FLAGS,
  RESULT_FORMAT,
  RESULT_HEADER_BYTES,
  RESULT_MAGIC,
  RESULT_ROW_BYTES,
  RESULT_SHARD_BYTES,
  STATUS_BYTE_RATE,
  STATUS_FAULT,
  STATUS_NO_MEMORY,
  STATUS_OK,
  STATUS_ORDER,
  STATUS_RECORD_RATE,
  STATUS_STREAM_BYTE_RATE,
  STATUS_STREAM_RECORD_RATE,
} from "@millrace/core/layout";
import { ACCOUNT_ID, InternalFailureError, ThroughputExceededError } from "../errors/index.ts";
import { FAULT_INTERNAL_FAILURE } from "../faults/fault-rules.ts";
import { formatSequenceNumber, shardIdOf } from "../sequence/sequence-number.ts";

/** A record that is durable. */
export interface PutSuccess {
  /** 56 decimal digits; grows within a shard. */
  readonly sequenceNumber: string;
  readonly shardId: string;
}

/** A record that was refused; nothing of it is stored. */
export interface PutFailure {
  /** `ProvisionedThroughputExceededException` or `InternalFailure`, as AWS has them. */
  readonly errorCode: string;
  readonly errorMessage: string;
  /** Milliseconds after which a retry makes sense. */
  readonly retryAfterMs: number;
  /** The quota that refused it, as in "1 MiB per second"; absent when none did. */
  readonly limit?: string;
}

/** What came of one record. */
export type PutOutcome = PutSuccess | PutFailure;

const LIMITS = new Map<number, string>([
  [STATUS_RECORD_RATE, "1,000 records per second"],
  [STATUS_BYTE_RATE, "1 MiB per second"],
  [
    STATUS_ORDER,
    "an earlier record of this shard in the same batch was refused, and order is kept",
  ],
]);

const STREAM_LIMITS = new Map<number, string>([
  [STATUS_STREAM_RECORD_RATE, "records per second"],
  [STATUS_STREAM_BYTE_RATE, "bytes per second"],
]);

/** The quota that refused a record. */
function limitText(status: number, limitPerSecond: number): string {
  const unit = STREAM_LIMITS.get(status);
  if (unit !== undefined) return `${limitPerSecond.toLocaleString("en-US")} ${unit}`;
  return LIMITS.get(status) ?? `status ${status}`;
}

/** Whose quota refused a record, in AWS's words, followed by which one, and by when there is room again. */
function refusalText(
  status: number,
  limit: string,
  { shardId, streamName, retryAfterMs }: Refusal,
): string {
  const text = STREAM_LIMITS.has(status)
    ? `Rate exceeded for stream ${streamName} under account ${ACCOUNT_ID}. Limit: ${limit}.`
    : ThroughputExceededError.text(shardId, streamName, limit);
  return `${text} Retry after ${retryAfterMs} ms.`;
}

/** Where a record was refused. */
interface Refusal {
  readonly shardId: string;
  readonly streamName: string;
  readonly retryAfterMs: number;
}

/** One packed result. Rows are in the order of the batch's records. */
export class BatchResult {
  readonly #view: DataView<ArrayBuffer>;
  readonly #streamName: string;
  readonly #rowsAt: number;
  /** Records of the batch. */
  readonly length: number;
  /** How many of them were refused. */
  readonly failedCount: number;

  /** Keeps the buffer. @throws InternalFailureError when it is no result of a format that this build knows. */
  constructor(buffer: ArrayBuffer, streamName: string) {
    const view = new DataView(buffer);
    const known =
      buffer.byteLength >= RESULT_HEADER_BYTES &&
      view.getUint32(0, true) === RESULT_MAGIC &&
      view.getUint16(4, true) === RESULT_FORMAT;
    if (!known) throw new InternalFailureError("the engine's answer to a put is not a result");
    this.#view = view;
    this.#streamName = streamName;
    this.#rowsAt = RESULT_HEADER_BYTES + view.getUint32(24, true) * RESULT_SHARD_BYTES;
    this.length = view.getUint32(8, true);
    this.failedCount = view.getUint32(12, true);
  }

  /** Whether the stream is encrypted at rest. */
  get encrypted(): boolean {
    return (this.#view.getUint16(RESULT_FLAGS, true) & RESULT_ENCRYPTED) !== 0;
  }

  /** Whether the record at a position was refused. */
  failed(row: number): boolean {
    return this.#view.getUint32(this.#rowAt(row) + 4, true) !== STATUS_OK;
  }

  /** What came of the record at a position of the batch. */
  get(row: number): PutOutcome {
    const view = this.#view;
    const at = this.#rowAt(row);
    const shardAt = RESULT_HEADER_BYTES + view.getUint32(at, true) * RESULT_SHARD_BYTES;
    const shardIndex = view.getUint32(shardAt, true);
    const status = view.getUint32(at + 4, true);
    if (status !== STATUS_OK) {
      return this.#failure(at, shardIdOf(shardIndex), view.getUint32(shardAt + 4, true));
    }
    return {
      sequenceNumber: formatSequenceNumber({
        createdSeconds: view.getFloat64(shardAt + 8, true),
        sequenceIndex: Number(view.getBigUint64(at + 8, true)),
        arrivalSeconds: Math.floor(view.getFloat64(16, true) / 1000),
        shardIndex,
      }),
      shardId: shardIdOf(shardIndex),
    };
  }

  #rowAt(row: number): number {
    return this.#rowsAt + row * RESULT_ROW_BYTES;
  }

  #failure(at: number, shardId: string, retryAfterMs: number): PutFailure {
    const status = this.#view.getUint32(at + 4, true);
    if (status === STATUS_NO_MEMORY) {
      return {
        errorCode: "InternalFailure",
        errorMessage: `Shard ${shardId}: the engine's memory budget is used up until segments are stored.`,
        retryAfterMs,
      };
    }
    const limitPerSecond = Number(this.#view.getBigUint64(at + 8, true));
    if (status === STATUS_FAULT) {
      const internal = limitPerSecond === FAULT_INTERNAL_FAILURE;
      const errorCode = internal ? "InternalFailure" : "ProvisionedThroughputExceededException";
      return { errorCode, errorMessage: "injected fault", retryAfterMs: 0 };
    }
    const limit = limitText(status, limitPerSecond);
    const refusal = { shardId, streamName: this.#streamName, retryAfterMs };
    return {
      errorCode: "ProvisionedThroughputExceededException",
      errorMessage: refusalText(status, limit, refusal),
      retryAfterMs,
      limit,
    };
  }
}
