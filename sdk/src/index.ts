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
  type GroupDefinition,
  type GroupDescription,
  GroupSessionLostError,
  IndeterminateError,
  InternalFailureError,
  InvalidArgumentError,
  type JobState,
  type JsonValue,
  KeyLostError,
  KmsAccessDeniedError,
  KmsDisabledError,
  KmsInvalidStateError,
  KmsNotFoundError,
  type LeaseDescription,
  LeaseLostError,
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
  type WorkerDescription,
  WorkerLoadError,
  type WorkerSource,
} from "@millrace/engine";
export type { ImportReport, ImportSource } from "./archive.ts";
export type { AwsClientConfig, AwsOptions } from "./aws/client-config.ts";
export type { Backend, BackendOptions } from "./backend.ts";
export type { EngineEventKind, EngineEventOf, ListenOptions } from "./events.ts";
export type { Faults } from "./faults.ts";
export type { ConsumerGroup, GroupReadOptions, ResetOptions } from "./groups/consumer-group.ts";
export type { GroupBatch, GroupReader } from "./groups/group-reader.ts";
export type {
  Checkpointer,
  CheckpointWith,
  GroupOptions,
  GroupStart,
  InitializeInput,
  OutputRecord,
  ProcessInput,
  ShardProcessor,
  StateValue,
  UserRecord,
  WorkerEvent,
  WorkerOptions,
} from "./groups/group-types.ts";
export type {
  GroupWorker,
  ProcessorFactory,
  WorkerEventKind,
  WorkerEventOf,
} from "./groups/group-worker.ts";
export type { Groups } from "./groups/groups.ts";
export type {
  JobContext,
  JobDefinition,
  JobDescription,
  JobGroupOptions,
  JobModule,
  JobParts,
  JobRestartOptions,
  JobSummary,
  JobWorkerOptions,
  JobWorkerReport,
} from "./jobs/job-types.ts";
export type { Jobs } from "./jobs/jobs.ts";
export type { KeyOptions, Keys } from "./keys.ts";
export type { Millrace } from "./millrace.ts";
export { type ImportOptions, importLog, type OpenOptions, open } from "./open.ts";
export {
  definePipeline,
  type PipelineBuilder,
  type PipelineDefinition,
} from "./pipelines/define-pipeline.ts";
export type { Flow } from "./pipelines/flow.ts";
export type { Pipeline } from "./pipelines/pipeline.ts";
export type {
  Aggregation,
  DeployedPipeline,
  DeployedStage,
  PipelineDeployment,
  PipelineDescription,
  PipelineEdge,
  PipelineEvent,
  PipelineNode,
  PipelineRemoval,
  PipelineStartOptions,
  RecordOrigin,
  RekeyOptions,
  SinkOptions,
  SourceOptions,
  ValueFormat,
} from "./pipelines/pipeline-types.ts";
export type { Pipelines } from "./pipelines/pipelines.ts";
export type { ProducerOptions } from "./producer/options.ts";
export type { ProducerPutResult } from "./producer/pending-record.ts";
export type { Producer } from "./producer/producer.ts";
export type { PutAttempt } from "./producer/producer-errors.ts";
export type { ProducerMetrics } from "./producer/producer-tally.ts";
export type { PutRecordsResult } from "./put-records-result.ts";
export type { ReadFrom, ReadOptions } from "./read-options.ts";
export {
  defineReplication,
  type OpenRemote,
  type ReplicationDefinition,
  type ReplicationJobOptions,
} from "./replication/define-replication.ts";
export type { ReplicationMark } from "./replication/mark.ts";
export type { NetworkWatch } from "./replication/network.ts";
export type { ReplicateOptions, ReplicationRemote } from "./replication/replication-options.ts";
export type {
  Replication,
  ReplicationEvent,
  ReplicationEventKind,
  ReplicationEventOf,
  ReplicationGap,
  ReplicationState,
  ReplicationStatus,
} from "./replication/replication-types.ts";
export type { Stream } from "./stream.ts";
export type { MetricDatapoint, MetricOptions } from "./stream-control.ts";
export type { MillraceLike, StreamConsumer, StreamLike, StreamsLike } from "./stream-like.ts";
export type { PutOptions, SubscribeOptions } from "./stream-options.ts";
export type { StreamKeeping, StreamOptions } from "./stream-spec.ts";
export type { Streams } from "./streams.ts";
export type { EngineTime } from "./time.ts";
export type { Trail } from "./trail.ts";
export {
  defineTrigger,
  type TriggerDefinition,
  type TriggerJobOptions,
} from "./triggers/define-trigger.ts";
export type { FilterCriteria } from "./triggers/filter-criteria.ts";
export type {
  Trigger,
  TriggerDescription,
  TriggerEventKind,
  TriggerEventOf,
} from "./triggers/trigger.ts";
export type {
  BatchItemFailuresError,
  BatchResponseError,
  InvocationTimeoutError,
} from "./triggers/trigger-errors.ts";
export type {
  DiscardCondition,
  KinesisEvent,
  KinesisEventRecord,
  LambdaCallback,
  LambdaContext,
  LambdaHandler,
  TriggerEvent,
  TriggerMetrics,
  TriggerOptions,
} from "./triggers/trigger-types.ts";
