/** Reads the engine's own meters at a steady pace: counters per shard and where its bytes are. */
import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { MemberStatus, StorageReport } from "millrace";
import { describeError, type ShownError } from "../live/advice.ts";
import { type MetricsSample, ratesBetween, type ShardRates } from "../live/rates.ts";
import type { OpenEngine } from "./engine-controller.ts";

/** Pause between two readings, in ms. */
const READING_INTERVAL_MS = 1000;

/** Readings after which everything that an earlier leader had committed is acknowledged. */
const SETTLING_READINGS = 2;

/** One reading of all meters. */
export interface Reading {
  readonly rates: readonly ShardRates[];
  readonly storage: StorageReport;
  readonly member: MemberStatus;
  /** Records that this leader has committed since it began, also to shards that are gone by now. */
  readonly committed: number;
  /**
   * Records that this leader acknowledged to this page before it was asked for its counters. Those of
   * the first moments after a change of leader do not count: the one before may have committed them.
   */
  readonly acknowledgedBefore: number;
}

/** Takes readings for as long as its host is connected. */
export class MeterController implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #acknowledged: () => number;
  #engine: OpenEngine | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #sample: MetricsSample | undefined;
  /** Records committed per shard, as last heard: a closed shard's counters end with its records. */
  readonly #committed = new Map<number, number>();
  /** The leader whose counters are read, and what had been acknowledged to this page by earlier ones. */
  #term = { epoch: 0, acknowledgedEarlier: 0, readings: 0 };
  #reading: Reading | undefined;
  #error: ShownError | undefined;
  #busy = false;

  /** `acknowledged` answers how many records have been acknowledged to this page so far. */
  constructor(host: ReactiveControllerHost, acknowledged: () => number) {
    this.#host = host;
    this.#acknowledged = acknowledged;
    host.addController(this);
  }

  /** The last reading; undefined before the first. */
  get reading(): Reading | undefined {
    return this.#reading;
  }

  /** Why the meters cannot be read at present. */
  get error(): ShownError | undefined {
    return this.#error;
  }

  /** Reads the meters of this engine from now on. */
  attach(engine: OpenEngine): void {
    this.#engine = engine;
    this.#sample = undefined;
    this.#committed.clear();
    this.#term = { epoch: 0, acknowledgedEarlier: 0, readings: 0 };
    this.#reading = undefined;
    this.#error = undefined;
    void this.#read();
  }

  hostConnected(): void {
    this.#timer = setInterval(() => void this.#read(), READING_INTERVAL_MS);
  }

  hostDisconnected(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #read(): Promise<void> {
    const engine = this.#engine;
    if (engine === undefined || this.#busy) return;
    this.#busy = true;
    try {
      const acknowledged = this.#acknowledged();
      // A reshard, from whichever place, changes what there is to be drawn.
      await engine.stream.describe();
      const shards = await engine.stream.metrics();
      const sample = { takenMs: performance.now(), shards };
      const storage = await engine.millrace.storage();
      const member = await engine.millrace.member();
      if (engine !== this.#engine) return;
      this.#noteTerm(storage.epoch);
      for (const { shardIndex, incomingRecords } of shards) {
        this.#committed.set(shardIndex, incomingRecords);
      }
      const committed = [...this.#committed.values()].reduce((sum, count) => sum + count, 0);
      const rates = ratesBetween(this.#sample, sample);
      const acknowledgedBefore = Math.max(0, acknowledged - this.#term.acknowledgedEarlier);
      this.#reading = { rates, storage, member, committed, acknowledgedBefore };
      this.#sample = sample;
      this.#error = undefined;
    } catch (error) {
      if (engine === this.#engine) this.#error = describeError(error);
    } finally {
      this.#busy = false;
      this.#host.requestUpdate();
    }
  }

  /** Another leader counts from nothing. */
  #noteTerm(epoch: number): void {
    const first = this.#term.epoch === 0;
    if (epoch !== this.#term.epoch) {
      this.#term = { epoch, acknowledgedEarlier: 0, readings: 0 };
      this.#committed.clear();
    }
    this.#term.readings += 1;
    if (first || this.#term.readings > SETTLING_READINGS) return;
    this.#term.acknowledgedEarlier = this.#acknowledged();
  }
}
