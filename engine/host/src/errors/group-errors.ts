/** Errors of consumer groups, under the names that the KCL's readers expect. */
import { type ErrorDetails, MillraceError } from "./errors.ts";

/** The lease is not the worker's any more, or its epoch is not the one that is due: nothing of the call counts. */
export class LeaseLostError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("LeaseLostException", message, details);
  }
}

/** The leader does not know the session: it is a new one, or gave the worker up. Join the group again. */
export class GroupSessionLostError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("GroupSessionLostException", message, { retryable: true, ...details });
  }
}
