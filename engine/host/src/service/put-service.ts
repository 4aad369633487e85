/** Puts: from a packed request batch to a packed result, once and only once per batch. */
import {
  BATCH_FORMAT,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  RECORDS_PER_CALL_MAX,
  REQUEST_BYTES_MAX,
  ROW_EXPLICIT_HASH_KEY,
  ROW_HEADER_BYTES,
  STATUS_OK,
} from "@millrace/core/layout";
import { ROOT_PRINCIPAL } from "../access/principals.ts";
import { CoreTrapError } from "../core/core-errors.ts";
import {
  BatchGapError,
  IndeterminateError,
  InvalidArgumentError,
  MillraceError,
  RequestTooLargeError,
  ResourceNotFoundError,
} from "../errors/index.ts";
import { padTo8, readUint64, viewOf } from "../log/bytes.ts";
import { CoreFailedError } from "../log/commit-errors.ts";
import type { StreamDefinition } from "../log/control-records.ts";
import type { Log } from "../log/log.ts";
import type { AppendedPut } from "../log/pending-put.ts";
import { type BatchResult, BatchResultBuilder } from "../log/producer-table.ts";
import type { ShardPut } from "../metrics/metrics-registry.ts";
import type { ShardCounters } from "../metrics/shard-counters.ts";
import { hexOfBytes } from "../model/hex.ts";
import { streamArn } from "../streams/arns.ts";
import { streamPrefix } from "../streams/documents.ts";
import type { OnDemandScaler } from "../streams/on-demand-scaler.ts";
import type { BatchOrder, CallContext } from "./engine-service.ts";
import type { OperationContext } from "./operations/operation.ts";
import { PutTally } from "./put-tally.ts";
import { markEncryption, repeatResult } from "./repeat-result.ts";

/** Arrival times do not follow the wall clock backwards unless it jumped by more than this, in ms. */
const CLOCK_STEP_BACK_MS = 300_000;
const HASH_KEY_BYTES = 16;

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
    producerId: hexOfBytes(bytes.subarray(16, 32)),
    batchNumber: readUint64(view, 32),
    streamUid: view.getUint32(40, true),
  };
}

/** A put that was made by nobody but the application itself. */
export const OWN_PUT: CallContext = {
  operation: "PutRecords",
  caller: { principal: ROOT_PRINCIPAL },
};

/** Refuses an order that cannot be. @throws InvalidArgumentError. */
function checkOrder({ settledBefore, ageMs }: BatchOrder, { batchNumber }: BatchHeader): void {
  if (!Number.isSafeInteger(settledBefore) || settledBefore < 1 || settledBefore > batchNumber) {
    throw new InvalidArgumentError(
      `settledBefore must be an integer from 1 to the batch's number ${batchNumber}, but it is ${settledBefore}`,
      { argument: "order.settledBefore", value: settledBefore, limit: batchNumber },
    );
  }
  if (ageMs >= 0) return;
  throw new InvalidArgumentError(`ageMs must not be negative, but it is ${ageMs}`, {
    ...{ argument: "order.ageMs", value: ageMs, limit: 0 },
  });
}

/** What puts work with. */
export interface PutParts {
  readonly context: OperationContext;
  readonly counters: ShardCounters;
  readonly scaler: OnDemandScaler;
}

/** Takes batches for one log. */
export class PutService {
  readonly #context: OperationContext;
  readonly #log: Log;
  readonly #counters: ShardCounters;
  readonly #scaler: OnDemandScaler;
  /** Batches that are not settled, so that a repeat joins them instead of being appended again. */
  readonly #pending = new Map<string, Promise<ArrayBuffer>>();
  #lastArrivalMs = 0;

  constructor({ context, counters, scaler }: PutParts) {
    this.#context = context;
    this.#log = context.log;
    this.#counters = counters;
    this.#scaler = scaler;
  }

