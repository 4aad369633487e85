/** What a DOMException of IndexedDB says about a call: certainly not done, or nobody knows. */
import { UnsupportedFormatError } from "../errors/engine-errors.ts";
import {
  FrameExistsError,
  OutcomeUnknownError,
  StorageUnavailableError,
  StoreFailedError,
  StoreFullError,
} from "../errors/store-errors.ts";

/** Errors of a request that never reached the store, or of a value that cannot be read. */
const DEFINITE = new Set([
  "DataCloneError",
  "DataError",
  "NotFoundError",
  "NotReadableError",
  "ReadOnlyError",
]);

/** What became of a transaction, for {@link classifyStoreError}. */
export interface FailedCall {
  /** The call, as in `appendFrame 12`. */
  readonly what: string;
  /** What IndexedDB raised; null when it aborted without giving a reason. */
  readonly error: unknown;
  /** Why the connection went away meanwhile, if it did. */
  readonly lostReason: string | undefined;
}

/** Turns a failed transaction into the one store error that tells what is known of its outcome. */
export function classifyStoreError({
  what,
  error,
  lostReason,
}: FailedCall): FrameExistsError | StoreFullError | StoreFailedError | OutcomeUnknownError {
  const name = errorName(error);
  const reason = `${what}: ${describe(error)}`;
  const details = { cause: error };
  if (name === "ConstraintError") return new FrameExistsError(reason, details);
  if (name === "QuotaExceededError") return new StoreFullError(reason, details);
  if (lostReason !== undefined) {
    return new OutcomeUnknownError(`${reason} (connection lost: ${lostReason})`, details);
  }
  // An AbortError, or an abort without a reason, is the browser tearing the connection down: its last
  // word on a transaction that was being committed may have been lost with it.
  if (DEFINITE.has(name)) return new StoreFailedError(reason, details);
  return new OutcomeUnknownError(reason, details);
}

/** Explains why a database could not be opened: it is of a newer build's schema, or the browser refuses. */
export function explainUnavailable(
  databaseName: string,
  error: unknown,
): StorageUnavailableError | UnsupportedFormatError {
  if (errorName(error) === "VersionError") {
    return new UnsupportedFormatError(
      `IndexedDB database ${databaseName} was upgraded by a newer build: reload this page to get that build ` +
        `(${describe(error)})`,
      { argument: "storage", value: "indexeddb", cause: error },
    );
  }
  const hints: Record<string, string> = {
    SecurityError: "the browser forbids storage to this page (private mode, or a sandboxed frame)",
    InvalidStateError: "the browser forbids storage to this page (private mode)",
    UnknownError: "the browser's storage failed",
    QuotaExceededError: "the browser has no room for a database",
  };
  const hint = hints[errorName(error)] ?? "the browser refused";
  return new StorageUnavailableError(
    `IndexedDB database ${databaseName} could not be opened: ${hint} (${describe(error)})`,
    { argument: "storage", value: "indexeddb", cause: error },
  );
}

function errorName(error: unknown): string {
  return error instanceof Error || error instanceof DOMException ? error.name : "";
}

function describe(error: unknown): string {
  if (error === null || error === undefined) return "aborted without a reason";
  return error instanceof Error || error instanceof DOMException
    ? `${error.name}: ${error.message}`
    : String(error);
}
