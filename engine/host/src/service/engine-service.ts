/** The engine as its faces see it: control calls with plain objects, data calls with packed buffers. */
import type {
  ResolvedPosition,
  ShardCursor,
  StartingPosition,
  StreamDescription,
  StreamSpec,
} from "../streams/stream-types.ts";

export type {
  ResolvedPosition,
  ShardCursor,
  ShardDescription,
  StartingPosition,
  StreamDescription,
  StreamSpec,
} from "../streams/stream-types.ts";

/** One packed read over any number of shards of one stream. */
export interface ReadRequest {
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
  readonly kind: "indexeddb" | "memory";
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
}

/** Damage or loss that recovery or a read found; never hidden. */
export interface DataLossReport {
  readonly kind: "wal-frame" | "segment";
  /** Which frame or segment. */
  readonly where: string;
  readonly reason: string;
  /** Number of records lost, when it can be told. */
  readonly recordCount: number | undefined;
}

/** Control operations by name: argument and answer. */
export interface ControlOperations {
  createStream(spec: StreamSpec): StreamDescription;
  describeStream(argument: { name: string }): StreamDescription;
  listStreams(argument: Record<string, never>): StreamDescription[];
  deleteStream(argument: { name: string }): null;
  resolvePosition(argument: {
    name: string;
    position: StartingPosition;
    /** Only this shard; all when undefined. */
    shardId?: string;
  }): ResolvedPosition[];
  shardMetrics(argument: { name: string }): ShardMetrics[];
  storageReport(argument: Record<string, never>): StorageReport;
  dataLoss(argument: Record<string, never>): DataLossReport[];
}

/** An open engine, whichever thread it runs in. */
export interface EngineService {
  /** Runs one control operation. Rejects with a MillraceError. */
  call<Operation extends keyof ControlOperations>(
    operation: Operation,
    argument: Parameters<ControlOperations[Operation]>[0],
  ): Promise<ReturnType<ControlOperations[Operation]>>;
  /**
   * Appends a request batch and resolves with the packed result once its records are durable.
   * The batch is not kept after the promise settles.
   */
  put(batch: ArrayBuffer): Promise<ArrayBuffer>;
  /** Resolves with a packed read slice, owned by the caller. */
  read(request: ReadRequest, signal: AbortSignal): Promise<ArrayBuffer>;
  /** Commits what is pending, releases the lock, closes the store. Safe to call twice. */
  close(): Promise<void>;
}

/** How an engine is opened. */
export interface EngineOptions {
  readonly name: string;
  readonly storage: "indexeddb" | "memory";
  readonly quotas: "unlimited" | "aws";
  /** Wasm memory that the engine may use, in bytes; 16 MiB to 2 GiB. */
  readonly memoryBudgetBytes: number;
}
