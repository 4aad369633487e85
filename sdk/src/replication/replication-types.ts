/** What an application hears of a replication, whichever way the records go: its state, its figures, its events. */
import type { MillraceError } from "@millrace/engine";
import type { EventOfKind } from "../listeners.ts";

/**
 * What a replication does in this thread: it gets ready; it copies; it waits for the network; it was paused, by
 * `pause()` or by an error that only somebody can mend; another thread has the work; it was stopped or has failed.
 */
export type ReplicationState =
  | "starting"
  | "running"
  | "waiting-offline"
  | "paused"
  | "standby"
  | "stopped";

/** How a replication is doing. Counts are of this thread, since it was started here. */
export interface ReplicationStatus {
  readonly state: ReplicationState;
  /** What paused it; undefined while it is not paused, and when `pause()` did. */
  readonly reason: MillraceError | undefined;
  /** Records whose copy is stored. */
  readonly copiedRecords: number;
  /** The same in bytes of data. */
  readonly copiedBytes: number;
  /** Attempts that came to nothing and were made again, or will be. */
  readonly retries: number;
  /** Records that were left out because they had been copied before. */
  readonly repeats: number;
  /** What was told as gaps in this thread, the last 100. */
  readonly gaps: readonly ReplicationGap[];
  /** Records that are not copied yet; undefined where the far side does not tell how many there are. */
  readonly lagRecords: number | undefined;
  /** How far the copy is behind the source, in ms: 0 when it has caught up, undefined when it is not known yet. */
  readonly lagMs: number | undefined;
  /** Records that were copied per second, of late. */
  readonly recordsPerSecond: number;
  /** When it will have caught up if it goes on so, in ms from now; 0 when it has, undefined when it cannot be told. */
  readonly estimatedMs: number | undefined;
  /** What failed last, whether it was mended since or not. */
  readonly lastError: MillraceError | undefined;
}

/**
 * Records of the source that were gone before they were copied, or may have been; of an aggregate that consumers
 * leave out, since it has members of another shard, `after` and `before` are its own number.
 */
export interface ReplicationGap {
  readonly shardId: string;
  /** The last record before the gap that was read or copied; undefined for none. */
  readonly after: string | undefined;
  /** The first record behind it; undefined when nothing of the shard is left, as when it expired while nothing ran. */
  readonly before: string | undefined;
}

/** What a replication tells about its work. */
export type ReplicationEvent =
  | {
      /** It does something else from now on. */
      readonly kind: "changed";
      readonly state: ReplicationState;
      readonly reason: MillraceError | undefined;
    }
  | {
      /** The far side took or gave less than was asked for, or could not be reached; tried again in so many ms. */
      readonly kind: "throttled" | "outage";
      readonly error: MillraceError;
      readonly retryMs: number;
    }
  | {
      /** Records will pass their retention before they are sent unless it goes on until then. */
      readonly kind: "expiring";
      readonly shardId: string;
      /** When the oldest one does, in ms from now. */
      readonly expiresMs: number;
    }
  /** Records were lost to the copy; it goes on behind them, and with what came of a shard that is gone. */
  | (ReplicationGap & { readonly kind: "gap" })
  | {
      /** Paused by an error that only somebody can mend; nothing is lost. */
      readonly kind: "failed";
      readonly error: MillraceError;
    }
  | { readonly kind: "caught-up" };

/** Kinds of events: see {@link ReplicationEvent}. */
export type ReplicationEventKind = ReplicationEvent["kind"];

/** Events of one kind. */
export type ReplicationEventOf<Kind extends ReplicationEventKind> = EventOfKind<
  ReplicationEvent,
  Kind
>;

/** All kinds. */
export const REPLICATION_KINDS = [
  "changed",
  "throttled",
  "outage",
  "expiring",
  "gap",
  "failed",
  "caught-up",
] as const satisfies readonly ReplicationEventKind[];

/** A replication as an application holds it. Stop it before either of the two sides is closed. */
export interface Replication {
  /** The consumer group of the local stream that keeps its progress. */
  readonly name: string;
  /** Whether it was stopped or has ended. */
  readonly closed: boolean;
  /**
   * Resolves when it was stopped. Rejects with ResourceNotFoundError when the local stream or the group was
   * deleted, and with EngineClosedError when one of the two sides was closed under it.
   */
  readonly finished: Promise<void>;
  /** How it is doing. */
  status(): Promise<ReplicationStatus>;
  /**
   * Copies nothing from now on here; resolves when nothing is under way. What this thread has to copy stays with it;
   * only when a stream is shipped elsewhere, a thread that starts meanwhile is given its part of the shards, and ships
   * that.
   */
  pause(): Promise<void>;
  /** Goes on after `pause()`, and tries again after an error that paused it. */
  resume(): void;
  /** Stops it here and leaves the work to other threads; resolves when nothing is under way. Safe to call twice. */
  stop(): Promise<void>;
  /** Calls back with every event of one kind from now on. Returns how to end that. @throws InvalidArgumentError. */
  on<Kind extends ReplicationEventKind>(
    kind: Kind,
    listener: (event: ReplicationEventOf<Kind>) => void,
  ): () => void;
}
