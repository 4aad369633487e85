/** Errors of the engine's own life: opening, closing, threads, memory, leadership. */
import { type ErrorDetails, MillraceError } from "./errors.ts";

/** The engine was closed. */
export class EngineClosedError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("EngineClosedException", message, details);
  }
}

/** Another tab or worker holds the engine. */
export class EngineInUseError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("EngineInUseException", message, { retryable: true, ...details });
  }
}

/** The engine met a failure that it cannot go on from; opening it again recovers what was acknowledged. */
export class EngineFailedError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("EngineFailedException", message, details);
  }
}

/** Another leader took the log over. */
export class DeposedError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("DeposedException", message, details);
  }
}

/** Nobody can tell whether the call took effect. */
export class IndeterminateError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("IndeterminateException", message, { ...details, indeterminate: true });
  }
}

/** The log was written by a newer build. */
export class UnsupportedFormatError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("UnsupportedFormatException", message, details);
  }
}

/** The outbox is full and did not drain in time. */
export class BackpressureError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("BackpressureException", message, { retryable: true, ...details });
  }
}

/** The engine's thread ended or failed while the call was under way. */
export class ThreadCrashError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("ThreadCrashException", message, { retryable: true, ...details });
  }
}

/** The call was not answered in time. */
export class DeadlineError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("DeadlineException", message, { retryable: true, ...details });
  }
}

/** Page and worker come from different builds. */
export class VersionMismatchError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("VersionMismatchException", message, details);
  }
}

/** The worker's script does not load or run. */
export class WorkerLoadError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("WorkerLoadException", message, details);
  }
}

/** The core's Wasm does not load or compile. */
export class WasmLoadError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("WasmLoadException", message, details);
  }
}

/** An error that nobody meant to raise; its cause says what happened. */
export class InternalFailureError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("InternalFailureException", message, details);
  }
}
