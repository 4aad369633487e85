/** All errors of the engine in one list. */
export {
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
  seeLoadingPage,
  ThreadCrashError,
  UnsupportedFormatError,
  VersionMismatchError,
  WasmLoadError,
  WorkerLoadError,
} from "./engine-errors.ts";
export { type ErrorDetails, MillraceError } from "./errors.ts";
export { GroupSessionLostError, LeaseLostError } from "./group-errors.ts";
export {
  KmsAccessDeniedError,
  KmsDisabledError,
  KmsInvalidStateError,
  KmsNotFoundError,
} from "./kms-errors.ts";
export {
  adoptError,
  type MillraceErrorClass,
  registerError,
  reviveError,
  type SerializedCause,
  type SerializedError,
  serializeError,
  toMillraceError,
} from "./registry.ts";
export {
  ACCOUNT_ID,
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
export {
  FrameExistsError,
  OutcomeUnknownError,
  StorageUnavailableError,
  StoreFailedError,
  StoreFullError,
} from "./store-errors.ts";
