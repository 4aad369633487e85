/** The engine as its faces see it: control calls with plain objects, data calls with packed buffers. */
import type { FaultRule } from "../faults/fault-rules.ts";
import type { GroupOperations } from "../groups/group-operations.ts";
import type { EpochAnswer, EpochCommit } from "../groups/group-types.ts";
import type { JobOperations } from "../jobs/job-operations.ts";
import type { JobState } from "../jobs/job-types.ts";
import type { LeaseTableOperations } from "../lease-tables/lease-table-operations.ts";
import type { Datapoint } from "../metrics/metrics-registry.ts";
import type { OperationName, StructureOf } from "../model/shapes.ts";
import type { HoldOperations } from "../streams/hold-operations.ts";
import type {
  ResolvedPosition,
  ShardCursor,
  StartingPosition,
  StreamDescription,
  StreamKeeping,
  StreamSpec,
} from "../streams/stream-types.ts";
import type { AttachOperations } from "./attach-operations.ts";
import type { Inventory } from "./inventory-types.ts";

export type { FaultRule } from "../faults/fault-rules.ts";
export type {
  CheckpointDescription,
  EpochAnswer,
  EpochCheckpoint,
  EpochCommit,
  EpochState,
  ExpiredShard,
  GroupDefinition,
  GroupDescription,
  GroupPollAnswer,
  GroupPosition,
  GroupSpec,
  LeaseCheckpoint,
  LeaseDescription,
  LeaseOwner,
  LeaseStatus,
  NewestShard,
  OwnedLease,
  WorkerDescription,
} from "../groups/group-types.ts";
export type {
  JobGroup,
  JobReport,
  JobRestart,
  JobSpec,
  JobState,
  JobStatus,
  JobWorkerReport,
  StoredJob,
} from "../jobs/job-types.ts";
export type { LeaseTableRow } from "../lease-tables/lease-table-types.ts";
export type { Datapoint } from "../metrics/metrics-registry.ts";
export type {
  ResolvedPosition,
  ShardCursor,
  ShardDescription,
  StartingPosition,
  StreamDescription,
  StreamKeeping,
  StreamSpec,
} from "../streams/stream-types.ts";

/** Who makes a call. */
export interface Caller {
  /** ARN of the principal, as resource policies name it: see `access/principals.ts`. */
  readonly principal: string;
}

/** As what a data call counts for policies, injected faults, metrics and the call trail. */
export interface CallContext {
  readonly operation: OperationName;
  readonly caller: Caller;
}

/** Operations whose records travel as packed buffers: `put` and `read` carry them, not `invoke`. */
export type DataOperationName = "PutRecord" | "PutRecords" | "GetRecords" | "SubscribeToShard";

/** One call of an AWS operation with the members of the service model; not validated yet. */
export interface ApiCall<Name extends OperationName = OperationName> {
  readonly operation: Name;
  readonly input: unknown;
  readonly caller: Caller;
}

/** What the engine must check of a shard iterator before it reads for it. */
export interface IteratorStamp {
  /** When it was handed out, by the engine's clock, in ms since the Unix epoch. */
  readonly issuedMs: number;
  /** Creation of its shard in seconds since the Unix epoch: an iterator of a deleted namesake is invalid. */
  readonly createdSeconds: number;
  /** ARN of the stream that it must belong to, when the call names one. */
  readonly streamArn?: string | undefined;
}

/** A subscription to a shard that was admitted. */
export interface Subscription {
  readonly id: number;
  readonly streamUid: number;
  readonly streamName: string;
  readonly shardIndex: number;
  /** Sequence index that the first read begins with. */
  readonly nextIndex: number;
}

/**
 * A subscription as its reader carries it: a leader that does not know it takes it up, unless it is over
 * or another call took it over meanwhile.
 */
export interface SubscriptionTicket extends Subscription {
  readonly consumerArn: string;
  /** Who opened it. */
  readonly principal: string;
  /** By the engine's wall clock, in ms since the Unix epoch. */
  readonly openedMs: number;
}

