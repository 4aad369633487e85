/** Puts: from a packed request batch to a packed result, once and only once per batch. */
import {
  BATCH_FORMAT,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  RECORDS_PER_CALL_MAX,
  REQUEST_BYTES_MAX,
  STATUS_OK,
} from "@millrace/core/layout";
import {
  IndeterminateError,
  InvalidArgumentError,
  RequestTooLargeError,
  ResourceNotFoundError,
} from "../errors/index.ts";
import { readUint64, viewOf } from "../log/bytes.ts";
import type { StreamDefinition } from "../log/control-records.ts";
import type { AppendedPut } from "../log/frame-group.ts";
import type { Log } from "../log/log.ts";
import { BatchResultBuilder, idOfBytes } from "../log/producer-table.ts";
import type { ShardCounters } from "../metrics/shard-counters.ts";
import type { Clock } from "../platform/platform.ts";
import type { Catalogue } from "../streams/catalogue.ts";
import { repeatResult } from "./repeat-result.ts";

/** Arrival times do not follow the wall clock backwards unless it jumped by more than this, in ms. */
const CLOCK_STEP_BACK_MS = 300_000;

/** The header of a request batch. */
export interface BatchHeader {
  readonly recordCount: number;
  /** Length of the batch; its buffer may be longer. */
  readonly byteLength: number;
  /** 32 hexadecimal digits. */
  readonly producerId: string;
  readonly batchNumber: number;
  readonly streamUid: number;
}

/** Reads and checks a batch's header; its rows are the core's to check. @throws InvalidArgumentError, RequestTooLargeError. */
export function readBatchHeader(bytes: Uint8Array): BatchHeader {
  if (bytes.byteLength > REQUEST_BYTES_MAX) {
    throw new RequestTooLargeError(
      `a request holds at most ${REQUEST_BYTES_MAX} bytes, but this one holds ${bytes.byteLength}`,
      { argument: "batch", value: bytes.byteLength, limit: REQUEST_BYTES_MAX },
    );
  }
  const view = viewOf(bytes);
  const known =
    bytes.byteLength >= BATCH_HEADER_BYTES &&
    view.getUint32(0, true) === BATCH_MAGIC &&
    view.getUint16(4, true) === BATCH_FORMAT;
  if (!known) {
    throw new InvalidArgumentError("the buffer is not a request batch that this build knows", {
      argument: "batch",
      value: bytes.byteLength,
      limit: `format ${BATCH_FORMAT}`,
    });
  }
  const byteLength = view.getUint32(12, true);
  if (byteLength < BATCH_HEADER_BYTES || byteLength > bytes.byteLength) {
    throw new InvalidArgumentError(
      `a request batch of ${byteLength} bytes does not fit its buffer of ${bytes.byteLength}`,
      { argument: "batch.byteLength", value: byteLength, limit: bytes.byteLength },
    );
  }
  const recordCount = view.getUint32(8, true);
  if (recordCount < 1 || recordCount > RECORDS_PER_CALL_MAX) {
    throw new InvalidArgumentError(
      `a request batch holds 1 to ${RECORDS_PER_CALL_MAX} records, but this one holds ${recordCount}`,
      { argument: "batch.recordCount", value: recordCount, limit: RECORDS_PER_CALL_MAX },
    );
  }
  return {
    recordCount,
    byteLength,
    producerId: idOfBytes(bytes.subarray(16, 32)),
    batchNumber: readUint64(view, 32),
    streamUid: view.getUint32(40, true),
  };
}

/** Takes batches for one log. */
export class PutService {
  readonly #log: Log;
  readonly #catalogue: Catalogue;
  readonly #counters: ShardCounters;
  readonly #clock: Clock;
  /** Batches that are not settled, so that a repeat joins them instead of being appended again. */
  readonly #pending = new Map<string, Promise<ArrayBuffer>>();
  #lastArrivalMs = 0;

