/**
 * The call trail: writes the events of API calls into a stream, as a producer of the engine's own.
 *
 * Events wait in a queue and go in batches, one batch at a time, so that no call waits for its event
 * and their order is kept. What cannot be written is counted and reported, and fails nobody's call.
 */
import { toMillraceError } from "../errors/index.ts";
import type { Clock, Random } from "../platform/platform.ts";
import type { CallFacts } from "./call-facts.ts";
import { type OwnRecord, packOwn, refusedRows } from "./packed-batch.ts";
import { type CallOutcome, trailEvent } from "./trail-event.ts";

/** Events and bytes that wait at most: 16 MiB; later ones are lost. */
const QUEUE_MAX = { events: 10_000, bytes: 16_777_216 } as const;
/** Events and bytes of one batch: 1 MiB. */
const BATCH_MAX = { events: 500, bytes: 1_048_576 } as const;
/** What is the name of a stream; anything else that a call gives for one is no partition key either. */
const STREAM_NAME = /^[a-zA-Z0-9_.-]{1,128}$/;
/** A refused event is tried again after this long at least, in ms. */
const RETRY_MS_MIN = 10;

/** Document under which the stream of the trail is kept. */
export const TRAIL_KEY = "trail";

/** Puts a batch for the stream of a name, made once its uid is known; resolves with the packed result. */
export type TrailWriter = (
  streamName: string,
  pack: (streamUid: number) => ArrayBuffer,
) => Promise<ArrayBuffer>;

interface WaitingEvent {
  readonly streamName: string;
  readonly record: OwnRecord;
}

const utf8 = new TextEncoder();

/** The trail of one engine. It outlives the lives of the log. */
export class CallTrail {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #write: TrailWriter;
  readonly #producerId: Uint8Array;
  #batchNumber = 0;
  #queue: WaitingEvent[] = [];
  /** Bytes of the events in the queue. */
  #queuedBytes = 0;
  #writing: Promise<void> | undefined;
  #cancelWait: (() => void) | undefined;
  #streamName: string | undefined;
  #lost = 0;
  #failure: string | undefined;

  constructor(clock: Clock, random: Random, write: TrailWriter) {
    this.#clock = clock;
    this.#random = random;
    this.#write = write;
    this.#producerId = random.fill(new Uint8Array(16));
  }

  /** Stream that events go to; undefined while there is no trail. */
  get streamName(): string | undefined {
    return this.#streamName;
  }

  /** Events that were not written, since the engine opened. */
  get lost(): number {
    return this.#lost;
  }

  /** Why events could last not be written, until they can. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** From now on events go to a stream, or to none. What waits still goes where it was meant to. */
  direct(streamName: string | undefined): void {
    this.#streamName = streamName;
  }

  /** Takes the event of a call. */
  note(facts: CallFacts, outcome: CallOutcome): void {
    const streamName = this.#streamName;
    if (streamName === undefined || readsTrail(facts, streamName)) return;
    if (this.#queue.length >= QUEUE_MAX.events || this.#queuedBytes >= QUEUE_MAX.bytes) {
      const { events, bytes } = QUEUE_MAX;
      this.#lose(1, `more than ${events} events or ${bytes} bytes of them wait to be written`);
      return;
    }
    const event = trailEvent(facts, outcome, this.#clock.nowMs(), this.#random);
    const data = utf8.encode(JSON.stringify(event));
    this.#queue.push({ streamName, record: { key: keyOf(facts), data } });
    this.#queuedBytes += data.byteLength;
    this.#pump();
  }

  /** Resolves when nothing waits any more; refused events are not tried again. */
  async drain(): Promise<void> {
    while (this.#writing !== undefined || this.#queue.length > 0) {
      if (this.#cancelWait !== undefined) {
        this.#stopWaiting();
        this.#lose(this.#queue.length, this.#failure ?? "the engine is closing");
        this.#empty();
        return;
      }
      this.#pump();
      await this.#writing;
    }
  }

  /** Forgets what waits, and the stream. */
  clear(): void {
    this.#stopWaiting();
    this.#empty();
    this.#streamName = undefined;
    this.#failure = undefined;
    this.#lost = 0;
  }

  #empty(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
  }

  #pump(): void {
    if (this.#writing !== undefined || this.#cancelWait !== undefined) return;
    // Not before the task is over: all calls that it makes go in one batch.
    const writing = Promise.resolve()
      .then(() => this.#writeBatch())
      .finally(() => {
        this.#writing = undefined;
        if (this.#queue.length > 0) this.#pump();
      });
    this.#writing = writing;
  }

  async #writeBatch(): Promise<void> {
    const events = this.#take();
    const [first] = events;
    if (first === undefined) return;
    let batchNumber: number | undefined;
    const records = events.map((event) => event.record);
    try {
      const result = await this.#write(first.streamName, (streamUid) => {
        // Packed again after the core failed, it is the same batch.
        batchNumber ??= this.#nextBatchNumber();
        return packOwn(streamUid, this.#producerId, batchNumber, records);
      });
      this.#failure = undefined;
      this.#again(events, result);
    } catch (error) {
      this.#lose(events.length, toMillraceError(error).message);
    }
  }

  #nextBatchNumber(): number {
    this.#batchNumber += 1;
    return this.#batchNumber;
  }

  /** Events for the same stream from the head of the queue, as many as a batch may hold. */
  #take(): WaitingEvent[] {
    let bytes = 0;
    const streamName = this.#queue[0]?.streamName;
    const end = this.#queue.findIndex((event, i) => {
      bytes += event.record.data.byteLength;
      const fits = i === 0 || (i < BATCH_MAX.events && bytes <= BATCH_MAX.bytes);
      return !fits || event.streamName !== streamName;
    });
    const taken = this.#queue.splice(0, end < 0 ? this.#queue.length : end);
    this.#queuedBytes -= bytesOf(taken);
    return taken;
  }

  /** Puts refused events back to the head of the queue and waits for the quota. */
  #again(events: readonly WaitingEvent[], result: ArrayBuffer): void {
    const { rows, retryAfterMs } = refusedRows(result);
    if (rows.length === 0) return;
    this.#failure = `the stream's write quota refused ${rows.length} events; they are tried again`;
    const refused = rows.map((row) => events[row]).filter((event) => event !== undefined);
    this.#queue.unshift(...refused);
    this.#queuedBytes += bytesOf(refused);
    this.#cancelWait = this.#clock.after(Math.max(RETRY_MS_MIN, retryAfterMs), () => {
      this.#cancelWait = undefined;
      this.#pump();
    });
  }

  #stopWaiting(): void {
    this.#cancelWait?.();
    this.#cancelWait = undefined;
  }

  #lose(count: number, why: string): void {
    this.#lost += count;
    this.#failure = why;
  }
}

/** What concerns one stream stays in order. */
function keyOf({ streamName, operation }: CallFacts): Uint8Array {
  const named = streamName !== undefined && STREAM_NAME.test(streamName);
  return utf8.encode(named ? streamName : operation);
}

function bytesOf(events: readonly WaitingEvent[]): number {
  return events.reduce((sum, { record }) => sum + record.data.byteLength, 0);
}

/** Whether a call reads the trail itself: its event would be what the next read finds, without end. */
function readsTrail({ operation, streamName }: CallFacts, trailName: string): boolean {
  const reads = operation === "GetRecords" || operation === "SubscribeToShard";
  return reads && streamName === trailName;
}