  /**
   * Appends a batch; resolves with its packed result when its records are durable. `taken` says that it
   * passed {@link arrive} before, here or in an earlier life.
   *
   * @throws AccessDeniedError, ResourceNotFoundError, InvalidArgumentError, IndeterminateError.
   * @throws BatchGapError when batches that it must follow did not come here yet.
   */
  async put(
    batch: ArrayBuffer,
    { operation, caller }: CallContext = OWN_PUT,
    order?: BatchOrder,
    taken = false,
  ): Promise<ArrayBuffer> {
    const { access, catalogue, clock, metrics, keys } = this.#context;
    const header = readBatchHeader(new Uint8Array(batch));
    const earlier = taken ? this.#known(header, batch) : this.arrive(header, batch, order);
    if (earlier !== undefined) return await earlier;
    const tally = new PutTally();
    let startedMs: number | undefined;
    const count = (shards: readonly ShardPut[]): void => {
      if (startedMs === undefined) return;
      const latencyMs = clock.monotonicMs() - startedMs;
      const name = operation === "PutRecord" ? operation : "PutRecords";
      metrics.recordPut(header.streamUid, { operation: name, latencyMs, shards });
    };
    try {
      const stream = catalogue.getByUid(header.streamUid);
      const resource = { arn: streamArn(stream.name), key: streamPrefix(stream.uid) };
      access.check(caller.principal, operation, resource);
      catalogue.requireUsable(stream);
      keys.check(stream, caller.principal, "GenerateDataKey");
      startedMs = clock.monotonicMs();
      const packed = await this.#take(stream, header, batch, tally);
      count(tally.shards());
      return packed;
    } catch (error) {
      this.refuse(header, error);
      count([]);
      throw error;
    }
  }