/** What a producer says of a batch besides its header. */
export interface BatchOrder {
  /** All batches of the producer below this number are settled: acknowledged, refused or given up. */
  readonly settledBefore: number;
  /** Time since the batch was first sent, in ms; 0 for the first time. */
  readonly ageMs: number;
}

/** One packed read over any number of shards of one stream. */
export interface ReadRequest {
  /** The application's own read, unless told otherwise. */
  readonly call?: CallContext;
  /** For GetRecords: the iterator that the one cursor came from. */
  readonly iterator?: IteratorStamp;
  /**
   * For SubscribeToShard: the subscription that the one cursor belongs to. The read counts against its
   * own 2 MiB/s instead of the shard's, fails with ResourceInUseError once another call took the
   * subscription over, and with ResourceNotFoundError (argument "subscription") once it was closed or
   * five minutes are over.
   */
  readonly subscription?: SubscriptionTicket;
  readonly streamUid: number;
  readonly cursors: readonly ShardCursor[];
  /** At most 10,000 over all shards. */
  readonly recordsMax: number;
  /** At most 10 MiB over all shards, but always at least one record. */
  readonly bytesMax: number;
  /** With nothing to read, wait for a commit: milliseconds, 0 to answer at once with an empty slice. */
  readonly waitMs: number;
}

/** Counters of one shard since the engine opened; rates are the caller's to derive. */
export interface ShardMetrics {
  readonly shardIndex: number;
  readonly incomingRecords: number;
  readonly incomingBytes: number;
  readonly throttledRecords: number;
  readonly outgoingRecords: number;
  readonly outgoingBytes: number;
}

/** The engine's own view of where its bytes are. */
export interface StorageReport {
  /** Bytes that the engine may keep; undefined without a budget. */
  readonly budgetBytes: number | undefined;
  /** Bytes of WAL frames and segments that the engine keeps, as far as it knows. */
  readonly storedBytes: number;
  /** Whether the store is full: strict puts are refused until room comes back. */
  readonly full: boolean;
  /** Random id of this life of the log, 32 hexadecimal digits; another one after the log came back empty or older. */
  readonly incarnation: string;
  /** Whether a witness outside the store is kept. */
  readonly witnessed: boolean;
  readonly kind: "indexeddb" | "memory" | "file";
  readonly durable: boolean;
  readonly usageBytes: number | undefined;
  readonly quotaBytes: number | undefined;
  readonly persistent: boolean;
  readonly walFrames: number;
  readonly walBytes: number;
  readonly segments: number;
  readonly coreMemoryBytes: number;
  readonly dirtyBytes: number;
  readonly cachedBytes: number;
  /** Bytes of requests that are appended and not yet acknowledged. */
  readonly unacknowledgedBytes: number;
  /** Store commits since the engine opened. */
  readonly commits: number;
  readonly epoch: number;
  /** Why segments could last not be moved into the store, until they can. */
  readonly sealFailure: string | undefined;
  /** Why retention drops nothing at present although it might have to. */
  readonly retentionPausedBecause: string | undefined;
  /** Why events of the call trail could last not be written, until they can. */
  readonly trailFailure: string | undefined;
  /** Events of the call trail that were never written, since the engine opened. */
  readonly trailEventsLost: number;
}

/** Damage or loss that recovery or a read found; never hidden. */
export interface DataLossReport {
  readonly kind: "wal-frame" | "segment" | "log" | "key";
  /** Which frame, segment or data key, or the whole log. */
  readonly where: string;
  readonly reason: string;
  /** Number of records lost, when it can be told. */
  readonly recordCount: number | undefined;
  /** Bytes lost, when it can be told. */
  readonly byteLength?: number;
}

