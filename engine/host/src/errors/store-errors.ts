/** Errors of the places where logs are kept: what a refused write says about what was written. */
import { type ErrorDetails, MillraceError } from "./errors.ts";

/** A frame or segment with that key is in the store already; nothing was written. */
export class FrameExistsError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("FrameExistsException", message, details);
  }
}

/** The store refused a write for lack of space; nothing was written, and room may come back. */
export class StoreFullError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("StoreFullException", message, { retryable: true, ...details });
  }
}

/** The store gave no verdict: the write may or may not be there. Reopen it and look. */
export class OutcomeUnknownError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("OutcomeUnknownException", message, { indeterminate: true, ...details });
  }
}

/** The store failed a call for certain: nothing was written, or the value could not be read. */
export class StoreFailedError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("StoreFailedException", message, details);
  }
}

/** The platform has no such store or lock, or refuses to open it; the message names the cause. */
export class StorageUnavailableError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("StorageUnavailableException", message, details);
  }
}
