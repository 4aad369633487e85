/** One call of `putRecord` or `putRecords` until it is settled: a run of records in one batch or more. */
import {
  type BatchResult,
  type MillraceError,
  type PutOutcome,
  toMillraceError,
} from "@millrace/engine";
import type { ResultPart } from "./put-records-result.ts";

/** A run of a call's records that go in one batch. */
export interface Share {
  readonly call: PutCall;
  /** Position of the run among the call's runs. */
  readonly position: number;
  /** Row of its first record in the batch. */
  readonly firstRow: number;
  readonly count: number;
}

/** The rows of a share in the batch's result. */
export function partOf(share: Share, result: BatchResult): ResultPart {
  const { firstRow, count } = share;
  let failedCount = 0;
  if (result.failedCount > 0) {
    for (let row = 0; row < count; row++) if (result.failed(firstRow + row)) failedCount++;
  }
  return { length: count, failedCount, get: (row) => result.get(firstRow + row) };
}

/** The same failure for every record of a run. */
export function failedPart(length: number, failure: PutOutcome): ResultPart {
  return { length, failedCount: length, get: () => failure };
}

/** Collects what came of a call's runs; settles its promise when all are known, or at an abort. */
export class PutCall {
  readonly promise: Promise<readonly ResultPart[]>;
  readonly #signal: AbortSignal | undefined;
  readonly #parts: (ResultPart | undefined)[] = [];
  readonly #errors: MillraceError[] = [];
  #missing = 0;
  #refusedForMs: number | undefined;
  #resolve: (parts: readonly ResultPart[]) => void = () => undefined;
  #reject: (reason: unknown) => void = () => undefined;
  #onAbort: (() => void) | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Whether nobody waits for the call any more. */
  get aborted(): boolean {
    return this.#signal?.aborted === true;
  }

  /** Milliseconds after which a refused record may be tried again; undefined when none was refused. */
  get refusedForMs(): number | undefined {
    return this.#refusedForMs;
  }

  /** Whether a run of the call was refused as a whole or in part, or failed. */
  get troubled(): boolean {
    return this.#refusedForMs !== undefined || this.#errors.length > 0;
  }

  /** Adds a run. */
  share(firstRow: number, count: number): Share {
    this.#missing += 1;
    this.#parts.push(undefined);
    return { call: this, position: this.#parts.length - 1, firstRow, count };
  }

  /** From now on an abort rejects the call at once and then calls `withdraw`. */
  listen(withdraw: () => void): void {
    const signal = this.#signal;
    if (signal === undefined) return;
    this.#onAbort = () => {
      this.#reject(signal.reason);
      withdraw();
    };
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** A run is known. */
  settle(share: Share, part: ResultPart): void {
    this.#parts[share.position] = part;
    if (part.failedCount > 0) this.#refusedForMs = retryAfter(part);
    this.#finishOne();
  }

  /** A run failed as a whole. */
  fail(share: Share, thrown: unknown): void {
    const error = toMillraceError(thrown);
    this.#errors.push(error);
    const { code: errorCode, message: errorMessage, retryAfterMs = 0 } = error;
    this.#parts[share.position] = failedPart(share.count, {
      errorCode,
      errorMessage,
      retryAfterMs,
    });
    this.#finishOne();
  }

  #finishOne(): void {
    this.#missing -= 1;
    if (this.#missing > 0) return;
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener("abort", this.#onAbort);
    const uncertain = this.#errors.find((error) => error.indeterminate);
    const [first] = this.#errors;
    // A part that may be stored must not look like one that is to be put again.
    if (uncertain !== undefined) this.#reject(uncertain);
    else if (first !== undefined && this.#errors.length === this.#parts.length) this.#reject(first);
    else this.#resolve(this.#parts.filter((part) => part !== undefined));
  }
}

function retryAfter(part: ResultPart): number {
  for (let row = 0; row < part.length; row++) {
    const outcome = part.get(row);
    if ("errorCode" in outcome) return outcome.retryAfterMs;
  }
  return 0;
}