/** What an engine tells without being asked. */
export type EngineEvent =
  /** Damage or loss was found. */
  | { readonly kind: "data-loss"; readonly atMs: number; readonly report: DataLossReport }
  /** Records were dropped before their retention ended, because the store was full and the stream says so. */
  | {
      readonly kind: "records-dropped";
      readonly atMs: number;
      readonly streamName: string;
      readonly shardId: string;
      readonly firstSequenceNumber: string;
      readonly lastSequenceNumber: string;
      /** Undefined when it cannot be told. */
      readonly recordCount: number | undefined;
    }
  /** The store became full, or has room again. */
  | { readonly kind: "storage-full"; readonly atMs: number; readonly full: boolean }
  /** A job is doing otherwise than before; without a state it was deleted. */
  | {
      readonly kind: "job-changed";
      readonly atMs: number;
      readonly jobName: string;
      readonly state: JobState | undefined;
    }
  /** Another context leads from now on. */
  | {
      readonly kind: "leader-changed";
      readonly atMs: number;
      readonly epoch: number;
      /** Whether it is this context. */
      readonly here: boolean;
    };

/** A place in an engine's events: those of one leader are numbered. */
export interface EventCursor {
  readonly epoch: number;
  readonly nextEvent: number;
}

/** What part a context plays in an engine that several share. */
export interface MemberStatus {
  /**
   * "leader" writes the log; "follower" sends to the leader and may lead one day; "client" never leads,
   * `why` says the reason; "alone" is an engine that is not shared.
   */
  readonly role: "leader" | "follower" | "client" | "alone";
  readonly why: string | undefined;
  /** The leader's term, 0 while there is no leader. */
  readonly epoch: number;
  /** Random id of this context, 32 hexadecimal digits. */
  readonly memberId: string;
  /** The leader's, when there is one. */
  readonly leaderId: string | undefined;
  /** How messages reach the leader. */
  readonly transport: "local" | "port" | "broadcast" | "none";
  /** Contexts that are connected to this leader, itself included; 0 when it does not lead. */
  readonly members: number;
}

/** What a scrub of the store found. */
export interface CheckReport {
  readonly walFrames: number;
  readonly walBytes: number;
  readonly segments: number;
  readonly segmentBytes: number;
  readonly records: number;
  /** Empty when all is well. */
  readonly damage: readonly DataLossReport[];
}

/** A master key: what streams are encrypted under, as KMS has them. */
export interface MasterKeyDescription {
  readonly keyId: string;
  readonly arn: string;
  /** With `alias/` in front; null for none. */
  readonly alias: string | null;
  /** "Destroyed": it took all that it encrypted along. */
  readonly state: "Enabled" | "Disabled" | "Destroyed";
  /** The policy document as JSON; null for the default, by which the account may do everything. */
  readonly policy: string | null;
  /** Milliseconds since the Unix epoch. */
  readonly createdMs: number;
  /** Whether it is there by itself, as `alias/aws/kinesis`: it cannot be changed or destroyed. */
  readonly managed: boolean;
  /** Names of the streams that are encrypted under it at present. */
  readonly streams: readonly string[];
}

/** What an import wrote. */
export interface ImportReport {
  readonly frames: number;
  readonly segments: number;
  readonly byteLength: number;
  /** Random id of the log from now on, 32 hexadecimal digits. */
  readonly incarnation: string;
}

