/** What a page imports of the engine: the client, errors, types and records; none of the engine itself. */
export { ROOT_PRINCIPAL } from "./access/principals.ts";
export {
  AccessDeniedError,
  adoptError,
  BackpressureError,
  ConnectionDroppedError,
  DeadlineError,
  DeposedError,
  DryRunError,
  EngineClosedError,
  EngineExistsError,
  EngineFailedError,
  EngineInUseError,
  type ErrorDetails,
  ExpiredIteratorError,
  ExpiredNextTokenError,
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
  MillraceError,
  NotSupportedError,
  RecordTooLargeError,
  RequestTooLargeError,
  ResourceInUseError,
  ResourceNotFoundError,
  registerError,
  StorageUnavailableError,
  StoreFailedError,
  StoreFullError,
  StreamSpecMismatchError,
  ThreadCrashError,
  ThroughputExceededError,
  toMillraceError,
  UnsupportedFormatError,
  ValidationError,
  VersionMismatchError,
  WasmLoadError,
  WorkerLoadError,
} from "./errors/index.ts";
export { checkJobSpec } from "./jobs/job-checks.ts";
export { JOB_RESTART_MS_MAX, JOB_WORKERS_MAX } from "./jobs/job-types.ts";
export type { LeaseTableRow } from "./lease-tables/lease-table-types.ts";
export { hexOfBytes } from "./model/hex.ts";
export { pause, withDeadline, withSignal } from "./platform/deadline.ts";
export { whenFree } from "./platform/locks.ts";
export { randomFraction } from "./platform/random-fraction.ts";
export { systemClock, waitingClock } from "./platform/system-clock.ts";
export { systemRandom } from "./platform/system-random.ts";
export { attachOver, openAttached, type Wire } from "./rpc/attached-engine.ts";
export {
  BatchEncoder,
  type BatchSettings,
  type EncoderMark,
  type PackedBatch,
} from "./rpc/batch-encoder.ts";
export type { BrokerSource } from "./rpc/broker-source.ts";
export type { EngineClient, PutSettings } from "./rpc/client.ts";
export type { ConnectOptions } from "./rpc/connect.ts";
export { urlGivenBy } from "./rpc/given-url.ts";
export { type OpenEngineOptions, openEngine } from "./rpc/open-engine.ts";
export {
  type CheckedRecord,
  checkRecord,
  type JsonValue,
  type Named,
  type PutRecord,
  type RecordData,
  recordTooLarge,
} from "./rpc/record-input.ts";
export {
  BatchResult,
  type PutFailure,
  type PutOutcome,
  type PutSuccess,
} from "./rpc/result-decoder.ts";
export {
  type BatchShard,
  decodeSlice,
  RecordBatch,
  type SlicePart,
  StreamRecord,
} from "./rpc/slice-decoder.ts";
export { BUILD_ID, VERSION } from "./rpc/version.ts";
export type { WorkerSource } from "./rpc/worker-thread.ts";
export {
  formatSequenceNumber,
  parseSequenceNumber,
  shardIndexOf,
} from "./sequence/sequence-number.ts";
export type {
  ApiCall,
  CallContext,
  Caller,
  CheckpointDescription,
  CheckReport,
  ControlOperations,
  DataLossReport,
  DataOperationName,
  EngineEvent,
  EngineOptions,
  EpochAnswer,
  EpochCheckpoint,
  EpochCommit,
  EpochState,
  EventCursor,
  ExpiredShard,
  FaultRule,
  GroupDefinition,
  GroupDescription,
  GroupPollAnswer,
  GroupPosition,
  GroupSpec,
  IteratorStamp,
  JobGroup,
  JobReport,
  JobRestart,
  JobSpec,
  JobState,
  JobStatus,
  JobWorkerReport,
  LeaseCheckpoint,
  LeaseDescription,
  LeaseOwner,
  LeaseStatus,
  MasterKeyDescription,
  MemberStatus,
  NewestShard,
  OwnedLease,
  ReadRequest,
  ResolvedPosition,
  ShardCursor,
  ShardDescription,
  ShardMetrics,
  StartingPosition,
  StorageReport,
  StoredJob,
  StreamDescription,
  StreamSpec,
  Subscription,
  SubscriptionTicket,
  WorkerDescription,
} from "./service/engine-service.ts";
export type {
  ConsumerInventory,
  Inventory,
  StreamInventory,
} from "./service/inventory-types.ts";
