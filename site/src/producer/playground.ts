/** A producer that makes records from templates. It goes on while the person looks at other places. */
import {
  EngineClosedError,
  type Millrace,
  type Producer,
  ResourceInUseError,
  ResourceNotFoundError,
  type Stream,
} from "millrace";
import { describeError, type ShownError } from "../live/advice.ts";
import { RateWindow } from "../live/rate-window.ts";
import type { ProducerAddress } from "../places/address.ts";
import { NO_TOTALS, type PutTotals, sumOf, totalsOf } from "./put-totals.ts";
import { PLAYGROUND_STREAM, type PlaygroundSettings } from "./settings.ts";
import { fillIn } from "./template.ts";
import type { RecordContext } from "./template-functions.ts";

/** How often records that have become due are made. */
const TICK_MS = 50;
/** User records that may wait or be under way; beyond, the producer makes none. */
const OUTSTANDING_MAX = 50_000;
const SHARDS = 2;

/** What a producer works at: another one is opened where that changes. */
type Target = Pick<PlaygroundSettings, "streamName" | "aggregation">;

const playgrounds = new WeakMap<Millrace, Playground>();

/** What the record of an ordinal is made of, now. */
export function contextOf(ordinal: number): RecordContext {
  const random = (): number => Math.random();
  return { ordinal, nowMs: Date.now(), random, uuid: () => crypto.randomUUID() };
}

/** See above. */
export class Playground {
  readonly #millrace: Millrace;
  /** The address that it was last set to. */
  address: ProducerAddress | undefined;
  #settings: PlaygroundSettings | undefined;
  #producer: Producer | undefined;
  #target: Target | undefined;
  /** What the last opening that was asked for is for; it may still wait for its turn. */
  #wanted: Target | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #opening: Promise<void> = Promise.resolve();
  readonly #closed = { aggregated: NO_TOTALS, single: NO_TOTALS };
  #userRate = new RateWindow(0);
  #storedRate = new RateWindow(0);
  #counted = NO_TOTALS;
  #ordinal = 0;
  #due = 0;
  #lastMs = 0;
  #heldBack = false;
  #error: ShownError | undefined;
  #lastFailure: ShownError | undefined;

  /** The playground of an open engine. */
  static of(millrace: Millrace): Playground {
    const found = playgrounds.get(millrace) ?? new Playground(millrace);
    playgrounds.set(millrace, found);
    return found;
  }

  private constructor(millrace: Millrace) {
    this.#millrace = millrace;
  }

  /** Whether records are made. */
  get running(): boolean {
    return this.#timer !== undefined;
  }

  /** Records that were made so far. */
  get made(): number {
    return this.#ordinal;
  }

  /** Whether more records wait than the engine takes. */
  get heldBack(): boolean {
    return this.#heldBack;
  }

  /** Why it stopped by itself; undefined where it did not. */
  get error(): ShownError | undefined {
    return this.#error;
  }

  /** Why the last record that failed did; undefined where none did. */
  get lastFailure(): ShownError | undefined {
    return this.#lastFailure;
  }

  /** User records that wait or are under way. */
  get outstanding(): number {
    return this.#producer?.outstandingRecords ?? 0;
  }

  /** What was put with aggregation and without it. */
  get totals(): { readonly aggregated: PutTotals; readonly single: PutTotals } {
    const present = this.#present();
    const { aggregated, single } = this.#closed;
    return this.#target?.aggregation === true
      ? { aggregated: sumOf(aggregated, present), single }
      : { aggregated, single: sumOf(single, present) };
  }

