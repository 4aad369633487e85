/** A page's producer: numbered batches in a window, kept until they are settled and sent again when an engine is lost. */
import { STATUS_OK } from "@millrace/core/layout";
import { BatchGapError, MillraceError } from "../../engine/host/src/errors/index.ts";
import type { SeededRandom } from "../../engine/host/src/platform/seeded-random.ts";
import type { StreamDescription } from "../../engine/host/src/service/engine-service.ts";
import { buildBatch, readResult, type TestRecord } from "../../engine/host/test/support/batches.ts";
import { type Connection, LostError } from "./fleet.ts";
import type { History, SentRecord } from "./history.ts";
import type { Machine } from "./machine.ts";

/** Refusals that a machine with faults may give; what else comes is a defect. */
const REFUSALS = new Set([
  "ResourceNotFoundException",
  "StoreFullException",
  "StoreFailedException",
  "InternalFailureException",
  "BackpressureException",
]);
/** Pause before everything is sent again, in ms. */
const RESEND_AFTER_MS = 20;

/** How a producer behaves. */
export interface ProducerSettings {
  /** Batches that may be unsettled at a time, at most 32. */
  readonly windowBatches: number;
  /** Mean pause between batches in ms. */
  readonly pauseMs: number;
  /** Largest record in bytes. */
  readonly recordBytesMax: number;
  readonly recordsPerBatchMax: number;
  /** Number of partition keys. */
  readonly keys: number;
}

interface Batch {
  readonly number: number;
  readonly bytes: ArrayBuffer;
  readonly records: readonly SentRecord[];
  readonly firstSentMs: number;
  attempt: number;
  settled: boolean;
}

/** What a producer works with. */
export interface ProducerParts {
  readonly machine: Machine;
  readonly history: History;
  readonly connection: Connection;
  /** Streams that can be put into at present. */
  readonly streams: () => readonly StreamDescription[];
  /** Whether a stream is certainly encrypted by now. */
  readonly isSecret: (streamUid: number) => boolean;
}

/** Identifies a producer: random for every one, as the SDK draws it for every open(). */
function drawProducerId(random: SeededRandom): number {
  return random.nextUint32();
}

const utf8 = new TextEncoder();

/** Data of a record: its id, filled up to a length. */
function dataOf(id: string, byteLength: number): Uint8Array {
  const text = utf8.encode(`${id} `);
  const data = new Uint8Array(Math.max(text.byteLength, byteLength));
  data.set(text);
  return data;
}

/** What a record calls itself. */
export function idOfData(data: Uint8Array): string {
  const end = data.indexOf(32);
  return new TextDecoder().decode(data.subarray(0, end < 0 ? data.byteLength : end));
}

/** Puts records until it is told to stop. */
export class Producer {
  readonly #parts: ProducerParts;
  readonly #settings: ProducerSettings;
  readonly #name: string;
  readonly #id: number;
  readonly #unsettled = new Map<number, Batch>();
  #lastNumber = 0;
  /** First number that is about to be sent again; undefined while nothing is. */
  #resendsFrom: number | undefined;
  #stopped = false;

  constructor(parts: ProducerParts, settings: ProducerSettings) {
    this.#parts = parts;
    this.#settings = settings;
    this.#name = parts.connection.page.name;
    this.#id = drawProducerId(parts.machine.scheduler.random);
    this.#next();
  }

  /** Whether nothing is under way. */
  get settled(): boolean {
    return this.#unsettled.size === 0;
  }

