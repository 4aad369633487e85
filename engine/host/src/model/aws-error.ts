/** Errors as AWS's wire protocols know them: a code, a text, a status. */
import { toMillraceError } from "../errors/index.ts";

/** What a face answers instead of an output. */
export interface AwsError {
  /** AWS's exception name; goes into `__type`. */
  readonly code: string;
  readonly message: string;
  /** HTTP status. */
  readonly statusCode: number;
  /** Whose fault it is; clients repeat calls that failed by the server's. */
  readonly fault: "client" | "server";
}

/**
 * Codes of the engine's own, and the one of AWS by which a client does what is right.
 *
 * A full outbox is a throttle: clients back off and repeat. A full store refuses the same way, under the
 * name that control operations know as well. An engine that is gone answers as a service that is not
 * available. What may have taken effect is an internal failure: AWS, too, says no more of such calls.
 */
const EQUIVALENTS: ReadonlyMap<string, string> = new Map([
  ["BackpressureException", "ProvisionedThroughputExceededException"],
  ["BatchGapException", "ServiceUnavailable"],
  ["StoreFullException", "LimitExceededException"],
  ["EngineClosedException", "ServiceUnavailable"],
  ["EngineExistsException", "ResourceInUseException"],
  ["EngineFailedException", "ServiceUnavailable"],
  ["EngineInUseException", "ServiceUnavailable"],
  ["DeposedException", "ServiceUnavailable"],
  ["StorageUnavailableException", "ServiceUnavailable"],
  ["ConnectionDroppedException", "InternalFailureException"],
  ["DeadlineException", "InternalFailureException"],
  ["FrameExistsException", "InternalFailureException"],
  ["GroupSessionLostException", "ServiceUnavailable"],
  ["IndeterminateException", "InternalFailureException"],
  ["LeaseLostException", "ResourceInUseException"],
  ["OutcomeUnknownException", "InternalFailureException"],
  ["StoreFailedException", "InternalFailureException"],
  ["ThreadCrashException", "InternalFailureException"],
  ["UnsupportedFormatException", "InternalFailureException"],
  ["VersionMismatchException", "InternalFailureException"],
  ["WasmLoadException", "InternalFailureException"],
  ["WorkerLoadException", "InternalFailureException"],
]);

/** Codes that are the server's fault; every other is the client's, and answered with status 400. */
const SERVER_STATUS: ReadonlyMap<string, number> = new Map([
  ["InternalFailure", 500],
  ["InternalFailureException", 500],
  ["InternalServerError", 500],
  ["ServiceUnavailable", 503],
  ["ServiceUnavailableException", 503],
]);

/** Anything thrown as AWS would answer it. */
export function awsErrorOf(error: unknown): AwsError {
  const known = toMillraceError(error);
  const code = EQUIVALENTS.get(known.code) ?? known.code;
  const serverStatus = SERVER_STATUS.get(code);
  return {
    code,
    message: known.message,
    statusCode: serverStatus ?? 400,
    fault: serverStatus === undefined ? "client" : "server",
  };
}
