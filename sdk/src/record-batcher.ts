/**
 * Gathers what is put into one stream during one task into as few batches as possible, in the order of
 * the calls, and hands each call its part of the result.
 */
import {
  BatchEncoder,
  BatchResult,
  type CheckedRecord,
  checkRecord,
  type EngineClient,
  InternalFailureError,
  type Named,
  type PutRecord,
  ResourceNotFoundError,
  type StreamDescription,
} from "@millrace/engine";
import { failedPart, PutCall, partOf, type Share } from "./put-call.ts";
import type { ResultPart } from "./put-records-result.ts";

/** What a row needs besides key and data, roughly; only to guess a batch's size. */
const ROW_OVERHEAD_BYTES = 24;
/** A batch's buffer is at most this large before it is known to need more: 1 MiB and a row's slack. */
const EXPECTED_BYTES_MAX = 1_052_672;

interface OpenBatch {
  readonly encoder: BatchEncoder;
  readonly shares: Share[];
  /** Withdraws the batch while it waits for room in the outbox. */
  readonly withdrawal: AbortController;
  /** Nothing more may be added. */
  closed: boolean;
}

/** A run of records in a batch, before it is known to which call it belongs. */
interface Run {
  readonly batch: OpenBatch;
  readonly firstRow: number;
}

/** The batches of one stream. */
export class RecordBatcher {
  readonly #client: EngineClient;
  #stream: Pick<StreamDescription, "name" | "uid" | "recordKibMax">;
  /** Whether batches go in turn; see the constructor. */
  readonly inTurn: boolean;
  #open: OpenBatch[] = [];
  #scheduled = false;
  /** The batch sent last, settled in any way; batches in turn wait for it. */
  #last: Promise<unknown> = Promise.resolve();

  /**
   * With `inTurn`, a batch is sent only after the one before it is settled, and the rest of a call not
   * at all once records of the call were refused: so order per key survives quotas. Without, batches
   * overtake nothing, but follow each other without waiting.
   */
  constructor(
    client: EngineClient,
    stream: Pick<StreamDescription, "name" | "uid" | "recordKibMax">,
    inTurn: boolean,
  ) {
    this.#client = client;
    this.#stream = stream;
    this.inTurn = inTurn;
  }

  /**
   * Packs the records before it returns, all or none, and resolves when each is stored or refused.
   *
   * @throws InvalidArgumentError, RecordTooLargeError at once; what `EngineClient.put` throws later.
   */
  put(
    records: readonly PutRecord[],
    nameOf: (i: number) => string,
    signal: AbortSignal | undefined,
  ): Promise<readonly ResultPart[]> {
    const runs = this.#pack(records, nameOf);
    const call = new PutCall(signal);
    for (const { batch, firstRow } of runs) {
      batch.shares.push(call.share(firstRow, batch.encoder.count - firstRow));
    }
    const last = runs.at(-1)?.batch;
    // A batch that goes only if the call's earlier ones went well must hold nobody else's records.
    if (this.inTurn && runs.length > 1 && last !== undefined) last.closed = true;
    call.listen(() => withdrawAbandoned(runs));
    this.#schedule();
    return call.promise;
  }