  constructor(log: Log, catalogue: Catalogue, counters: ShardCounters, clock: Clock) {
    this.#log = log;
    this.#catalogue = catalogue;
    this.#counters = counters;
    this.#clock = clock;
  }

  /** Appends a batch; resolves with its packed result when its records are durable. */
  async put(batch: ArrayBuffer): Promise<ArrayBuffer> {
    const whole = new Uint8Array(batch);
    const header = readBatchHeader(whole);
    const bytes = whole.subarray(0, header.byteLength);
    const stream = this.#catalogue.getByUid(header.streamUid);
    const name = `${header.producerId}/${header.batchNumber}`;
    const pending = this.#pending.get(name);
    if (pending !== undefined) return (await pending).slice(0);
    const verdict = this.#log.producers.judge(header.producerId, header.batchNumber);
    if (verdict.kind === "repeat") return repeatResult(this.#log, stream, bytes, verdict.result);
    if (verdict.kind === "forgotten") throw forgotten(header);
    this.#log.producers.meet(header.producerId);
    const result = this.#append(stream, header, bytes);
    this.#pending.set(name, result);
    try {
      return await result;
    } finally {
      this.#pending.delete(name);
    }
  }

  #append(stream: StreamDefinition, header: BatchHeader, bytes: Uint8Array): Promise<ArrayBuffer> {
    return new Promise((resolve, reject) => {
      this.#log.put({
        byteLength: bytes.byteLength,
        reject,
        append: () => {
          const appended = this.#appendNow(stream, header, bytes);
          return { ...appended, resolve, reject };
        },
      });
    });
  }

  #appendNow(
    stream: StreamDefinition,
    header: BatchHeader,
    bytes: Uint8Array,
  ): Omit<AppendedPut, "resolve" | "reject"> {
    const { core, slots } = this.#log;
    const route = slots.routeOf(stream.uid);
    if (route === undefined) throw ResourceNotFoundError.stream(stream.name);
    const nowMs = this.#arrivalMs();
    const recordBytesMax = stream.recordKibMax * 1024;
    const { refusedCount } = core.append(bytes, { route, nowMs, recordBytesMax });
    const result = core.packResult(nowMs, (slot) => slots.inSlot(slot));
    const outcome = this.#outcome(header, nowMs);
    if (refusedCount > 0) this.#countRefused(header.recordCount);
    return {
      streamUid: stream.uid,
      streamName: stream.name,
      result,
      outcome,
      byteLength: bytes.byteLength,
    };
  }

  #outcome(header: BatchHeader, nowMs: number): AppendedPut["outcome"] {
    const { core, slots } = this.#log;
    const builder = new BatchResultBuilder(header.recordCount);
    for (let i = 0; i < header.recordCount; i++) {
      const row = core.appendRow(i);
      builder.add(i, slots.inSlot(row.slot).uid, row.status, row.index);
    }
    return builder.build(header.producerId, header.batchNumber, nowMs, header.recordCount);
  }

  #countRefused(recordCount: number): void {
    const { core, slots } = this.#log;
    for (let i = 0; i < recordCount; i++) {
      const row = core.appendRow(i);
      if (row.status === STATUS_OK) continue;
      this.#counters.add(slots.inSlot(row.slot).uid, { throttledRecords: 1 });
    }
  }

  #arrivalMs(): number {
    const nowMs = this.#clock.nowMs();
    const steppedBack = this.#lastArrivalMs - nowMs;
    if (steppedBack <= 0 || steppedBack > CLOCK_STEP_BACK_MS) this.#lastArrivalMs = nowMs;
    return this.#lastArrivalMs;
  }
}

function forgotten(header: BatchHeader): IndeterminateError {
  return new IndeterminateError(
    `the engine no longer knows what came of batch ${header.batchNumber} of this producer`,
    { argument: "batchNumber", value: header.batchNumber },
  );
}
