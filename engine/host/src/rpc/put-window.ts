/**
 * The batches that a page has numbered and not heard of. They are sent in order, again over every new
 * link, under their own numbers, so that none is lost with a worker and none is stored twice.
 */
import {
  BatchGapError,
  ConnectionDroppedError,
  IndeterminateError,
  InternalFailureError,
  MillraceError,
} from "../errors/index.ts";
import type { Clock } from "../platform/platform.ts";
import type { CallContext } from "../service/engine-service.ts";
import { type PackedBatch, stampBatch } from "./batch-encoder.ts";
import type { BufferPool } from "./buffer-pool.ts";
import type { DataChannel } from "./data-channel.ts";
import { type LeftBatch, streamUidOf } from "./hand-off.ts";
import { LinkLostError } from "./link.ts";
import type { DataAnswer } from "./messages.ts";

/** Before a batch that came too early is sent again, per time that this happened, ms. */
const GAP_PAUSE_MS = 20;

/** What a window is made of. */
export interface PutWindowParts {
  readonly clock: Clock;
  readonly pool: BufferPool;
  readonly producerId: Uint8Array;
  /** From the sending of a batch over a link to its acknowledgement, ms. */
  readonly putMs: number;
}

interface Entry {
  readonly number: number;
  readonly batch: PackedBatch;
  readonly call: CallContext | undefined;
  /** By the monotonic clock, when it was first sent. */
  readonly sinceMs: number;
  readonly resolve: (result: ArrayBuffer) => void;
  readonly reject: (reason: unknown) => void;
  /** Where an answer may come from. */
  channel: DataChannel | undefined;
  /** By the monotonic clock, when it was first sent over that channel. */
  channelSinceMs: number;
  /** Whether any engine may have seen it. */
  sent: boolean;
  /** What an engine that was not certain said, once. */
  doubt: MillraceError | undefined;
  gaps: number;
}

/** See above. */
export class PutWindow {
  readonly #parts: PutWindowParts;
  /** By number, in order. */
  readonly #entries = new Map<number, Entry>();
  readonly #encrypted = new Set<number>();
  /** Streams that are not encrypted since encryption last began here; undefined while it never did. */
  #plain: Set<number> | undefined;
  #channel: DataChannel | undefined;
  #lastNumber = 0;

  constructor(parts: PutWindowParts) {
    this.#parts = parts;
  }

