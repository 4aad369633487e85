/** How an invocation of a trigger's handler fails where the handler itself has not thrown. */
import { type ErrorDetails, MillraceError } from "@millrace/engine";

/** The handler did not answer in time. What it still does nobody hears of. */
export class InvocationTimeoutError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("InvocationTimeoutException", message, details);
  }
}

/** The answer says something that a partial batch response, or the state of a window, cannot say. */
export class BatchResponseError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("BatchResponseException", message, details);
  }
}

/** The handler says which records failed. */
export class BatchItemFailuresError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("BatchItemFailuresException", message, details);
  }
}