/** Control operations by name: argument and answer. */
export interface ControlOperations
  extends GroupOperations,
    JobOperations,
    LeaseTableOperations,
    HoldOperations,
    AttachOperations {
  /** Runs any operation but the data operations. The input is validated; the answer is as the model says. */
  invoke(argument: ApiCall): unknown;
  /** Makes all checks of a data operation or GetShardIterator but those of its records, then throws DryRunError. */
  dryRun(argument: ApiCall): never;
  /** The stream that a put's input names, when the caller may put into it. @throws as the operation. */
  locateStream(argument: ApiCall): StreamDescription;
  /**
   * Admits a subscription (SubscribeToShard without its events). The input is validated. Made again, it
   * replaces what the same principal opened less than 5 s ago.
   */
  openSubscription(argument: ApiCall<"SubscribeToShard">): SubscriptionTicket;
  closeSubscription(argument: { id: number }): null;
  /** Children of a closed shard, as GetRecords and SubscribeToShard report them at its end. */
  childShards(argument: { streamUid: number; shardIndex: number }): StructureOf<"ChildShard">[];
  /** Replaces the rules by which faults are injected. @throws InvalidArgumentError. */
  setFaults(argument: { rules: readonly FaultRule[] }): null;
  faults(argument: Record<string, never>): FaultRule[];
  /** Records every API call in a stream from now on; null ends it. @throws ResourceNotFoundError. */
  setTrail(argument: { streamName: string | null }): null;
  /** The engine's wall time in ms since the Unix epoch. */
  now(argument: Record<string, never>): number;
  /**
   * Lets virtual time pass, firing what becomes due, and answers the time then. Made again, it lets none
   * pass, for time that passed twice would delete what nobody meant to: the answer tells whether it did.
   * @throws InvalidArgumentError when time is not virtual.
   */
  advanceTime(argument: { byMs: number }): number;
  /** Deletes all streams, consumers, channels, policies, tags, settings and faults. */
  reset(argument: Record<string, never>): null;
  createStream(spec: StreamSpec): StreamDescription;
  describeStream(argument: { name: string }): StreamDescription;
  listStreams(argument: Record<string, never>): StreamDescription[];
  deleteStream(argument: { name: string }): null;
  /** All streams with what belongs to them, of one moment; no call of AWS's, so that nothing refuses or notes it. */
  inventory(argument: Record<string, never>): Inventory;
  /**
   * Changes how a stream is kept, from the next frame on; what is absent stays. Made again, it changes nothing
   * more. @throws ResourceNotFoundError, ResourceInUseError, InvalidArgumentError.
   */
  configureStream(argument: { name: string } & StreamKeeping): StreamDescription;
  resolvePosition(argument: {
    name: string;
    position: StartingPosition;
    /** Only this shard; all when undefined. */
    shardId?: string;
  }): ResolvedPosition[];
  shardMetrics(argument: { name: string }): ShardMetrics[];
  /**
   * Datapoints of one of CloudWatch's metrics, one a minute, of the last three hours: of the stream, of a
   * shard (when shard-level monitoring is enabled) or of a consumer. Times are ms since the Unix epoch.
   * @throws ResourceNotFoundError, InvalidArgumentError for a metric that there is not.
   */
  streamMetrics(argument: {
    name: string;
    metricName: string;
    shardId?: string;
    consumerName?: string;
    /** Minutes that begin at this time or later. */
    startMs: number;
    /** Minutes that begin before this time. */
    endMs: number;
  }): Datapoint[];
  storageReport(argument: Record<string, never>): StorageReport;
  /** Answered by the caller's own context, not by the leader. */
  memberStatus(argument: Record<string, never>): MemberStatus;
  /**
   * Events after a place, or from now on when it is null; waits for the first one up to `waitMs`. After a
   * change of leader all that the new one has told is told.
   */
  events(argument: { after: EventCursor | null; waitMs: number }): {
    readonly cursor: EventCursor;
    readonly events: readonly EngineEvent[];
  };
  /** Makes a master key. @throws InvalidArgumentError; ResourceInUseError when the alias is taken. */
  keysCreate(argument: { alias: string | null; policy: string | null }): MasterKeyDescription;
  keysList(argument: Record<string, never>): MasterKeyDescription[];
  /** `keyId` is an id, an alias, or the ARN of either, here and below. @throws KmsNotFoundError. */
  keysDescribe(argument: { keyId: string }): MasterKeyDescription;
  /** Replaces a key's policy; null restores the default one. @throws InvalidArgumentError, KmsNotFoundError. */
  keysSetPolicy(argument: { keyId: string; policy: string | null }): MasterKeyDescription;
  keysSetEnabled(argument: { keyId: string; enabled: boolean }): MasterKeyDescription;
  /** Gives every stream under a key a new data key; answers how many there are. */
  keysRotate(argument: { keyId: string }): number;
  /** Destroys a key and all that it encrypted, for ever; answers how many streams have no other key now. */
  keysDestroy(argument: { keyId: string }): { streams: number };
  /** Destroys all data keys of a stream and all that they encrypted, for ever. @throws ResourceNotFoundError, InvalidArgumentError. */
  shredStream(argument: { name: string }): null;
  /** Reads all frames and segments of the store and verifies them; writes nothing. */
  check(argument: Record<string, never>): CheckReport;
  /**
   * Begins to give out the log as one file (format "MRX1") of what it holds now. What is encrypted stays so.
   * @throws NotSupportedError for an engine in memory.
   */
  openExport(argument: Record<string, never>): { readonly id: number };
  /**
   * A piece of it, at most 4 MiB, by its number from 1 on: the next one, or the last one again; null behind
   * the end. @throws ResourceNotFoundError when the export is over, as after a change of leader.
   */
  readExport(argument: { id: number; piece: number }): Uint8Array | null;
  /** Lets go of what the export holds. */
  closeExport(argument: { id: number }): null;
  /**
   * Takes the next piece of an export; only where the engine was opened with `importing`.
   * @throws EngineExistsError, InvalidArgumentError for damage, UnsupportedFormatError.
   */
  writeImport(argument: { bytes: Uint8Array }): null;
  /** Makes what was imported valid. @throws InvalidArgumentError when it is not all there. */
  finishImport(argument: Record<string, never>): ImportReport;
  dataLoss(argument: Record<string, never>): DataLossReport[];
}