  /**
   * Judges a batch by its sender and number when it comes. One that is new counts as taken from then on,
   * whatever becomes of it, so that later ones may follow: the answer is undefined. Of one that came
   * before the answer is what came of it.
   *
   * @throws BatchGapError, IndeterminateError, InvalidArgumentError; what it was refused with before.
   */
  arrive(
    header: BatchHeader,
    batch: ArrayBuffer,
    order?: BatchOrder,
  ): Promise<ArrayBuffer> | undefined {
    if (order !== undefined) checkOrder(order, header);
    const known = this.#known(header, batch);
    if (known !== undefined) return known;
    const { producers } = this.#log;
    const nowMs = this.#context.clock.nowMs();
    const verdict = producers.judge(header, nowMs, order);
    if (verdict.kind === "refused") throw verdict.error;
    if (verdict.kind === "gap") throw gap(header, verdict.wanted);
    if (verdict.kind === "forgotten") throw forgotten(header);
    producers.take(header, nowMs, order);
    if (verdict.later.some((result) => this.#touches(header.streamUid, result))) {
      throw forgotten(header);
    }
    return undefined;
  }

  /** Notes that a batch that was taken failed, so that a repeat of it is told the same. */
  refuse(header: BatchHeader, error: unknown): void {
    const { producers } = this.#log;
    // It is made again in the next life.
    if (error instanceof CoreFailedError || error instanceof CoreTrapError)
      producers.reopen(header);
    else if (error instanceof MillraceError && !error.indeterminate)
      producers.refuse(header, error);
  }

  /** Appends a batch of the engine's own: nobody's call, so that no policy and no metric is about it. */
  async putOwn(batch: ArrayBuffer): Promise<ArrayBuffer> {
    const header = readBatchHeader(new Uint8Array(batch));
    // Its sender waits for each batch before the next one.
    const earlier = this.arrive(header, batch, { settledBefore: header.batchNumber, ageMs: 0 });
    if (earlier !== undefined) return await earlier;
    try {
      const stream = this.#context.catalogue.getByUid(header.streamUid);
      return await this.#take(stream, header, batch, new PutTally());
    } catch (error) {
      this.refuse(header, error);
      throw error;
    }
  }

  /** What came of a batch that is on its way or in the log. */
  #known(header: BatchHeader, batch: ArrayBuffer): Promise<ArrayBuffer> | undefined {
    const pending = this.#pending.get(nameOf(header));
    if (pending !== undefined) return pending.then((result) => result.slice(0));
    const result = this.#log.producers.find(header);
    if (result === undefined) return undefined;
    const stream = this.#context.catalogue.getByUid(header.streamUid);
    const bytes = new Uint8Array(batch, 0, header.byteLength);
    return Promise.resolve(repeatResult(this.#log, stream, bytes, result));
  }

  /** Whether a committed batch put records into a stream. */
  #touches(streamUid: number, { firstIndexes }: BatchResult): boolean {
    const shards = this.#log.control.stream(streamUid)?.shards ?? [];
    return shards.some(({ uid }) => firstIndexes.has(uid));
  }

  #take(
    stream: StreamDefinition,
    header: BatchHeader,
    batch: ArrayBuffer,
    tally: PutTally,
  ): Promise<ArrayBuffer> {
    const bytes = new Uint8Array(batch, 0, header.byteLength);
    const name = nameOf(header);
    const result = this.#append(stream, header, bytes, tally).finally(() => {
      this.#pending.delete(name);
    });
    this.#pending.set(name, result);
    return result;
  }

  #append(
    stream: StreamDefinition,
    header: BatchHeader,
    bytes: Uint8Array,
    tally: PutTally,
  ): Promise<ArrayBuffer> {
    return new Promise((resolve, reject) => {
      this.#log.put({
        streamUid: stream.uid,
        byteLength: bytes.byteLength,
        recordCount: header.recordCount,
        reject,
        append: () => {
          const appended = this.#appendNow(stream.uid, header, bytes, tally);
          return { ...appended, resolve, reject };
        },
      });
    });
  }

  #appendNow(
    streamUid: number,
    header: BatchHeader,
    bytes: Uint8Array,
    tally: PutTally,
  ): Omit<AppendedPut, "resolve" | "reject"> {
    const { core, slots, control } = this.#log;
    // As it is now: the stream may have been changed or deleted while the batch waited.
    const stream = control.stream(streamUid);
    const route = slots.routeOf(streamUid);
    if (stream === undefined || route === undefined) {
      throw ResourceNotFoundError.stream(stream?.name ?? `uid ${streamUid}`);
    }
    const nowMs = this.arrivalMs();
    const recordBytesMax = stream.recordKibMax * 1024;
    this.#context.keys.requireReady(stream);
    core.append(bytes, { route, nowMs, recordBytesMax });
    const result = core.packResult(nowMs, (slot) => slots.inSlot(slot));
    markEncryption(control, stream.uid, result);
    const outcome = this.#outcome(header, bytes, nowMs, tally);
    this.#scaler.offered(streamUid, header.recordCount, tally.offeredBytes);
    return {
      streamUid: stream.uid,
      streamName: stream.name,
      result,
      outcome,
      byteLength: bytes.byteLength,
    };
  }

  #outcome(
    header: BatchHeader,
    bytes: Uint8Array,
    nowMs: number,
    tally: PutTally,
  ): AppendedPut["outcome"] {
    const { core, slots } = this.#log;
    const builder = new BatchResultBuilder(header.recordCount);
    const view = viewOf(bytes);
    tally.clear();
    let at: number = BATCH_HEADER_BYTES;
    for (let i = 0; i < header.recordCount; i += 1) {
      const { slot, status, index } = core.appendRow(i);
      const { uid, shardIndex } = slots.inSlot(slot);
      const byteLength = view.getUint16(at, true) + view.getUint32(at + 4, true);
      const explicit = (view.getUint16(at + 2, true) & ROW_EXPLICIT_HASH_KEY) !== 0;
      builder.add(i, uid, status, index);
      tally.add(shardIndex, status, byteLength);
      if (status !== STATUS_OK) this.#counters.add(uid, { throttledRecords: 1 });
      at += padTo8(ROW_HEADER_BYTES + (explicit ? HASH_KEY_BYTES : 0) + byteLength);
    }
    return builder.build(header.producerId, header.batchNumber, nowMs, header.recordCount);
  }

  /** Arrival time of what is appended now, in ms since the Unix epoch. */
  arrivalMs(): number {
    const nowMs = this.#context.clock.nowMs();
    const steppedBack = this.#lastArrivalMs - nowMs;
    if (steppedBack <= 0 || steppedBack > CLOCK_STEP_BACK_MS) this.#lastArrivalMs = nowMs;
    return this.#lastArrivalMs;
  }
}

function nameOf({ producerId, batchNumber }: BatchHeader): string {
  return `${producerId}/${batchNumber}`;
}

function forgotten({ batchNumber }: BatchHeader): IndeterminateError {
  return new IndeterminateError(
    `the engine does not know any more what came of batch ${batchNumber} of this producer`,
    { argument: "batchNumber", value: batchNumber },
  );
}

function gap({ batchNumber }: BatchHeader, wanted: number): BatchGapError {
  return new BatchGapError(
    `batch ${batchNumber} of this producer came before batch ${wanted}; send again from ${wanted} on`,
    { argument: "batchNumber", value: wanted, limit: batchNumber },
  );
}
