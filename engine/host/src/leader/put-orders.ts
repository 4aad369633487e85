/**
 * The batches that one context has under way, by producer: which are settled below which number, how old they
 * are, and who must go before whom when a leader asks for an earlier one.
 */
import { BATCH_HEADER_BYTES } from "@millrace/core/layout";
import { readUint64 } from "../log/bytes.ts";
import type { Clock } from "../platform/platform.ts";
import type { BatchOrder } from "../service/engine-service.ts";

const PRODUCER_AT = 16;
const NUMBER_AT = 32;

/** Batches of one producer that are under way. */
interface Producer {
  settledBefore: number;
  /** Settled numbers from `settledBefore` up. */
  readonly settled: Set<number>;
  /** Under way, each with those who wait for its end. */
  readonly pending: Map<number, (() => void)[]>;
}

/** One batch that is under way. */
export class PutSlip {
  readonly number: number;
  readonly #producer: Producer;
  readonly #clock: Clock;
  readonly #ageMs: number;
  readonly #sinceMs: number;

  constructor(producer: Producer, number: number, ageMs: number, clock: Clock) {
    this.number = number;
    this.#producer = producer;
    this.#clock = clock;
    this.#ageMs = ageMs;
    this.#sinceMs = clock.monotonicMs();
  }

  /** What is to be said of the batch when it is sent now. */
  order(): BatchOrder {
    const ageMs = this.#ageMs + this.#clock.monotonicMs() - this.#sinceMs;
    // Of a batch that its page gave up meanwhile, nothing is claimed but that it is the next one.
    const settledBefore = Math.min(this.#producer.settledBefore, this.number);
    return { settledBefore, ageMs };
  }

  /** The end of the earliest batch from a number up to this one; undefined when none is under way here. */
  earlierFrom(number: number): Promise<void> | undefined {
    let first = this.number;
    for (const one of this.#producer.pending.keys()) {
      if (one >= number && one < first) first = one;
    }
    const waiting = first < this.number ? this.#producer.pending.get(first) : undefined;
    return waiting === undefined ? undefined : new Promise((resolve) => waiting.push(resolve));
  }
}

/** All batches under way of all producers that send through this context. */
export class PutOrders {
  readonly #clock: Clock;
  readonly #producers = new Map<string, Producer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs a put with its slip; without one when the producer says nothing of the order, or the batch is none. */
  async during<Result>(
    batch: ArrayBuffer,
    order: BatchOrder | undefined,
    put: (slip: PutSlip | undefined) => Promise<Result>,
    leavesOpen: (error: unknown) => boolean,
  ): Promise<Result> {
    if (order === undefined || batch.byteLength < BATCH_HEADER_BYTES) return await put(undefined);
    const view = new DataView(batch);
    const id = `${view.getBigUint64(PRODUCER_AT)}/${view.getBigUint64(PRODUCER_AT + 8)}`;
    const number = readUint64(view, NUMBER_AT);
    const producer = this.#producer(id, order);
    producer.pending.set(number, producer.pending.get(number) ?? []);
    let settled = true;
    try {
      return await put(new PutSlip(producer, number, order.ageMs, this.#clock));
    } catch (error) {
      settled = !leavesOpen(error);
      throw error;
    } finally {
      this.#leave(id, producer, number, settled);
    }
  }

  #producer(id: string, { settledBefore }: BatchOrder): Producer {
    let producer = this.#producers.get(id);
    if (producer === undefined) {
      producer = { settledBefore, settled: new Set(), pending: new Map() };
      this.#producers.set(id, producer);
    }
    producer.settledBefore = Math.max(producer.settledBefore, settledBefore);
    return producer;
  }

  /** What the producer of a batch is told, it will say itself of its next one: nothing is kept longer. */
  #leave(id: string, producer: Producer, number: number, settled: boolean): void {
    const waiting = producer.pending.get(number) ?? [];
    producer.pending.delete(number);
    if (settled) producer.settled.add(number);
    while (producer.settled.delete(producer.settledBefore)) producer.settledBefore += 1;
    if (producer.pending.size === 0) this.#producers.delete(id);
    for (const wake of waiting) wake();
  }
}
