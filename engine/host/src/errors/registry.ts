/**
 * Which error classes there are, and how an error crosses a thread border: as a plain object with the
 * class's name, made into an instance of that class again on the other side.
 */
import {
  BackpressureError,
  BatchGapError,
  DeadlineError,
  DeposedError,
  EngineClosedError,
  EngineExistsError,
  EngineFailedError,
  EngineInUseError,
  IndeterminateError,
  InternalFailureError,
  KeyLostError,
  ThreadCrashError,
  UnsupportedFormatError,
  VersionMismatchError,
  WasmLoadError,
  WorkerLoadError,
} from "./engine-errors.ts";
import { type ErrorDetails, MillraceError } from "./errors.ts";
import { GroupSessionLostError, LeaseLostError } from "./group-errors.ts";
import {
  KmsAccessDeniedError,
  KmsDisabledError,
  KmsInvalidStateError,
  KmsNotFoundError,
} from "./kms-errors.ts";
import {
  AccessDeniedError,
  ConnectionDroppedError,
  DryRunError,
  ExpiredIteratorError,
  ExpiredNextTokenError,
  InvalidArgumentError,
  LimitExceededError,
  NotSupportedError,
  RecordTooLargeError,
  RequestTooLargeError,
  ResourceInUseError,
  ResourceNotFoundError,
  SerializationError,
  StreamSpecMismatchError,
  ThroughputExceededError,
  ValidationError,
} from "./service-errors.ts";
import {
  FrameExistsError,
  OutcomeUnknownError,
  StorageUnavailableError,
  StoreFailedError,
  StoreFullError,
} from "./store-errors.ts";

/** An error class whose instances need a message and details only. */
export type MillraceErrorClass = new (message: string, details?: ErrorDetails) => MillraceError;

/** What caused an error, as plain data. */
export interface SerializedCause {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly cause: SerializedCause | undefined;
}

/** An error as plain data that structured cloning takes. */
export interface SerializedError {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly details: Omit<ErrorDetails, "cause">;
  readonly cause: SerializedCause | undefined;
}

/** Causes deeper than this are left out. */
const CAUSES_MAX = 4;

const CLASSES = new Map<string, MillraceErrorClass>();
const NAMES = new Map<unknown, string>();

/**
 * Makes a class known by a name that minifiers do not change; `error.name` is that name from then on.
 * Both sides of a thread border must register a class for its instances to arrive as such.
 */
export function registerError(name: string, errorClass: MillraceErrorClass): void {
  CLASSES.set(name, errorClass);
  NAMES.set(errorClass, name);
  // A minified class is named otherwise, and MillraceError takes its instances' name from there.
  Object.defineProperty(errorClass, "name", { value: name, configurable: true });
}

const OWN: Readonly<Record<string, MillraceErrorClass>> = {
  AccessDeniedError,
  BackpressureError,
  BatchGapError,
  ConnectionDroppedError,
  DeadlineError,
  DeposedError,
  DryRunError,
  EngineClosedError,
  EngineFailedError,
  EngineExistsError,
  EngineInUseError,
  ExpiredIteratorError,
  ExpiredNextTokenError,
  FrameExistsError,
  GroupSessionLostError,
  IndeterminateError,
  InternalFailureError,
  InvalidArgumentError,
  KeyLostError,
  KmsAccessDeniedError,
  KmsDisabledError,
  KmsInvalidStateError,
  KmsNotFoundError,
  LeaseLostError,
  LimitExceededError,
  NotSupportedError,
  OutcomeUnknownError,
  RecordTooLargeError,
  RequestTooLargeError,
  ResourceInUseError,
  ResourceNotFoundError,
  SerializationError,
  StorageUnavailableError,
  StoreFailedError,
  StoreFullError,
  StreamSpecMismatchError,
  ThreadCrashError,
  ThroughputExceededError,
  UnsupportedFormatError,
  ValidationError,
  VersionMismatchError,
  WasmLoadError,
  WorkerLoadError,
};
for (const [name, errorClass] of Object.entries(OWN)) registerError(name, errorClass);

