/**
 * Ships records to the far side: one entry per shard and call, again and again until each is stored. What is
 * throttled is sent again alone; through outages it waits; what only somebody can mend has it pause.
 */
import {
  type EngineClient,
  type MillraceError,
  NotSupportedError,
  toMillraceError,
} from "@millrace/engine";
import { backOffMs } from "../groups/back-off.ts";
import { NO_ANSWER, type PutTarget, type TargetOutcome } from "../producer/put-target.ts";
import { TokenBucket } from "../producer/token-bucket.ts";
import type { NetworkWatch } from "./network.ts";
import { Shipment, type ShippableRecord } from "./shipment.ts";
import { oversize, refusalOf, verdictOn } from "./shipping-errors.ts";
import type { ShippedEntry, ShippingLane } from "./shipping-lane.ts";
import { ShippingLanes } from "./shipping-lanes.ts";

/** AWS's limits of one PutRecords. */
const ENTRIES_PER_CALL_MAX = 500;
const BYTES_PER_CALL_MAX = 10_485_760;
const CALLS_UNDER_WAY_MAX = 4;
/** First pauses after a refusal and an outage, in ms. */
const THROTTLED_MS = 100;
const OUTAGE_MS = 500;
/** Longest pause after an outage, in ms: a call in so long a time is no burden to anybody. */
const OUTAGE_MS_MAX = 15_000;
/** In the case that nobody tells of the network's return, in ms. */
const OFFLINE_LOOK_MS = 30_000;
/** Of records, a bucket for bytes has no limit. */
const ANY_NUMBER = 1e12;

/** What a shipper does. */
export type ShipperState = "running" | "waiting-offline" | "paused";

/** What a shipper tells. */
export interface ShipperListener {
  /** A shipment begins or has ended: see {@link Shipper.busy}. */
  shipping(): void;
  /** It does something else from now on. */
  changed(state: ShipperState, reason: MillraceError | undefined): void;
  /** Copies of records are stored. */
  copied(records: number, bytes: number): void;
  /** Something is tried again in so many ms. */
  retrying(kind: "throttled" | "outage", error: MillraceError, retryMs: number): void;
  /** The far side was closed: nothing can ever be sent again. */
  ended(error: MillraceError): void;
}

/** What a shipper is made of. */
export interface ShipperParts {
  readonly clock: EngineClient["clock"];
  readonly target: PutTarget;
  readonly network: NetworkWatch;
  /** Whether records are marked and aggregated. */
  readonly aggregate: boolean;
  /** Bytes of data and keys that are sent per second; as many as go when undefined. */
  readonly bytesPerSecondMax: number | undefined;
  readonly listener: ShipperListener;
}

interface TakenEntry {
  readonly lane: ShippingLane;
  readonly entry: ShippedEntry;
}

/** See above. */
export class Shipper {
  readonly #parts: ShipperParts;
  readonly #lanes: ShippingLanes;
  readonly #bucket: TokenBucket | undefined;
  readonly #stopWatching: () => void;
  readonly #stopListening: () => void;
  readonly #idle: (() => void)[] = [];
  #state: ShipperState = "running";
  #reason: MillraceError | undefined;
  #closed = false;
  #ordinal = 0;
  /** Those that nobody has withdrawn; whoever follows one withdraws it in the end. */
  readonly #shipments = new Set<Shipment>();
  #calls = 0;
  /** Whole calls in a row that failed. */
  #failures = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #listing = false;
  #turnScheduled = false;
  #cancelTimer: () => void = () => undefined;

