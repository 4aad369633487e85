/**
 * Scales on-demand streams: adds up what is offered to them, and adjusts their capacity and shards once
 * a minute while something is offered, or when a peak grows too old to count.
 */
import { LimitExceededError, MillraceError } from "../errors/index.ts";
import type { ControlRecord, StreamDefinition, WriteCapacity } from "../log/control-records.ts";
import type { Clock } from "../platform/platform.ts";
import {
  ADJUSTMENT_INTERVAL_MS,
  adjusted,
  countedLoad,
  nextExpiryMs,
  observe,
  targetCapacity,
} from "./capacity.ts";
import type { Documents } from "./documents.ts";
import {
  type CapacityParts,
  capacityKey,
  capacityOf,
  capacityRecords,
  historyOf,
  warmMibpsOf,
} from "./on-demand.ts";

/** Load is measured over this long, as long as what a stream's tank holds. */
const WINDOW_MS = 1_000;
/** A wait for a peak to grow old is checked this often, because the wall clock may jump. */
const IDLE_MS_MAX = 3_600_000;

const IDLE: WriteCapacity = { recordsPerSecond: 0, bytesPerSecond: 0 };

/** What was offered to one stream since the last adjustment. */
interface Load {
  /** Number of the second, by the monotonic clock, that is being added up. */
  window: number;
  records: number;
  bytes: number;
  /** The highest sums of one second, each by itself. */
  peakRecords: number;
  peakBytes: number;
}

/** The parts of an engine that the scaler works with. */
export interface ScalerParts extends CapacityParts {
  readonly clock: Clock;
  readonly documents: Documents;
  /** Without AWS's quotas nothing is throttled, and no load raises a capacity. */
  readonly quotas: "unlimited" | "aws";
}

/** Scales the on-demand streams of one engine. */
export class OnDemandScaler {
  readonly #parts: ScalerParts;
  readonly #loads = new Map<number, Load>();
  #cancel: (() => void) | undefined;
  /** Milliseconds by the monotonic clock at which the timer fires. */
  #dueMs = Number.POSITIVE_INFINITY;
  #stopped = false;

  constructor(parts: ScalerParts) {
    this.#parts = parts;
  }

  /** Takes up after an opening what the last life left: peaks that grow too old. */
  resume(): void {
    this.#wakeLater();
  }

  /** Ends all adjusting. */
  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  /**
   * Counts what was offered to a stream, whether it was taken or refused. Bytes are those of keys and
   * data. Streams that are not on-demand are none of its business.
   */
  offered(streamUid: number, records: number, bytes: number): void {
    const { log, quotas } = this.#parts;
    if (quotas !== "aws" || log.control.stream(streamUid)?.mode !== "ON_DEMAND") return;
    const window = Math.floor(this.#parts.clock.monotonicMs() / WINDOW_MS);
    const load = this.#loadOf(streamUid);
    if (load.window !== window) {
      load.window = window;
      load.records = 0;
      load.bytes = 0;
    }
    if (load.peakRecords === 0) this.#wakeWithin(ADJUSTMENT_INTERVAL_MS);
    load.records += records;
    load.bytes += bytes;
    load.peakRecords = Math.max(load.peakRecords, load.records);
    load.peakBytes = Math.max(load.peakBytes, load.bytes);
  }

  /** Adjusts all on-demand streams by what was offered since the last time. @throws what the log's changes throw. */
  async adjust(): Promise<void> {
    const offered = this.#takeLoads();
    const { catalogue, clock } = this.#parts;
    for (const { uid } of this.#streams()) {
      // The stream may have changed, or be gone, by the time its turn comes.
      await catalogue.change(() => {
        const stream = this.#streams().find((one) => one.uid === uid);
        if (stream === undefined) return [];
        return this.#adjustment(stream, offered.get(uid) ?? IDLE, clock.nowMs());
      });
    }
    this.#wakeLater();
  }

  #loadOf(streamUid: number): Load {
    const known = this.#loads.get(streamUid);
    if (known !== undefined) return known;
    const load = { window: -1, records: 0, bytes: 0, peakRecords: 0, peakBytes: 0 };
    this.#loads.set(streamUid, load);
    return load;
  }

  /** The highest loads since the last time. The second that is being added up goes on. */
  #takeLoads(): Map<number, WriteCapacity> {
    const offered = new Map<number, WriteCapacity>();
    for (const [streamUid, load] of this.#loads) {
      if (load.peakRecords === 0) this.#loads.delete(streamUid);
      offered.set(streamUid, {
        recordsPerSecond: load.peakRecords,
        bytesPerSecond: load.peakBytes,
      });
      load.peakRecords = 0;
      load.peakBytes = 0;
    }
    return offered;
  }

  #streams(): StreamDefinition[] {
    const { catalogue } = this.#parts;
    return catalogue
      .list()
      .filter((one) => one.mode === "ON_DEMAND" && catalogue.status(one) !== "DELETING");
  }

  #adjustment(stream: StreamDefinition, offered: WriteCapacity, nowMs: number): ControlRecord[] {
    const { documents } = this.#parts;
    const capacity = capacityOf(stream);
    const before = historyOf(documents, stream.uid);
    const history = observe(before, nowMs, countedLoad(offered, capacity));
    const warmMibps = warmMibpsOf(documents, stream.uid, nowMs);
    const target = targetCapacity(history, nowMs, warmMibps);
    const changes = this.#scaling(stream, adjusted(capacity, target), nowMs);
    if (history === before) return changes;
    return [...changes, documents.putting(capacityKey(stream.uid), history)];
  }

  /** A stream for whose new shards there is no room stays as it is until closed ones have expired. */
  #scaling(stream: StreamDefinition, capacity: WriteCapacity, nowMs: number): ControlRecord[] {
    try {
      return capacityRecords(this.#parts, stream, capacity, nowMs);
    } catch (error) {
      if (error instanceof LimitExceededError) return [];
      throw error;
    }
  }

  /** Sets the timer for the next moment at which an adjustment may change something. */
  #wakeLater(): void {
    const nowMs = this.#parts.clock.nowMs();
    const waits = this.#streams().map((stream) => {
      if (this.#adjustment(stream, IDLE, nowMs).length > 0) return ADJUSTMENT_INTERVAL_MS;
      return nextExpiryMs(historyOf(this.#parts.documents, stream.uid), nowMs) ?? IDLE_MS_MAX;
    });
    this.#wakeWithin(Math.min(IDLE_MS_MAX, ...waits));
  }

  #wakeWithin(waitMs: number): void {
    const { clock } = this.#parts;
    const dueMs = clock.monotonicMs() + waitMs;
    if (this.#stopped || dueMs >= this.#dueMs) return;
    this.#cancel?.();
    this.#dueMs = dueMs;
    this.#cancel = clock.after(waitMs, () => {
      this.#dueMs = Number.POSITIVE_INFINITY;
      this.#cancel = undefined;
      this.adjust().catch((error: unknown) => {
        if (!(error instanceof MillraceError)) throw error;
        // A log that takes no more changes ends this life, and the next one measures anew.
        if (this.#parts.log.failure === undefined) this.#wakeWithin(ADJUSTMENT_INTERVAL_MS);
      });
    });
  }
}
