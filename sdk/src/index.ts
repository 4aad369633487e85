/** Millrace: a Kinesis that lives in the browser. Everything an application imports. */
export {
  AccessDeniedError,
  BackpressureError,
  type BatchShard,
  type BrokerSource,
  type CheckReport,
  ConnectionDroppedError,
  type DataLossReport,
  DeadlineError,
  DeposedError,
  DryRunError,
  EngineClosedError,
  type EngineEvent,
  EngineExistsError,
  EngineFailedError,
  EngineInUseError,
  ExpiredIteratorError,
  ExpiredNextTokenError,
  type FaultRule,
  IndeterminateError,
  InternalFailureError,
  InvalidArgumentError,
  type JsonValue,
  KeyLostError,
  KmsAccessDeniedError,
  KmsDisabledError,
  KmsInvalidStateError,
  KmsNotFoundError,
  LimitExceededError,
  type MasterKeyDescription,
  type MemberStatus,
  MillraceError,
  NotSupportedError,
  type PutFailure,
  type PutOutcome,
  type PutRecord,
  type PutSuccess,
  type RecordBatch,
  type RecordData,
  RecordTooLargeError,
  RequestTooLargeError,
  ResourceInUseError,
  ResourceNotFoundError,
  type ShardDescription,
  type ShardMetrics,
  type StorageReport,
  StorageUnavailableError,
  StoreFailedError,
  StoreFullError,
  type StreamDescription,
  type StreamRecord,
  StreamSpecMismatchError,
  ThreadCrashError,
  ThroughputExceededError,
  UnsupportedFormatError,
  ValidationError,
  VERSION,
  VersionMismatchError,
  WasmLoadError,
  WorkerLoadError,
  type WorkerSource,
} from "@millrace/engine";
export type { ImportReport, ImportSource } from "./archive.ts";
export type { AwsClientConfig, AwsOptions } from "./aws/client-config.ts";
export type { EngineEventKind, EngineEventOf, ListenOptions } from "./events.ts";
export type { Faults } from "./faults.ts";
export type { KeyOptions, Keys } from "./keys.ts";
export type { Millrace } from "./millrace.ts";
export { type ImportOptions, importLog, type OpenOptions, open } from "./open.ts";
export type { PutRecordsResult } from "./put-records-result.ts";
export type { ReadFrom, ReadOptions } from "./read-options.ts";
export type { PutOptions, Stream, SubscribeOptions } from "./stream.ts";
export type { MetricDatapoint, MetricOptions, StreamConsumer } from "./stream-control.ts";
export type { StreamKeeping, StreamOptions } from "./stream-spec.ts";
export type { Streams } from "./streams.ts";
export type { EngineTime } from "./time.ts";
export type { Trail } from "./trail.ts";
