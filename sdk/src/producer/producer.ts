/** Puts user records with as few calls and records of the stream as possible: the KPL's equal. */
import {
  checkRecord,
  type PutRecord,
  RecordTooLargeError,
  systemClock,
  systemRandom,
} from "@millrace/engine";
import { AggregateBuilder } from "../aggregation/aggregate-builder.ts";
import { hasAggregateMagic } from "../aggregation/format.ts";
import { refuse } from "../check.ts";
import { Admission } from "./admission.ts";
import { CopySpace } from "./copy-space.ts";
import { Dispatcher, type Surroundings } from "./dispatcher.ts";
import { checkProducerOptions, type ProducerOptions, type ProducerSettings } from "./options.ts";
import { PendingRecord, type ProducerPutResult } from "./pending-record.ts";
import { ProducerClosedError } from "./producer-errors.ts";
import { type ProducerMetrics, ProducerTally } from "./producer-tally.ts";
import type { PutTarget, TargetListing } from "./put-target.ts";
import { AGGREGATE_KEY } from "./record-group.ts";

/** What a producer is made of. */
export interface ProducerParts extends Surroundings {
  readonly target: PutTarget;
  readonly listing: TargetListing;
  readonly settings: ProducerSettings;
}

/** Waits until user records up to one are settled. */
interface Flush {
  readonly ordinal: number;
  left: number;
  readonly resolve: () => void;
}

/** A producer of one stream. Close it, or at least {@link flush}: what it buffers is lost with it. */
export class Producer implements AsyncDisposable {
  readonly #parts: ProducerParts;
  readonly #tally = new ProducerTally();
  readonly #dispatcher: Dispatcher;
  readonly #admission: Admission;
  readonly #flushes = new Set<Flush>();
  readonly #copies = new CopySpace();
  readonly #onClosed: (() => void)[] = [];
  #ordinal = 0;
  #outstanding = 0;
  #closing: Promise<void> | undefined;

  /** Made by `stream.producer()` and {@link openProducer}. */
  constructor(parts: ProducerParts) {
    this.#parts = parts;
    const { clock, settings } = parts;
    this.#dispatcher = new Dispatcher({
      ...parts,
      tally: this.#tally,
      onSettled: (record) => {
        this.#settled(record);
        this.#admission.leave(record);
      },
    });
    this.#admission = new Admission({
      clock,
      bytesMax: settings.bufferMaxBytes,
      onAdmit: (record) => this.#dispatcher.add(record),
      onRefuse: (record, reason) => {
        this.#tally.userRecordsFailed += 1;
        record.fail(reason);
        this.#settled(record);
      },
    });
  }

  /** Number of user records that are not settled (KPL: getOutstandingRecordsCount). */
  get outstandingRecords(): number {
    return this.#outstanding;
  }

  /** Bytes of data and keys that wait or are under way, without what waits in line for room. */
  get bufferedBytes(): number {
    return this.#admission.bufferedBytes;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Puts one user record, soon, and resolves when it is as durable as the stream asks. The data are copied
   * before the call returns. KPL: addUserRecord.
   *
   * @throws InvalidArgumentError, RecordTooLargeError, ProducerClosedError: nothing was sent.
   * @throws BackpressureError when there was no room for it within its time to live: nothing was sent.
   * @throws UserRecordFailedError with the attempts: too old, refused for good, or with a call that failed
   * for good; `indeterminate` where it may be stored all the same.
   */
  put(record: PutRecord): Promise<ProducerPutResult> {
    try {
      const pending = this.#take(record);
      this.#outstanding += 1;
      this.#tally.userRecordsReceived += 1;
      this.#admission.enter(pending);
      return pending.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Resolves when a user record could be put without waiting for room: at once, or when there is some. */
  async ready(): Promise<void> {
    await this.#admission.ready();
  }

  /** Sends everything without waiting for more, and resolves when all that was put before is settled (KPL: flushSync). */
  async flush(): Promise<void> {
    if (this.#outstanding === 0) return;
    const ordinal = this.#ordinal - 1;
    const settled = new Promise<void>((resolve) => {
      this.#flushes.add({ ordinal, left: this.#outstanding, resolve });
    });
    this.#dispatcher.flush(ordinal);
    await settled;
  }

  /** Takes no more user records, and resolves when all are settled. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** What it did so far. */
  metrics(): ProducerMetrics {
    return this.#tally.snapshot();
  }

  /** The page ends in this task: everything is sent at once, past rates, pauses and the number of calls. */
  leave(): void {
    this.#dispatcher.leave();
  }

  /** Calls back when it was closed and all is settled. */
  onClosed(listener: () => void): void {
    this.#onClosed.push(listener);
  }

  /** Closes it at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #take(record: PutRecord): PendingRecord {
    const { clock, settings, target } = this.#parts;
    if (this.closed) {
      throw new ProducerClosedError(`the producer of ${target.name} is closed`, {
        argument: "record",
        value: target.name,
      });
    }
    const putMs = clock.monotonicMs();
    const expiresMs = putMs + settings.recordTtlMs;
    const checked = checkRecord("record", record);
    const data = this.#copies.copy(checked.data);
    const pending = new PendingRecord(checked, data, this.#ordinal, putMs, expiresMs);
    const bytes = settings.aggregation ? bytesAlone(pending) : pending.byteLength;
    const limit = this.#dispatcher.recordBytesMax;
    if (bytes > limit) {
      // The stream may take more by now.
      this.#dispatcher.refresh();
      throw new RecordTooLargeError(
        `record: data and partition key together may hold ${limit} bytes, but they hold ${bytes}`,
        { argument: "record", value: bytes, limit },
      );
    }
    this.#ordinal += 1;
    return pending;
  }

  #settled(record: PendingRecord): void {
    this.#outstanding -= 1;
    for (const flush of this.#flushes) {
      if (record.ordinal > flush.ordinal) continue;
      flush.left -= 1;
      if (flush.left > 0) continue;
      this.#flushes.delete(flush);
      flush.resolve();
    }
  }

  async #close(): Promise<void> {
    await this.flush();
    for (const listener of this.#onClosed.splice(0)) listener();
  }
}

/** Bytes of a record of the stream with this user record alone. */
function bytesAlone(record: PendingRecord): number {
  if (!hasAggregateMagic(record.data)) return record.byteLength;
  const builder = new AggregateBuilder();
  builder.add(record);
  return builder.byteLength + AGGREGATE_KEY.length;
}

function checkTarget(target: unknown): void {
  const fits =
    typeof target === "object" &&
    target !== null &&
    "putRecords" in target &&
    "listShards" in target;
  if (!fits) refuse("target", "a PutTarget", target, "{putRecords, listShards, …}");
}

/**
 * A producer over any stream that can be put into. `surroundings` are the system's when absent.
 *
 * @throws InvalidArgumentError for the options, and for an order by key on a stream that spreads its
 * records; what the target throws when it is asked for its shards.
 */
export async function openProducer(
  target: PutTarget,
  options?: ProducerOptions,
  surroundings: Surroundings = { clock: systemClock, random: systemRandom },
): Promise<Producer> {
  const settings = checkProducerOptions(options);
  checkTarget(target);
  const listing = await target.listShards();
  if (listing.spread && settings.orderedBy === "partitionKey") {
    const limit = '"nothing" on a stream that spreads its records';
    refuse("options.orderedBy", limit, settings.orderedBy, limit);
  }
  return new Producer({ ...surroundings, target, listing, settings });
}
