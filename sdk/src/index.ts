/** Millrace: a Kinesis that lives in the browser. Everything an application imports. */
export {
  BackpressureError,
  type BatchShard,
  type DataLossReport,
  DeadlineError,
  DeposedError,
  EngineClosedError,
  EngineFailedError,
  EngineInUseError,
  IndeterminateError,
  InternalFailureError,
  InvalidArgumentError,
  type JsonValue,
  LimitExceededError,
  MillraceError,
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
export type { Millrace } from "./millrace.ts";
export { type OpenOptions, open } from "./open.ts";
export type { PutRecordsResult } from "./put-records-result.ts";
export type { ReadFrom, ReadOptions } from "./read-options.ts";
export type { PutOptions, Stream } from "./stream.ts";
export type { StreamOptions } from "./stream-spec.ts";
export type { Streams } from "./streams.ts";
