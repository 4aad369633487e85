/** How user records fail, and how a closed producer says so. */
import { type ErrorDetails, MillraceError } from "@millrace/engine";

/** One time that a user record was sent. */
export interface PutAttempt {
  /** When it was sent, in ms since the Unix epoch. */
  readonly atMs: number;
  /** How long the answer took. */
  readonly durationMs: number;
  /** Absent when it succeeded. */
  readonly error?: { readonly code: string; readonly message: string };
}

/**
 * A user record that was not put: refused for good, or too old for another attempt
 * (`RecordExpiredException`). `code` is the last error's. The KPL's UserRecordFailedException.
 */
export class UserRecordFailedError extends MillraceError {
  /** All times that it was sent, the first one first. */
  readonly attempts: readonly PutAttempt[];

  constructor(
    code: string,
    message: string,
    attempts: readonly PutAttempt[],
    details: ErrorDetails = {},
  ) {
    super(code, message, details);
    this.attempts = attempts;
  }
}

/** The producer was closed before the call. */
export class ProducerClosedError extends MillraceError {
  constructor(message: string, details: ErrorDetails = {}) {
    super("ProducerClosedException", message, details);
  }
}

/** Code of a user record that was older than its time to live. */
export const EXPIRED = "RecordExpiredException";
/** Code of an attempt that ended in another shard than it was meant for. */
export const WRONG_SHARD = "WrongShardException";
/** AWS's code of a record over a shard's quota. */
export const THROTTLED = "ProvisionedThroughputExceededException";