  constructor(parts: ShipperParts) {
    this.#parts = parts;
    const { clock, bytesPerSecondMax, network, target } = parts;
    this.#lanes = new ShippingLanes(parts.aggregate, bytesPerSecondMax);
    if (bytesPerSecondMax !== undefined) {
      const rate = { recordsPerSecond: ANY_NUMBER, bytesPerSecond: bytesPerSecondMax };
      this.#bucket = new TokenBucket(rate, clock.monotonicMs());
    }
    this.#stopWatching = network.onChange(() => this.#networkChanged());
    // What has ended before it began is told to whoever is complete by then.
    const closed = (reason: MillraceError): void => queueMicrotask(() => this.#end(reason));
    this.#stopListening = target.onClose?.(closed) ?? (() => undefined);
    // Whether the far side can be reached at all is to be known before there is something to send.
    this.#schedule();
  }

  /** What it does. */
  get state(): ShipperState {
    return this.#state;
  }

  /** What paused it; undefined where nothing did, or the application. */
  get reason(): MillraceError | undefined {
    return this.#reason;
  }

  /** Whether something that was handed over is not done with: stored, and checkpointed as such. */
  get busy(): boolean {
    return this.#shipments.size > 0;
  }

  /** The lanes, for what the page's end still sends. */
  get lanes(): ShippingLanes {
    return this.#lanes;
  }

  /** Begins to ship records of one shard, in their order, behind all that came before. */
  ship(records: readonly ShippableRecord[]): Shipment {
    const shipment = new Shipment(records, this.#ordinal);
    this.#ordinal += records.length;
    this.#shipments.add(shipment);
    if (!this.#closed) this.#parts.listener.shipping();
    for (const record of shipment.records) this.#lanes.add(record);
    this.#schedule();
    return shipment;
  }

  /** Sends nothing more of a shipment; what is under way comes to its end. To be called for each one in the end. */
  withdraw(shipment: Shipment): void {
    if (shipment.withdrawn) return;
    shipment.withdraw();
    this.#shipments.delete(shipment);
    if (!this.#closed) this.#parts.listener.shipping();
    // What is stored in a shard that it was not meant for may be dropped there: it counts as not stored.
    for (const entry of this.#lanes.giveUpStrange(shipment)) {
      for (const record of entry.records) record.shipment.settled(record.place, false);
    }
    this.#lanes.remove((record) => record.shipment === shipment);
    this.#schedule();
  }

  /** Sends nothing from now on; resolves when nothing is under way. */
  async pause(): Promise<void> {
    this.#become("paused", this.#reason);
    await this.#quiet();
  }

  /** Goes on after {@link pause}, and tries again after what paused it. */
  resume(): void {
    if (this.#state !== "paused") return;
    this.#notBeforeMs = Number.NEGATIVE_INFINITY;
    // The far side may be another one by now: larger records, other shards.
    this.#lanes.outdated = true;
    this.#become("running", undefined);
    this.#schedule();
  }

  /** Sends nothing any more, and tells nothing. */
  close(): void {
    this.#closed = true;
    this.#cancelTimer();
    this.#stopWatching();
    this.#stopListening();
  }

  #become(state: ShipperState, reason: MillraceError | undefined): void {
    if (this.#closed || (state === this.#state && reason === this.#reason)) return;
    this.#state = state;
    this.#reason = reason;
    this.#parts.listener.changed(state, reason);
  }

  #networkChanged(): void {
    if (this.#parts.network.online()) {
      this.#failures = 0;
      this.#notBeforeMs = Number.NEGATIVE_INFINITY;
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#turnScheduled) return;
    this.#turnScheduled = true;
    queueMicrotask(() => {
      this.#turnScheduled = false;
      this.#turn();
    });
  }

  #wakeAt(dueMs: number): void {
    this.#cancelTimer();
    if (dueMs === Number.POSITIVE_INFINITY || this.#closed) return;
    const { clock } = this.#parts;
    const delayMs = Math.max(0, dueMs - clock.monotonicMs());
    this.#cancelTimer = clock.after(delayMs, () => this.#turn());
  }

  /** Makes all calls that may be made now. */
  #turn(): void {
    if (this.#closed || this.#state === "paused" || this.#listing) return;
    const { clock, network } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (!network.online()) {
      this.#become("waiting-offline", undefined);
      this.#wakeAt(nowMs + OFFLINE_LOOK_MS);
      return;
    }
    this.#become("running", undefined);
    if (nowMs < this.#notBeforeMs) this.#wakeAt(this.#notBeforeMs);
    else if (this.#lanes.outdated) void this.#list();
    else this.#wakeAt(this.#call(nowMs));
  }

  /** Makes calls; gives the monotonic time at which there may be another one. */
  #call(nowMs: number): number {
    while (this.#calls < CALLS_UNDER_WAY_MAX) {
      const waitMs = this.#bucket?.waitMs(1, nowMs) ?? 0;
      if (waitMs > 0) return nowMs + waitMs;
      const taken = this.#collect(nowMs);
      if (taken.length === 0) break;
      void this.#send(taken);
    }
    return this.#calls < CALLS_UNDER_WAY_MAX ? this.#lanes.nextMs(nowMs) : Number.POSITIVE_INFINITY;
  }

  /** Entries of as many lanes as one call takes. */
  #collect(nowMs: number): TakenEntry[] {
    const taken: TakenEntry[] = [];
    let byteLength = 0;
    for (const lane of this.#lanes.ready(nowMs)) {
      const entry = lane.next(this.#lanes.limits);
      if (entry === undefined) continue;
      if ("record" in entry) {
        const { recordBytesMax } = this.#lanes.limits;
        const { partitionKey } = entry.record;
        this.#become("paused", oversize(partitionKey, entry.byteLength, recordBytesMax));
        break;
      }
      if (taken.length > 0 && byteLength + entry.byteLength > this.#callBytesMax()) break;
      byteLength += entry.byteLength;
      taken.push({ lane, entry });
      if (taken.length === ENTRIES_PER_CALL_MAX) break;
    }
    if (this.#state === "paused") return [];
    this.#bucket?.take(byteLength);
    return taken;
  }

  #callBytesMax(): number {
    return Math.min(BYTES_PER_CALL_MAX, this.#parts.bytesPerSecondMax ?? BYTES_PER_CALL_MAX);
  }

  async #send(taken: readonly TakenEntry[]): Promise<void> {
    this.#calls += 1;
    for (const { lane, entry } of taken) {
      this.#lanes.begin(lane);
      for (const { shipment } of entry.records) shipment.sent();
    }
    try {
      const targets = taken.map(({ entry }) => entry.target);
      const outcomes = await this.#parts.target.putRecords(targets);
      this.#answered(taken, outcomes);
    } catch (thrown) {
      for (const { lane, entry } of taken) this.#settle(lane, entry, false);
      this.#failed(toMillraceError(thrown));
    }
    this.#calls -= 1;
    if (this.#calls === 0) for (const tell of this.#idle.splice(0)) tell();
    this.#turn();
  }

  #answered(taken: readonly TakenEntry[], outcomes: readonly TargetOutcome[]): void {
    this.#failures = 0;
    const refusals: { readonly error: MillraceError; readonly retryMs: number }[] = [];
    for (const [i, { lane, entry }] of taken.entries()) {
      const outcome = outcomes[i] ?? NO_ANSWER;
      if ("errorCode" in outcome) {
        const { errorCode, errorMessage } = outcome;
        const retryMs = backOffMs(THROTTLED_MS, ++lane.failures);
        lane.notBeforeMs = this.#parts.clock.monotonicMs() + retryMs;
        refusals.push({ error: refusalOf(errorCode, errorMessage), retryMs });
        this.#settle(lane, entry, false);
        continue;
      }
      lane.failures = 0;
      const strange = this.#lanes.isStrange(lane, entry, outcome.shardId);
      // Whoever withdrew is waiting, and does not wait for a look at the shards, which may be far off.
      const awaited = entry.records.some(({ shipment }) => shipment.withdrawn);
      if (strange && !awaited) this.#lanes.keepStrange(lane, entry, outcome.shardId);
      else this.#settle(lane, entry, !strange);
    }
    const [first] = refusals;
    if (first === undefined || this.#closed) return;
    const kind = verdictOn(first.error) === "throttled" ? "throttled" : "outage";
    this.#parts.listener.retrying(kind, first.error, first.retryMs);
  }

  /** An entry is stored, or has to be sent again. */
  #settle(lane: ShippingLane, entry: ShippedEntry, stored: boolean): void {
    if (stored) this.#count(entry);
    this.#lanes.end(lane, stored);
    for (const { shipment, place } of entry.records) shipment.settled(place, stored);
    const gone = entry.records.some(({ shipment }) => shipment.withdrawn);
    if (gone && !stored) this.#lanes.remove(({ shipment }) => shipment.withdrawn);
  }

  #count({ records }: ShippedEntry): void {
    if (this.#closed) return;
    const bytes = records.reduce((sum, { data }) => sum + data.byteLength, 0);
    this.#parts.listener.copied(records.length, bytes);
  }

  /** A whole call failed. */
  #failed(error: MillraceError): void {
    if (this.#closed) return;
    const verdict = verdictOn(error);
    if (verdict === "ended") this.#end(error);
    else if (verdict === "paused") this.#become("paused", error);
    else {
      const retryMs = Math.min(OUTAGE_MS_MAX, backOffMs(OUTAGE_MS, ++this.#failures));
      this.#notBeforeMs = this.#parts.clock.monotonicMs() + retryMs;
      this.#parts.listener.retrying(verdict, error, retryMs);
    }
  }

  #end(error: MillraceError): void {
    if (this.#closed) return;
    this.close();
    this.#parts.listener.ended(error);
  }

  /** Asks for the shards of the far side, when nothing is under way that could come back behind it. */
  async #list(): Promise<void> {
    this.#listing = true;
    try {
      await this.#quiet();
      const listing = await this.#parts.target.listShards();
      if (listing.spread && this.#parts.aggregate) throw spreads(this.#parts.target.name);
      const judged = this.#lanes.adopt(listing);
      for (const { entry, stored } of judged) {
        if (stored) this.#count(entry);
        for (const { shipment, place } of entry.records) shipment.settled(place, stored);
      }
      this.#failures = 0;
      // The far side does not know its own shard yet.
      if (this.#lanes.outdated) this.#notBeforeMs = this.#parts.clock.monotonicMs() + OUTAGE_MS;
    } catch (thrown) {
      this.#failed(toMillraceError(thrown));
    }
    this.#listing = false;
    this.#turn();
  }

  async #quiet(): Promise<void> {
    if (this.#calls === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
    });
  }
}

function spreads(name: string): MillraceError {
  return new NotSupportedError(
    `${name} spreads its records over its shards whatever their keys are: no order is kept there, and marks ` +
      "cannot tell repeats; replicate with aggregate: false",
    { argument: "aggregate", value: true, limit: "false" },
  );
}
