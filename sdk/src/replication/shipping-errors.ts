/** Which failures of the far side pass by themselves, and which ones wait for somebody. */
import {
  EngineClosedError,
  type ErrorDetails,
  MillraceError,
  RecordTooLargeError,
} from "@millrace/engine";

/** AWS's codes of what is only too much for a moment. */
const THROTTLES: ReadonlySet<string> = new Set([
  "LimitExceededException",
  "ProvisionedThroughputExceededException",
]);
const SKEWED = "RequestTimeTooSkewedException";
const CREDENTIALS = "UnrecognizedClientException";

/** What a failure means for the shipping: it is tried again, it waits for somebody, or it is the end. */
export type FailureVerdict = "throttled" | "outage" | "paused" | "ended";

/**
 * Judges a failure. A put whose outcome is not known is made again: what is stored twice bears the same mark. A
 * skewed clock was put right by the client once already; credentials that could not be fetched may come later.
 */
export function verdictOn(error: MillraceError): FailureVerdict {
  if (error instanceof EngineClosedError) return "ended";
  if (THROTTLES.has(error.code)) return "throttled";
  if (error.code === SKEWED) return "paused";
  if (error.code === CREDENTIALS) return isFetchFailure(error.cause) ? "outage" : "paused";
  return error.retryable || error.indeterminate ? "outage" : "paused";
}

/** Browsers fail a request that found no network with a TypeError. */
function isFetchFailure(cause: unknown): boolean {
  if (cause instanceof MillraceError) return cause.retryable;
  return (
    cause instanceof TypeError || (cause as { name?: unknown } | undefined)?.name === "AbortError"
  );
}

/** The refusal of one entry, as an error. */
export function refusalOf(code: string, message: string): MillraceError {
  return new MillraceError(code, message, { retryable: true });
}

/** A record that the far side has no room for in any entry. */
export function oversize(partitionKey: string, byteLength: number, limit: number): MillraceError {
  const details: ErrorDetails = { argument: "record", value: byteLength, limit };
  return new RecordTooLargeError(
    `a record of partition key ${JSON.stringify(partitionKey)} takes ${byteLength} bytes with its key, and the ` +
      `far side takes ${limit}: raise its limit, and resume`,
    details,
  );
}
