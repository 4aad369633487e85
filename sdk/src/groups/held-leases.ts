/** The leases of one worker: which ones it consumes, which ones it is done with, and what the leader gives. */
import type { OwnedLease } from "@millrace/engine";
import { type GivenLease, HeldLease } from "./held-lease.ts";
import type { ConsumerEnd, ShardConsumer } from "./shard-consumer.ts";

/** What becomes of leases. */
export interface LeaseListener {
  /** Begins to consume a lease; `before` is the consumer that the shard had here before. */
  begin(lease: HeldLease, before: FormerConsumer | undefined): ShardConsumer;
  /** The lease is not the worker's any more, or is about to be. */
  lost(lease: HeldLease): void;
  /** A lease is to be given back. */
  release(lease: GivenLease): void;
  /** A consumer failed in a way that is not its processor's. */
  failed(error: unknown): void;
}

/** A consumer that is over, or about to be. */
export interface FormerConsumer {
  readonly settled: Promise<unknown>;
  /** How many consumers of the shard have stalled one after the other. */
  readonly stalls: number;
}

/** See above. */
export class HeldLeases {
  readonly #listener: LeaseListener;
  readonly #consumers = new Map<number, ShardConsumer>();
  /** The last consumer of each shard that was had here. */
  readonly #former = new Map<number, FormerConsumer>();
  /** Leases that were given back or are finished, by shard index: the leader may not know yet. */
  readonly #done = new Map<number, { readonly lease: GivenLease; readonly end: ConsumerEnd }>();
  /** Consumers of leases that were lost and had again, whose deliveries are still under way. */
  readonly #replaced = new Set<ShardConsumer>();
  #closed = false;

  constructor(listener: LeaseListener) {
    this.#listener = listener;
  }

  /** Consumers that are at work. */
  get consumers(): readonly ShardConsumer[] {
    return [...this.#consumers.values()];
  }

  /** Consumers whose deliveries may be under way: those at work, and those before them. */
  get underWay(): readonly ShardConsumer[] {
    return [...this.#consumers.values(), ...this.#replaced];
  }

  /** Ids of the shards whose leases are held, by shard index. */
  get shardIds(): string[] {
    const leases = this.consumers.map(({ lease }) => lease).filter(({ lost }) => !lost);
    return leases.sort((a, b) => a.shardIndex - b.shardIndex).map(({ shardId }) => shardId);
  }

  /** The lease of a shard; undefined when it is not held. */
  get(shardIndex: number): HeldLease | undefined {
    return this.#consumers.get(shardIndex)?.lease;
  }

  /** No lease is begun from now on. */
  close(): void {
    this.#closed = true;
  }

  /** Loses all leases. */
  loseAll(): void {
    for (const { lease } of this.#consumers.values()) lease.lose();
  }

  /** The leader has said which leases the worker owns. */
  apply(leases: readonly OwnedLease[]): void {
    const counters = new Map(leases.map((one) => [one.shardIndex, one.leaseCounter]));
    for (const { lease } of this.consumers) {
      if (counters.get(lease.shardIndex) !== lease.leaseCounter) lease.lose();
    }
    for (const shardIndex of this.#done.keys()) {
      if (!counters.has(shardIndex)) this.#done.delete(shardIndex);
    }
    for (const lease of leases) this.#applyOne(lease);
  }

  #applyOne(owned: OwnedLease): void {
    const { shardIndex, leaseCounter, handOver } = owned;
    const consumer = this.#consumers.get(shardIndex);
    if (consumer?.lease.leaseCounter === leaseCounter) {
      if (handOver) consumer.requestShutdown();
      return;
    }
    const done = this.#done.get(shardIndex);
    if (done?.lease.leaseCounter === leaseCounter) {
      if (done.end !== "shard-ended") this.#listener.release(done.lease);
    } else if (handOver) this.#decline({ shardIndex, leaseCounter });
    else if (!this.#closed) this.#begin(new HeldLease(owned));
  }

  /** Another worker is to have the lease before it was begun here: nothing of it need be finished first. */
  #decline(lease: GivenLease): void {
    this.#done.set(lease.shardIndex, { lease, end: "shut-down" });
    this.#listener.release(lease);
  }

  #begin(lease: HeldLease): void {
    const { shardIndex } = lease;
    const running = this.#consumers.get(shardIndex);
    const before = running === undefined ? this.#former.get(shardIndex) : formerOf(running, 0);
    lease.signal.addEventListener("abort", () => this.#listener.lost(lease), { once: true });
    const consumer = this.#listener.begin(lease, before);
    if (running !== undefined) this.#replaced.add(running);
    this.#consumers.set(shardIndex, consumer);
    void this.#follow(consumer, before?.stalls ?? 0);
  }

  async #follow(consumer: ShardConsumer, stallsBefore: number): Promise<void> {
    const { lease } = consumer;
    // Its state is of no use any more.
    const { shardIndex, leaseCounter } = lease;
    const given = { shardIndex, leaseCounter };
    try {
      const end = await consumer.ended.finally(() => this.#replaced.delete(consumer));
      if (this.#consumers.get(shardIndex) !== consumer) return;
      this.#consumers.delete(shardIndex);
      this.#done.set(shardIndex, { lease: given, end });
      this.#former.set(shardIndex, formerOf(consumer, end === "stalled" ? stallsBefore + 1 : 0));
      if (end !== "shard-ended") this.#listener.release(given);
    } catch (error) {
      this.#listener.failed(error);
    }
  }
}

function formerOf({ settled }: ShardConsumer, stalls: number): FormerConsumer {
  return { settled, stalls };
}
