/** Errors of the engine itself: not open, not reachable, not able to go on, not certain. */
import { type ErrorDetails, MillraceError } from "./errors.ts";

/** The outbox stayed full for as long as a put may wait; nothing was sent. */
export class BackpressureError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("BackpressureException", message, { retryable: true, ...details });
  }
}

/** The engine was closed before or during the call. */
export class EngineClosedError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("EngineClosedException", message, details);
  }
}

/** There is a log where one was to be imported to. */
export class EngineExistsError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("EngineExistsException", message, details);
  }
}

/** Another tab or worker holds the engine. */
export class EngineInUseError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("EngineInUseException", message, { retryable: true, ...details });
  }
}

/** The engine met something it cannot go on from; opening it again recovers from the store. */
export class EngineFailedError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("EngineFailedException", message, details);
  }
}

/** The engine's worker died with the call under way; a put is then indeterminate. */
export class ThreadCrashError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("ThreadCrashException", message, details);
  }
}

/** No answer came in time. */
export class DeadlineError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("DeadlineException", message, { retryable: true, ...details });
  }
}

/** Page and worker are of different versions or builds. */
export class VersionMismatchError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("VersionMismatchException", message, details);
  }
}

/** The message of a load error with the way to the page that says what to do about it. */
export function seeLoadingPage(message: string): string {
  return `${message}. See node_modules/millrace/docs/loading.md`;
}

/** The engine's worker did not load; the message says from where, why, and what to do. */
export class WorkerLoadError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("WorkerLoadException", message, details);
  }
}

/** The core did not load or compile; the message says from where, why, and what to do. */
export class WasmLoadError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("WasmLoadException", message, details);
  }
}

/** The put may have taken effect or not. Sending it anew may store its records a second time. */
export class IndeterminateError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("IndeterminateException", message, { ...details, indeterminate: true });
  }
}

/** Another leader took over this engine's log; this one writes no more. */
export class DeposedError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("DeposedException", message, details);
  }
}

/** The store was written by a newer build that uses what this one does not know. */
export class UnsupportedFormatError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("UnsupportedFormatException", message, details);
  }
}

/** A defect: something failed that has no error of its own. `cause` is what was thrown. */
export class InternalFailureError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("InternalFailureException", message, details);
  }
}

/** A batch must follow others of its producer that did not come here yet: send again from `details.value` on. */
export class BatchGapError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("BatchGapException", message, { retryable: true, ...details });
  }
}

/**
 * The data key of records is gone, so that nobody can read them any more. To AWS's clients it is a key that
 * waits for its deletion.
 */
export class KeyLostError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("KMSInvalidStateException", message, details);
  }
}
