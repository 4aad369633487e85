/** What a commit that did not come about is told with. */
import {
  BackpressureError,
  DeposedError,
  EngineClosedError,
  EngineFailedError,
  MillraceError,
  UnsupportedFormatError,
} from "../errors/index.ts";
import type { Testimony } from "./witness.ts";

/**
 * The core trapped: its memory can no longer be trusted, only the store can. What was under way may or
 * may not be in the store.
 */
export class CoreFailedError extends EngineFailedError {
  /** Whether it was this very call's own batch that the core trapped at. */
  readonly ownBatch: boolean;

  constructor(cause: MillraceError, ownBatch = false) {
    super(`the core failed (${cause.message}); what is in the store is safe`, {
      indeterminate: true,
      cause,
    });
    this.ownBatch = ownBatch;
  }
}

/**
 * The store came back older, as another one, or not in time: this life of the log is over. The next life
 * takes `testimony` for its witness, for what took the store away may have taken the witness with it.
 */
export class StoreReplacedError extends EngineFailedError {
  readonly testimony: Testimony;

  constructor(cause: MillraceError, testimony: Testimony) {
    super(cause.message, { indeterminate: true, cause });
    this.testimony = testimony;
  }
}

/**
 * What a log ends with whose store came back as `error` says, or not at all: the next life is recovered from
 * what is there by then, unless another leader took over or a newer build has the store.
 */
export function endedBy(error: MillraceError, witness: { testify(): Testimony }): MillraceError {
  if (error instanceof DeposedError || error instanceof StoreReplacedError) return error;
  if (error.cause instanceof UnsupportedFormatError) return error;
  return new StoreReplacedError(error, witness.testify());
}

/** The error as it is told to the one whose own batch the core trapped at. */
export function ownFault(error: CoreFailedError): CoreFailedError {
  return new CoreFailedError(asMillraceError(error.cause), true);
}

/** The error for a batch that finds no place among those that wait. `byteLength` is theirs together. */
export function tooManyWait(byteLength: number, limit: number): BackpressureError {
  return new BackpressureError(
    `requests of ${byteLength} bytes wait for the store, and at most ${limit} may`,
    { argument: "batch", value: byteLength, limit },
  );
}

/** The error itself when it is one of ours; a commit that failed in any other way may be tried again. */
export function asMillraceError(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  return new MillraceError("InternalFailureException", `a commit failed: ${String(error)}`, {
    retryable: true,
    cause: error,
  });
}

/** The error for calls after the log was closed. */
export function closedError(name: string): EngineClosedError {
  return new EngineClosedError(`the engine "${name}" is closed`, { argument: "name", value: name });
}
