/** Puts lines of the access log into the stream at a chosen rate and keeps count of the answers. */
import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { PutRecordsResult, Stream } from "millrace";
import type { AccessLogSource, LogLine } from "../live/access-log-source.ts";
import { describeError, type ShownError } from "../live/advice.ts";

/** Partition key of the records that the hot-key setting takes. */
export const HOT_KEY = "hot-key";

/** How often records that have become due are put. */
const PUT_INTERVAL_MS = 40;

/** Calls that may wait for their acknowledgement at once; beyond, the producer holds back. */
const CALLS_IN_FLIGHT_MAX = 8;

/** Landings that are told per call: as many as the eye can follow. */
const LANDINGS_PER_CALL_MAX = 24;

/** Calls over which the time to acknowledgement is taken. */
const LATENCY_CALLS = 50;

/** Where one record went, as the engine answered. */
export interface Landing {
  readonly partitionKey: string;
  readonly shardIndex: number;
  /** Whether the shard refused it. */
  readonly refused: boolean;
}

/** What the producer is set to. */
export interface ProducerSettings {
  readonly ratePerSecond: number;
  readonly hotPercent: number;
  readonly paused: boolean;
}

/** What the producer works with. */
export interface ProducerOptions {
  readonly source: AccessLogSource;
  /** Settings at this moment. */
  readonly settings: () => ProducerSettings;
  /** Is told some of the landings of each call, and how many records each stands for. */
  readonly onLandings: (landings: readonly Landing[], weight: number) => void;
}

interface PutInput {
  readonly partitionKey: string;
  readonly data: string;
}

function shardIndexIn(text: string): number | undefined {
  const digits = /shardId-(\d{12})/.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Where record `i` of a call went; empty when its answer names no shard. */
function landingOf(records: readonly PutInput[], result: PutRecordsResult, i: number): Landing[] {
  const record = records[i];
  if (record === undefined) return [];
  const answer = result.get(i);
  const refused = "errorCode" in answer;
  const shardIndex = shardIndexIn(refused ? answer.errorMessage : answer.shardId);
  if (shardIndex === undefined) return [];
  return [{ partitionKey: record.partitionKey, shardIndex, refused }];
}

/** A producer over one stream; starts and stops with its host. */
export class ProducerController implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #options: ProducerOptions;
  readonly #latenciesMs: number[] = [];
  #stream: Stream | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #lastMs = 0;
  #due = 0;
  #hotDue = 0;
  #callsInFlight = 0;
  #recordsInFlight = 0;
  #acknowledged = 0;
  #refused = 0;
  #heldBack = false;
  #error: ShownError | undefined;

  constructor(host: ReactiveControllerHost, options: ProducerOptions) {
    this.#host = host;
    this.#options = options;
    host.addController(this);
  }

  /** Records that the engine acknowledged since this stream was taken up. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Records that a shard refused. They are not put again, so that throttles stay visible. */
  get refused(): number {
    return this.#refused;
  }

  /** Records that are put and not yet answered. */
  get recordsInFlight(): number {
    return this.#recordsInFlight;
  }

  /** Whether the engine acknowledges more slowly than records become due. */
  get heldBack(): boolean {
    return this.#heldBack;
  }

  /** Why the producer stopped by itself; undefined while it did not. */
  get error(): ShownError | undefined {
    return this.#error;
  }

  /** Median time from put to acknowledgement over the last calls, in ms. */
  get latencyMs(): number | undefined {
    return [...this.#latenciesMs].sort((left, right) => left - right)[
      Math.floor(this.#latenciesMs.length / 2)
    ];
  }

  /** Puts into this stream from now on, and counts from zero. */
  attach(stream: Stream): void {
    this.#stream = stream;
    this.#acknowledged = 0;
    this.#refused = 0;
    this.#error = undefined;
    this.#due = 0;
    this.#lastMs = performance.now();
  }

  hostConnected(): void {
    this.#lastMs = performance.now();
    this.#timer = setInterval(() => this.#tick(), PUT_INTERVAL_MS);
  }

  hostDisconnected(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    const nowMs = performance.now();
    const elapsedMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    const { ratePerSecond, paused } = this.#options.settings();
    const idle = paused || this.#error !== undefined || this.#stream === undefined;
    // A tab in the background is rarely called; what it missed beyond a second is not made up for.
    this.#due = idle ? 0 : Math.min(this.#due + (ratePerSecond * elapsedMs) / 1000, ratePerSecond);
    this.#heldBack = !idle && this.#callsInFlight >= CALLS_IN_FLIGHT_MAX;
    const count = Math.floor(this.#due);
    if (this.#stream === undefined || count === 0 || this.#heldBack) return;
    const records = this.#options.source.next(count).map((line) => this.#inputOf(line));
    this.#due -= count;
    if (records.length > 0) void this.#put(this.#stream, records);
  }

  /** Takes the hot share evenly, not by chance: at 20 percent every fifth record. */
  #inputOf({ text, clientAddress }: LogLine): PutInput {
    this.#hotDue += this.#options.settings().hotPercent;
    const hot = this.#hotDue >= 100;
    if (hot) this.#hotDue -= 100;
    return { partitionKey: hot ? HOT_KEY : clientAddress, data: text };
  }

  async #put(stream: Stream, records: readonly PutInput[]): Promise<void> {
    const startedMs = performance.now();
    this.#callsInFlight += 1;
    this.#recordsInFlight += records.length;
    try {
      const result = await stream.putRecords(records);
      // Answers for a stream that was given up since are not of this count.
      if (stream === this.#stream) this.#count(records, result, performance.now() - startedMs);
    } catch (error) {
      if (stream === this.#stream) {
        this.#error = describeError(error);
        this.#host.requestUpdate();
      }
    } finally {
      this.#callsInFlight -= 1;
      this.#recordsInFlight -= records.length;
    }
  }

  #count(records: readonly PutInput[], result: PutRecordsResult, latencyMs: number): void {
    this.#refused += result.failedRecordCount;
    this.#acknowledged += result.length - result.failedRecordCount;
    this.#latenciesMs.push(latencyMs);
    if (this.#latenciesMs.length > LATENCY_CALLS) this.#latenciesMs.shift();
    const step = Math.max(1, Math.ceil(records.length / LANDINGS_PER_CALL_MAX));
    const landings: Landing[] = [];
    for (let i = 0; i < records.length; i += step) landings.push(...landingOf(records, result, i));
    this.#options.onLandings(landings, step);
  }
}