  /** Takes note of what the stream is like by now: how large its records may be can change. */
  update(stream: StreamDescription): void {
    if (stream.uid === this.#stream.uid) this.#stream = stream;
  }

  /** Sends what was gathered, without waiting for the task's end. */
  flush(): void {
    const batches = this.#open;
    this.#open = [];
    for (const batch of batches) this.#send(batch);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.flush();
    });
  }

  #pack(records: readonly PutRecord[], nameOf: (i: number) => string): Run[] {
    const batchesBefore = this.#open.length;
    const current = this.#open.at(-1);
    const mark = current?.encoder.mark();
    const runs: Run[] = [];
    try {
      let i = 0;
      // One name for all: it is spelled out for the record that is refused, if any.
      const name: Named = { toString: () => nameOf(i) };
      for (const record of records) {
        this.#add(runs, checkRecord(name, record), name, records.length - i);
        i++;
      }
    } catch (error) {
      for (const { encoder } of this.#open.splice(batchesBefore)) encoder.discard();
      if (mark !== undefined) current?.encoder.rewind(mark);
      throw error;
    }
    return runs;
  }

  #add(runs: Run[], record: CheckedRecord, name: Named, left: number): void {
    const recordBytesMax = this.#stream.recordKibMax * 1024;
    const open = this.#open.at(-1);
    const batch = open === undefined || open.closed ? this.#begin(record, left) : open;
    const firstRow = batch.encoder.count;
    if (batch.encoder.add(record, name, recordBytesMax)) {
      if (runs.at(-1)?.batch !== batch) runs.push({ batch, firstRow });
      return;
    }
    const next = this.#begin(record, left);
    if (!next.encoder.add(record, name, recordBytesMax)) {
      throw new InternalFailureError(`${name} fits no batch`, {
        argument: String(name),
      });
    }
    runs.push({ batch: next, firstRow: 0 });
  }

  /** `left` records like this one are still to come. */
  #begin(record: CheckedRecord, left: number): OpenBatch {
    const recordBytes = record.key.length + record.data.length + ROW_OVERHEAD_BYTES;
    const expectedBytes = Math.min(EXPECTED_BYTES_MAX, recordBytes * (left + 1));
    const encoder = new BatchEncoder(this.#client.pool, expectedBytes);
    const batch = { encoder, shares: [], withdrawal: new AbortController(), closed: false };
    this.#open.push(batch);
    return batch;
  }

  #send(batch: OpenBatch): void {
    const { encoder, shares, withdrawal } = batch;
    if (shares.every(({ call }) => call.aborted)) {
      encoder.discard();
      for (const share of shares) share.call.settle(share, failedPart(0, ABORTED));
      return;
    }
    const { signal } = withdrawal;
    const after = this.inTurn ? this.#last.then(() => !continuesTrouble(shares)) : undefined;
    const settings = after === undefined ? { signal } : { signal, after };
    const sent = this.#client.put(encoder.finish(this.#stream.uid), settings);
    this.#last = sent.then(
      (result) => this.#answer(shares, result),
      (error: unknown) => {
        // The engine knows a deleted stream by its uid only.
        const gone = error instanceof ResourceNotFoundError;
        const reason = gone ? ResourceNotFoundError.stream(this.#stream.name) : error;
        for (const share of shares) share.call.fail(share, reason);
      },
    );
  }

  #answer(shares: readonly Share[], packed: ArrayBuffer | undefined): void {
    const result = packed === undefined ? undefined : new BatchResult(packed, this.#stream.name);
    for (const share of shares) {
      const part = result === undefined ? this.#unsent(share) : partOf(share, result);
      share.call.settle(share, part);
    }
  }

  #unsent({ call, count }: Share): ResultPart {
    return failedPart(count, {
      errorCode: "ProvisionedThroughputExceededException",
      errorMessage:
        `Not sent to stream ${this.#stream.name}: an earlier record of the same call was refused, ` +
        "and order is kept.",
      retryAfterMs: call.refusedForMs ?? 0,
    });
  }
}

const ABORTED = { errorCode: "AbortError", errorMessage: "The call was aborted.", retryAfterMs: 0 };

/** Whether a batch goes on with a call of which an earlier batch had refused records. */
function continuesTrouble(shares: readonly Share[]): boolean {
  return shares.some(({ call, position }) => position > 0 && call.troubled);
}

/** Withdraws the batches that nobody waits for any more. */
function withdrawAbandoned(runs: readonly Run[]): void {
  for (const { batch } of runs) {
    if (batch.shares.every(({ call }) => call.aborted)) batch.withdrawal.abort();
  }
}