  /** Numbers of the batches that are under way. */
  get unsettled(): readonly number[] {
    return [...this.#unsettled.keys()];
  }

  /** Begins no further batch. */
  stop(): void {
    this.#stopped = true;
  }

  /** The page is gone: nobody waits for what was under way. */
  abandon(): void {
    this.#stopped = true;
    for (const batch of this.#unsettled.values()) {
      for (const record of batch.records) if (record.fate === "sent") record.fate = "unknown";
    }
    this.#unsettled.clear();
  }

  #next(): void {
    const { machine, connection } = this.#parts;
    const { scheduler } = machine;
    const delayMs = scheduler.random.below(this.#settings.pauseMs * 2);
    scheduler.schedule(connection.page, "puts", { delayMs }, () => {
      if (this.#stopped) return;
      if (this.#unsettled.size < this.#settings.windowBatches) this.#begin();
      this.#next();
    });
  }

  #begin(): void {
    const { machine, streams } = this.#parts;
    const { random } = machine.scheduler;
    const known = streams();
    const stream = known[random.below(Math.max(1, known.length))];
    if (stream === undefined) return;
    this.#lastNumber += 1;
    const number = this.#lastNumber;
    const records: TestRecord[] = [];
    const sent: SentRecord[] = [];
    const count = 1 + random.below(this.#settings.recordsPerBatchMax);
    for (let row = 0; row < count; row += 1) {
      const key = `key-${random.below(this.#settings.keys)}`;
      const id = `${this.#name}:${number}:${row}`;
      records.push({ key, data: dataOf(id, random.below(this.#settings.recordBytesMax)) });
      sent.push(this.#note({ id, key, stream, number, row }));
    }
    const bytes = buildBatch({
      ...{ streamUid: stream.uid, batchNumber: number, records, producer: this.#id },
    });
    const firstSentMs = machine.scheduler.nowMs;
    const batch: Batch = { number, bytes, records: sent, firstSentMs, attempt: 0, settled: false };
    this.#unsettled.set(number, batch);
    this.#send(batch);
  }

  #note(about: {
    id: string;
    key: string;
    stream: StreamDescription;
    number: number;
    row: number;
  }): SentRecord {
    const { id, key, stream, number, row } = about;
    const record: SentRecord = {
      ...{ id, key, row, batchNumber: number, producer: this.#name },
      ...{ streamUid: stream.uid, streamName: stream.name },
      ...{ fate: "sent", place: undefined, arrivalMs: undefined, losable: undefined },
      secret: this.#parts.isSecret(stream.uid),
    };
    this.#parts.history.sent(record);
    return record;
  }

  #send(batch: Batch): void {
    const { connection, machine } = this.#parts;
    batch.attempt += 1;
    const { attempt } = batch;
    const [settledBefore = this.#lastNumber + 1] = this.#unsettled.keys();
    const ageMs = attempt === 1 ? 0 : machine.scheduler.nowMs - batch.firstSentMs;
    const order = { settledBefore, ageMs };
    connection
      .ask(`put ${batch.number}`, (service) => service.put(batch.bytes.slice(0), undefined, order))
      .then(
        (result) => this.#acknowledge(batch, result),
        (error: unknown) => {
          if (attempt === batch.attempt && !batch.settled) this.#fail(batch, error);
        },
      );
  }

  #acknowledge(batch: Batch, result: ArrayBuffer): void {
    const { history, machine } = this.#parts;
    const arrivalMs = new DataView(result).getFloat64(16, true);
    const rows = readResult(result);
    for (const [row, record] of batch.records.entries()) {
      const outcome = rows[row];
      if (outcome === undefined) {
        machine.verdict.report("result", `${record.id} has no row in its result`);
      } else if (outcome.status === STATUS_OK) {
        const { shardIndex, index } = outcome;
        history.acked(record, { streamUid: record.streamUid, shardIndex, index }, arrivalMs);
      } else if (record.fate === "sent") {
        record.fate = "refused";
      }
    }
    this.#settle(batch);
  }

  #fail(batch: Batch, error: unknown): void {
    const { machine } = this.#parts;
    if (error instanceof LostError) {
      this.#resendFrom(0);
      return;
    }
    if (error instanceof BatchGapError) {
      this.#resendFrom(Number(error.value));
      return;
    }
    machine.note(`${this.#name} put ${batch.number} is refused: ${String(error)}`);
    const known = error instanceof MillraceError ? error : undefined;
    const certain = known?.indeterminate === false;
    if (known === undefined || (certain && !REFUSALS.has(known.code))) {
      machine.verdict.report("error", `${this.#name} put ${batch.number}: ${String(error)}`);
    }
    for (const record of batch.records) record.fate = certain ? "refused" : "unknown";
    this.#settle(batch);
  }

  #settle(batch: Batch): void {
    batch.settled = true;
    this.#unsettled.delete(batch.number);
  }

  /** Sends all that is not settled again from a number on, in order, once for all that failed together. */
  #resendFrom(number: number): void {
    const scheduled = this.#resendsFrom !== undefined;
    this.#resendsFrom = Math.min(number, this.#resendsFrom ?? number);
    if (scheduled) return;
    const { machine, connection } = this.#parts;
    const options = { delayMs: RESEND_AFTER_MS };
    machine.scheduler.schedule(connection.page, `resends from ${number}`, options, () => {
      const from = this.#resendsFrom ?? number;
      this.#resendsFrom = undefined;
      for (const batch of [...this.#unsettled.values()]) {
        if (batch.number >= from) this.#send(batch);
      }
    });
  }
}
