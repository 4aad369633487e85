/** What a replication has done and what it does: its counts and its state, told whenever they change. */
import type { EngineClient, MillraceError } from "@millrace/engine";
import type { Listeners } from "../listeners.ts";
import { RateMeter } from "./rate-meter.ts";
import type {
  ReplicationEvent,
  ReplicationGap,
  ReplicationState,
  ReplicationStatus,
} from "./replication-types.ts";

/** Gaps that are kept for {@link ReplicationProgress.status}. */
const GAPS_MAX = 100;

/** What is not counted here: how much there is to do yet. */
export type ReplicationLag = Pick<ReplicationStatus, "lagRecords" | "lagMs" | "estimatedMs">;

/** See above. */
export class ReplicationProgress {
  readonly #listeners: Listeners<ReplicationEvent>;
  readonly #rate: RateMeter;
  #state: ReplicationState = "standby";
  #reason: MillraceError | undefined;
  #lastError: MillraceError | undefined;
  #records = 0;
  #bytes = 0;
  #retries = 0;
  #repeats = 0;
  #caughtUp = false;
  #gaps: readonly ReplicationGap[] = [];

  constructor(clock: EngineClient["clock"], listeners: Listeners<ReplicationEvent>) {
    this.#listeners = listeners;
    this.#rate = new RateMeter(clock);
  }

  /** What it does now. */
  get state(): ReplicationState {
    return this.#state;
  }

  /** It does something else from now on; once it has stopped, nothing. */
  enter(state: ReplicationState, reason?: MillraceError): void {
    if (this.#state === "stopped") return;
    if (state === this.#state && reason === this.#reason) return;
    this.#state = state;
    this.#reason = reason;
    this.#listeners.tell({ kind: "changed", state, reason });
    if (reason !== undefined) this.failed(reason);
    if (reason !== undefined) this.#listeners.tell({ kind: "failed", error: reason });
  }

  /** Copies of records are stored. */
  copied(records: number, bytes: number): void {
    this.#records += records;
    this.#bytes += bytes;
    this.#rate.add(records);
  }

  /** Records were left out that had been copied before. */
  repeated(records: number): void {
    this.#repeats += records;
  }

  /** Records were gone before they were copied. */
  gap({ shardId, after, before }: ReplicationGap): void {
    const gap = { shardId, after, before };
    this.#gaps = [...this.#gaps, gap].slice(-GAPS_MAX);
    this.#listeners.tell({ kind: "gap", ...gap });
  }

  /** The last gaps that there were. */
  get gaps(): readonly ReplicationGap[] {
    return this.#gaps;
  }

  /** Something failed. */
  failed(error: MillraceError): void {
    this.#lastError = error;
  }

  /** An attempt came to nothing, and is made again in so many ms. */
  retrying(kind: "throttled" | "outage", error: MillraceError, retryMs: number): void {
    this.failed(error);
    this.#retries += 1;
    this.#caughtUp = false;
    this.#listeners.tell({ kind, error, retryMs });
  }

  /** Whether there is anything left to copy; that there is nothing any more is told once. */
  reached(end: boolean): void {
    if (end && !this.#caughtUp) this.#listeners.tell({ kind: "caught-up" });
    this.#caughtUp = end;
  }

  /** All figures. */
  status(lag: ReplicationLag): ReplicationStatus {
    return {
      state: this.#state,
      reason: this.#reason,
      copiedRecords: this.#records,
      copiedBytes: this.#bytes,
      retries: this.#retries,
      repeats: this.#repeats,
      gaps: this.#gaps,
      lagRecords: lag.lagRecords,
      lagMs: lag.lagMs,
      recordsPerSecond: this.#rate.perSecond,
      estimatedMs: lag.estimatedMs,
      lastError: this.#lastError,
    };
  }
}