function serializeCause(cause: unknown, left: number): SerializedCause | undefined {
  if (cause === undefined || left === 0) return undefined;
  if (!(cause instanceof Error)) {
    return { name: "Error", message: textOf(cause), stack: undefined, cause: undefined };
  }
  return {
    name: cause.name,
    message: cause.message,
    stack: cause.stack,
    cause: serializeCause(cause.cause, left - 1),
  };
}

/** What a thrown value that is no error says of itself; even that may throw. */
function textOf(value: unknown): string {
  try {
    return String(value);
  } catch (error) {
    return `a value without a text (${error instanceof Error ? error.message : "unknown"})`;
  }
}

/** The error itself when it is one of ours; any other as the cause of an InternalFailureError. */
export function toMillraceError(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  const text = error instanceof Error ? `${error.name}: ${error.message}` : textOf(error);
  return new InternalFailureError(`an unexpected error: ${text}`, { cause: error });
}

function detailsOf(error: MillraceError): SerializedError["details"] {
  const { argument, value, limit, retryAfterMs } = error;
  return {
    retryable: error.retryable,
    indeterminate: error.indeterminate,
    ...(argument === undefined ? {} : { argument }),
    ...(value === undefined ? {} : { value }),
    ...(limit === undefined ? {} : { limit }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

/** Makes anything thrown into plain data. What is no MillraceError becomes an InternalFailureError. */
export function serializeError(thrown: unknown): SerializedError {
  const error = toMillraceError(thrown);
  return {
    name: NAMES.get(error.constructor) ?? error.name,
    code: error.code,
    message: error.message,
    stack: error.stack,
    details: detailsOf(error),
    cause: serializeCause(error.cause, CAUSES_MAX),
  };
}

function reviveCause(serialized: SerializedCause): Error {
  const { cause } = serialized;
  const options = cause === undefined ? undefined : { cause: reviveCause(cause) };
  const error = new Error(serialized.message, options);
  error.name = serialized.name;
  if (serialized.stack !== undefined) error.stack = serialized.stack;
  return error;
}

/**
 * Makes an error of what {@link serializeError} gave: same class (a MillraceError of the same name and
 * code when this side does not know the class), code, message and details.
 */
export function reviveError(serialized: SerializedError): MillraceError {
  const { cause } = serialized;
  const details: ErrorDetails = {
    ...serialized.details,
    ...(cause === undefined ? {} : { cause: reviveCause(cause) }),
  };
  const errorClass = CLASSES.get(serialized.name);
  let error = errorClass === undefined ? undefined : new errorClass(serialized.message, details);
  if (error?.code !== serialized.code) {
    error = new MillraceError(serialized.code, serialized.message, details);
    error.name = serialized.name;
  }
  if (serialized.stack !== undefined) error.stack = serialized.stack;
  return error;
}

/** Whether an error has what all of ours have: one that another copy of this package made is none of our classes. */
function hasOurShape(error: unknown): error is MillraceError {
  if (!(error instanceof Error)) return false;
  const { code, retryable, indeterminate } = error as Partial<MillraceError>;
  return (
    typeof code === "string" && typeof retryable === "boolean" && typeof indeterminate === "boolean"
  );
}

/**
 * An error that another copy of this package made in this thread, as a module that was bundled by itself brings one,
 * as one of this copy's, with its cause; anything else as it is.
 */
export function adoptError(thrown: unknown): unknown {
  return adopt(thrown, CAUSES_MAX);
}

function adopt(thrown: unknown, causesMax: number): unknown {
  if (thrown instanceof MillraceError || !hasOurShape(thrown)) return thrown;
  const { name, code, message, stack } = thrown;
  const isBare = thrown.cause === undefined || causesMax === 0;
  // Within a thread a cause need not be made into plain data.
  const cause = isBare ? {} : { cause: adopt(thrown.cause, causesMax - 1) };
  const details = { ...detailsOf(thrown), ...cause };
  return reviveError({ name, code, message, stack, details, cause: undefined });
}