  /** Numbers a batch and sends it as soon as there is a link; resolves with the packed result. */
  put(batch: PackedBatch, call: CallContext | undefined): Promise<ArrayBuffer> {
    this.#lastNumber += 1;
    const number = this.#lastNumber;
    stampBatch(batch, this.#parts.producerId, number);
    const sinceMs = this.#parts.clock.monotonicMs();
    return new Promise((resolve, reject) => {
      const fresh = { channel: undefined, sent: false, doubt: undefined, gaps: 0 };
      const entry: Entry = {
        ...{ number, batch, call, sinceMs, channelSinceMs: sinceMs, resolve, reject },
        ...fresh,
      };
      this.#entries.set(number, entry);
      this.#send(entry);
    });
  }

  /** Sends everything over a new link, in order; what comes later follows. */
  attach(channel: DataChannel): void {
    this.#channel = channel;
    for (const entry of this.#entries.values()) this.#send(entry);
  }

  /** The link is gone: nothing is sent until the next one is there. */
  detach(): void {
    this.#channel = undefined;
  }

  /** Rejects everything. */
  rejectAll(failureOf: (sent: boolean) => MillraceError): void {
    this.detach();
    for (const { number, sent, reject } of [...this.#entries.values()]) {
      this.#entries.delete(number);
      reject(failureOf(sent));
    }
  }

  /** Takes note of whether the batches of a stream may be written to a disk as they are. */
  noteEncryption(streamUid: number, encrypted: boolean): void {
    if (encrypted) this.#encrypted.add(streamUid);
    else {
      this.#encrypted.delete(streamUid);
      this.#plain?.add(streamUid);
    }
  }

  /** Some stream is being encrypted: none counts as plain any more until it is known to be. */
  doubtAll(): void {
    this.#plain = new Set();
  }

  /** Copies of the batches with numbers above `after`, in order, for whoever can still send them. */
  leftBehind(after = 0): LeftBatch[] {
    const { settledBefore } = this;
    const nowMs = this.#parts.clock.monotonicMs();
    return [...this.#entries.values()]
      .filter(({ number }) => number > after)
      .map(({ batch, call, sinceMs }) => ({
        bytes: new Uint8Array(batch.buffer.slice(0, batch.byteLength)),
        settledBefore,
        ageMs: nowMs - sinceMs,
        secret: this.#isSecret(streamUidOf(batch.buffer)),
        ...(call === undefined ? {} : { call }),
      }));
  }

  #isSecret(streamUid: number): boolean {
    return this.#encrypted.has(streamUid) || this.#plain?.has(streamUid) === false;
  }

  /** Number of the newest batch, 0 before the first. */
  get lastNumber(): number {
    return this.#lastNumber;
  }

  /** Lowest number that is not settled. */
  get settledBefore(): number {
    const [lowest = this.#lastNumber + 1] = this.#entries.keys();
    return lowest;
  }

  /**
   * Sends a copy: the original is what can be sent again. The copy's buffer is one that came back from
   * the engine when there is one, since memory that is touched for the first time costs more than the
   * copy; it may be longer than the batch, which knows its own length.
   */
  #send(entry: Entry): void {
    const channel = this.#channel;
    if (channel === undefined) return;
    const { clock, pool, putMs } = this.#parts;
    const { batch, call, sinceMs } = entry;
    const copy = pool.take(batch.byteLength);
    new Uint8Array(copy).set(new Uint8Array(batch.buffer, 0, batch.byteLength));
    const nowMs = clock.monotonicMs();
    const order = { settledBefore: this.settledBefore, ageMs: nowMs - sinceMs };
    if (entry.channel !== channel) entry.channelSinceMs = nowMs;
    entry.channel = channel;
    entry.sent = true;
    const late = new IndeterminateError(
      `a put got no answer within ${putMs} ms; it may be durable or not`,
      { argument: "records", limit: putMs },
    );
    channel
      .put(copy, call, order, putMs, () => late)
      .then(
        (answer) => this.#answered(entry, channel, answer),
        (error: unknown) => this.#refused(entry, channel, error, error !== late),
      );
  }

  #answered(entry: Entry, channel: DataChannel, { result, recycled }: DataAnswer): void {
    if (recycled !== undefined) this.#parts.pool.give(recycled);
    if (!this.#settles(entry, channel)) return;
    this.#entries.delete(entry.number);
    if (result === undefined) {
      entry.reject(new InternalFailureError("a put was answered without a result"));
      return;
    }
    // Bit 0 of a result's flags: the stream is encrypted by now.
    const encrypted = (new DataView(result).getUint16(6, true) & 1) === 1;
    this.noteEncryption(streamUidOf(entry.batch.buffer), encrypted);
    entry.resolve(result);
  }

  #refused(entry: Entry, channel: DataChannel, error: unknown, answered: boolean): void {
    if (!this.#settles(entry, channel) || error instanceof LinkLostError) return;
    const { clock, putMs } = this.#parts;
    const nowMs = clock.monotonicMs();
    // The time in which there was no worker, or the page was put aside, does not count.
    if (error instanceof BatchGapError && nowMs - entry.channelSinceMs < putMs) {
      // Those before it are under way, or come here as well. Each goes again by itself until it fits.
      clock.after(GAP_PAUSE_MS * entry.gaps++, () => {
        if (this.#settles(entry, channel)) this.#send(entry);
      });
      return;
    }
    const unsure = answered && error instanceof MillraceError && error.indeterminate;
    // Whoever injects a dropped connection wants to see it.
    if (unsure && entry.doubt === undefined && !(error instanceof ConnectionDroppedError)) {
      // Under its own number a batch is never appended twice, so asking again can only tell more.
      entry.doubt = error;
      this.#send(entry);
      return;
    }
    this.#entries.delete(entry.number);
    entry.reject(entry.doubt ?? error);
  }

  /** Whether a batch waits for what comes over this channel. */
  #settles(entry: Entry, channel: DataChannel): boolean {
    return entry.channel === channel && this.#entries.get(entry.number) === entry;
  }
}
