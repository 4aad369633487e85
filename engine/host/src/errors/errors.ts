/**
 * Every error that Millrace raises on purpose. Each has a `code` (AWS's exception name where AWS has
 * one), says whether a retry may help, and names the argument, the value and the limit where there is
 * one. They cross thread borders as plain objects: see {@link serializeError} and {@link reviveError}.
 */

/** Facts that an error carries besides its message. */
export interface ErrorDetails {
  /** Name of the offending argument, as in `records[3].partitionKey`. */
  readonly argument?: string;
  /** The offending value, shortened when long. */
  readonly value?: string | number | boolean | null;
  /** The limit that was crossed, in the unit the message names. */
  readonly limit?: string | number;
  /** Whether the same call may succeed later. */
  readonly retryable?: boolean;
  /** Milliseconds after which a retry makes sense. */
  readonly retryAfterMs?: number;
  /** The outcome is not known: the call may have taken effect. */
  readonly indeterminate?: boolean;
  /** What caused it. */
  readonly cause?: unknown;
}

/** Base of all errors of Millrace. */
export class MillraceError extends Error {
  /** Stable identifier; AWS's exception name where AWS has one. */
  readonly code: string;
  readonly argument: string | undefined;
  readonly value: string | number | boolean | null | undefined;
  readonly limit: string | number | undefined;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly indeterminate: boolean;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.argument = details.argument;
    this.value = details.value;
    this.limit = details.limit;
    this.retryable = details.retryable ?? false;
    this.retryAfterMs = details.retryAfterMs;
    this.indeterminate = details.indeterminate ?? false;
  }
}