  /** User records and records of the stream that are stored in a second. */
  rates(nowMs: number): { readonly user: number; readonly stored: number } {
    this.#sample(nowMs);
    return { user: this.#userRate.perSecond(nowMs), stored: this.#storedRate.perSecond(nowMs) };
  }

  /** Takes up settings, also while it runs; a template that does not read keeps the one before. */
  set(settings: PlaygroundSettings): void {
    const before = this.#settings;
    const keeps = settings.key.template === undefined || settings.data.template === undefined;
    this.#settings =
      keeps && before !== undefined
        ? { ...settings, key: before.key, data: before.data }
        : settings;
    if (this.running && !this.#isWanted(settings)) void this.#open(settings);
  }

  /** Begins to make records; makes its stream where there is none. */
  async start(): Promise<void> {
    const settings = this.#settings;
    if (settings === undefined || this.running) return;
    this.#error = undefined;
    this.#lastMs = performance.now();
    this.#userRate = new RateWindow(this.#lastMs);
    this.#storedRate = new RateWindow(this.#lastMs);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    await this.#open(settings);
  }

  /** Makes no more, and resolves when all that was made is settled. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#heldBack = false;
    await this.#opening;
    await this.#close();
  }

  #isWanted({ streamName, aggregation }: Target): boolean {
    return this.#wanted?.streamName === streamName && this.#wanted.aggregation === aggregation;
  }

  /** Opens a producer after another; what goes wrong becomes the error. */
  async #open({ streamName, aggregation }: Target): Promise<void> {
    this.#wanted = { streamName, aggregation };
    this.#opening = this.#opening.then(async () => {
      try {
        await this.#close();
        const settings = this.#settings;
        if (!this.running || settings === undefined) return;
        // What is wanted may have changed while another opening had its turn.
        const { streamName, aggregation } = settings;
        const stream = await streamOf(this.#millrace, streamName);
        this.#target = { streamName, aggregation };
        this.#producer = await stream.producer({ aggregation });
      } catch (error) {
        this.#fail(error);
      }
    });
    await this.#opening;
  }

  async #close(): Promise<void> {
    const producer = this.#producer;
    if (producer === undefined) return;
    await producer.close();
    const totals = this.totals;
    this.#closed.aggregated = totals.aggregated;
    this.#closed.single = totals.single;
    this.#producer = undefined;
    this.#counted = NO_TOTALS;
  }

  #fail(error: unknown): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#error = describeError(error);
  }

  #present(): PutTotals {
    return this.#producer === undefined ? NO_TOTALS : totalsOf(this.#producer.metrics());
  }

  #sample(nowMs: number): void {
    const present = this.#present();
    this.#userRate.add(present.userRecords - this.#counted.userRecords, nowMs);
    this.#storedRate.add(present.storedRecords - this.#counted.storedRecords, nowMs);
    this.#counted = present;
  }

  #tick(): void {
    const nowMs = performance.now();
    const elapsedMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    const settings = this.#settings;
    const producer = this.#producer;
    if (settings === undefined || producer === undefined || producer.closed) return;
    const { ratePerSecond } = settings;
    this.#heldBack = producer.outstandingRecords >= OUTSTANDING_MAX;
    // A tab in the background is rarely called; what it missed beyond a second is not made up for.
    this.#due = Math.min(this.#due + (ratePerSecond * elapsedMs) / 1000, ratePerSecond);
    if (this.#heldBack) return;
    for (; this.#due >= 1; this.#due -= 1) this.#put(producer, settings);
  }

  #put(producer: Producer, { key, data }: PlaygroundSettings): void {
    if (key.template === undefined || data.template === undefined) return;
    const context = contextOf(this.#ordinal);
    this.#ordinal += 1;
    const partitionKey = fillIn(key.template, context);
    producer.put({ partitionKey, data: fillIn(data.template, context) }).catch((error: unknown) => {
      if (error instanceof EngineClosedError) this.#fail(error);
      else this.#lastFailure = describeError(error);
    });
  }
}

/** The stream of a name; the playground's own one is made where there is none. */
async function streamOf({ streams }: Millrace, name: string): Promise<Stream> {
  try {
    return await streams.get(name);
  } catch (error) {
    if (!(error instanceof ResourceNotFoundError) || name !== PLAYGROUND_STREAM) throw error;
  }
  try {
    return await streams.create(name, { shards: SHARDS });
  } catch (error) {
    if (!(error instanceof ResourceInUseError)) throw error;
    return await streams.get(name);
  }
}