/** An open engine, whichever thread it runs in. */
export interface EngineService {
  /**
   * Runs one control operation. Rejects with a MillraceError. `again` says that it was sent to an earlier
   * leader and may have taken effect there.
   */
  call<Operation extends keyof ControlOperations>(
    operation: Operation,
    argument: Parameters<ControlOperations[Operation]>[0],
    again?: boolean,
  ): Promise<ReturnType<ControlOperations[Operation]>>;
  /**
   * Appends a request batch and resolves with the packed result once its records are as durable as their
   * stream asks. The batch is not kept after the promise settles. Without `call` it is the application's
   * own, without `order` it follows all that its producer sent before.
   *
   * @throws BatchGapError when batches of the same producer that it must follow did not come here yet.
   */
  put(batch: ArrayBuffer, call?: CallContext, order?: BatchOrder): Promise<ArrayBuffer>;
  /**
   * Commits one epoch of a consumer group's worker: checkpoints, changes of state and request batches, all
   * in one frame of the log, or nothing of it. The outputs may exceed quotas of shards and streams, which
   * then owe it. What names a batch is the epoch: producers and numbers in the outputs' headers are not
   * looked at. The same commit may be made again at any time, as after a change of leader, and counts once.
   *
   * @throws LeaseLostError when a lease is not the worker's under its counter, or another epoch is due.
   * @throws ResourceNotFoundError for the group or the stream of an output; RequestTooLargeError when the
   * outputs are more than one record and take more than 8 MiB; InvalidArgumentError, AccessDeniedError, StoreFullError.
   */
  commitEpoch(commit: EpochCommit, outputs: readonly ArrayBuffer[]): Promise<EpochAnswer>;
  /** Resolves with a packed read slice, owned by the caller. */
  read(request: ReadRequest, signal: AbortSignal): Promise<ArrayBuffer>;
  /** Commits what is pending, releases the lock, closes the store. Safe to call twice. */
  close(): Promise<void>;
}

/** How an engine is opened. */
export interface EngineOptions {
  readonly name: string;
  /** "file" in Node only. */
  readonly storage: "indexeddb" | "memory" | "file";
  readonly quotas: "unlimited" | "aws";
  /** Wasm memory that the engine may use, in bytes; 16 MiB to 2 GiB. */
  readonly memoryBudgetBytes: number;
  /** "virtual": time stands still until `advanceTime`; "system" when absent. */
  readonly time?: "system" | "virtual";
  /** How long streams and consumers are CREATING, UPDATING or DELETING, in ms; 0 when absent. */
  readonly transitionMs?: number;
  /** Enforces AWS's rates of control operations, too; false when absent. */
  readonly controlQuotas?: boolean;
  /** Bytes that the engine may keep in its store; as much as the platform gives when absent. */
  readonly storageBudgetBytes?: number;
  /** Opens it only to import a log into it; false when absent. */
  readonly importing?: boolean;
}
