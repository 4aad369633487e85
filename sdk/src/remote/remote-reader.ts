/**
 * Reads a stream elsewhere, batch by batch: its shards side by side, parents before their children. Of each
 * shard one batch is asked for ahead, so that a slow reader holds the service up and not the memory.
 */
import {
  parseSequenceNumber,
  type RecordBatch,
  ResourceNotFoundError,
  type ShardDescription,
  withSignal,
} from "@millrace/engine";
import type { CheckedReadOptions } from "../read-options.ts";
import { ShardTurns } from "../shard-turns.ts";
import type { RemoteCalls } from "./remote-calls.ts";
import { listRemoteShards } from "./remote-description.ts";
import type { ShardSource, SourceAnswer, SourceStart } from "./shard-source.ts";

/** Left by its consumer: nobody is to hear of it. */
const LEFT = Symbol("left");

/** What a remote reading is made of. */
export interface RemoteReading {
  readonly calls: RemoteCalls;
  readonly streamName: string;
  readonly options: CheckedReadOptions;
  /** Begins a shard, at `start`. */
  open(shard: ShardDescription, start: SourceStart, signal: AbortSignal): Promise<ShardSource>;
}

interface Arrival {
  readonly shardIndex: number;
  readonly answer: Promise<SourceAnswer>;
}

/** The batches of one reading. Can be iterated once. */
export class RemoteReader implements AsyncIterableIterator<RecordBatch, undefined> {
  readonly #reading: RemoteReading;
  /** Whether the reading goes on with the children of the shards that it began with. */
  readonly #follows: boolean;
  readonly #ending = new AbortController();
  /** The same of each shard. */
  readonly #endings = new Map<number, AbortController>();
  readonly #stopListening: () => void;
  readonly #started: Promise<void>;
  readonly #turns = new ShardTurns();
  readonly #sources = new Map<number, ShardSource>();
  /** Shards whose next batch is under way or not yet handed out. */
  readonly #asked = new Set<number>();
  /** Answers that are there, in the order in which they came. */
  readonly #arrived: Arrival[] = [];
  /** All shards of the stream when it was last listed, by index. */
  #shards = new Map<number, ShardDescription>();
  #wake: () => void = () => undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** Finds the starting position at once, before the first batch is asked for. */
  constructor(reading: RemoteReading) {
    this.#reading = reading;
    const { signal, shardId, position, live } = reading.options;
    this.#follows = live && shardId === undefined && !("sequenceNumber" in position);
    const abort = (): void => this.#stop(signal?.reason);
    if (signal?.aborted === true) abort();
    signal?.addEventListener("abort", abort, { once: true });
    const stopClosing = reading.calls.onClose((reason) => this.#stop(reason));
    this.#stopListening = () => {
      signal?.removeEventListener("abort", abort);
      stopClosing();
    };
    this.#started = this.#start(this.#ending.signal);
    // The first call of next() tells; until then nobody listens.
    this.#started.catch(() => undefined);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next batch, which has at least one record. @throws the signal's reason, and what calls throw. */
  next(): Promise<IteratorResult<RecordBatch, undefined>> {
    const result = this.#turn.then(() => this.#next());
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Ends the reading and cancels what is under way. */
  async return(): Promise<IteratorResult<RecordBatch, undefined>> {
    this.#end();
    return { done: true, value: undefined };
  }

  #end(): void {
    this.#stopListening();
    this.#stop(LEFT);
    for (const source of this.#sources.values()) source.close();
    this.#sources.clear();
  }

  #stop(reason: unknown): void {
    this.#ending.abort(reason);
    for (const shard of this.#endings.values()) shard.abort(reason);
  }

  /** A signal of each shard's own, since platforms warn when many listen to one. */
  #signalOf(shardIndex: number): AbortSignal {
    const known = this.#endings.get(shardIndex);
    if (known !== undefined) return known.signal;
    const ending = new AbortController();
    if (this.#ending.signal.aborted) ending.abort(this.#ending.signal.reason);
    this.#endings.set(shardIndex, ending);
    return ending.signal;
  }

  async #next(): Promise<IteratorResult<RecordBatch, undefined>> {
    const { signal } = this.#ending;
    try {
      signal.throwIfAborted();
      await withSignal(signal, this.#started);
      const batch = await this.#take(signal);
      if (batch !== undefined) return { done: false, value: batch };
      this.#end();
      return { done: true, value: undefined };
    } catch (error) {
      const left = error === LEFT;
      this.#end();
      if (left) return { done: true, value: undefined };
      throw error;
    }
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { calls, streamName, options } = this.#reading;
    const shards = await listRemoteShards(calls, streamName, signal);
    const chosen = this.#choose(shards);
    // Nothing is newer than the newest record.
    if (!options.live && options.position.type === "LATEST") return;
    await Promise.all(chosen.map((shard) => this.#open(shard, options.position)));
    this.#turns.begin(cursorsOf(chosen), this.#learn(shards));
  }

  /** The shards that the reading begins with. @throws ResourceNotFoundError, InvalidArgumentError. */
  #choose(shards: readonly ShardDescription[]): readonly ShardDescription[] {
    const { position, shardId, live } = this.#reading.options;
    if (shardId !== undefined)
      return [this.#find(shards, (one) => one.shardId === shardId, shardId)];
    if ("sequenceNumber" in position) {
      const { shardIndex } = parseSequenceNumber(position.sequenceNumber);
      const name = `with the index ${shardIndex}`;
      return [this.#find(shards, (one) => one.shardIndex === shardIndex, name)];
    }
    if (live && position.type === "LATEST") return shards.filter(isOpen);
    return shards;
  }

  #find(
    shards: readonly ShardDescription[],
    isIt: (shard: ShardDescription) => boolean,
    name: string,
  ): ShardDescription {
    const found = shards.find(isIt);
    if (found !== undefined) return found;
    throw new ResourceNotFoundError(
      `Shard ${name} in stream ${this.#reading.streamName} does not exist`,
      { argument: "shard", value: name },
    );
  }

  async #open(shard: ShardDescription, start: SourceStart): Promise<ShardSource> {
    const signal = this.#signalOf(shard.shardIndex);
    const source = await this.#reading.open(shard, start, signal);
    if (signal.aborted) source.close();
    else this.#sources.set(shard.shardIndex, source);
    return source;
  }

  /** Takes note of the shards that there are. */
  #learn(shards: readonly ShardDescription[]): {
    openShards: ShardDescription[];
    closedShards: ShardDescription[];
  } {
    this.#shards = new Map(shards.map((shard) => [shard.shardIndex, shard]));
    return {
      openShards: shards.filter(isOpen),
      closedShards: shards.filter((shard) => !isOpen(shard)),
    };
  }

  /** The first batch with records that any shard gives; undefined when no shard is left. */
  async #take(signal: AbortSignal): Promise<RecordBatch | undefined> {
    while (this.#turns.cursors.size > 0) {
      for (const shardIndex of this.#turns.cursors.keys()) this.#ask(shardIndex);
      const { shardIndex, answer } = await withSignal(signal, this.#arrival());
      const { batch, done } = await answer;
      this.#asked.delete(shardIndex);
      if (done) await this.#finish(shardIndex, signal);
      if (batch.length > 0) return batch;
    }
    return undefined;
  }

  #ask(shardIndex: number): void {
    if (this.#asked.has(shardIndex)) return;
    this.#asked.add(shardIndex);
    const answer = this.#read(shardIndex);
    const arrive = (): void => {
      this.#arrived.push({ shardIndex, answer });
      this.#wake();
    };
    void answer.then(arrive, arrive);
  }

  async #arrival(): Promise<Arrival> {
    for (;;) {
      const first = this.#arrived.shift();
      if (first !== undefined) return first;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async #read(shardIndex: number): Promise<SourceAnswer> {
    let source = this.#sources.get(shardIndex);
    if (source === undefined) {
      const shard = this.#shards.get(shardIndex);
      if (shard === undefined)
        throw new ResourceNotFoundError(`Shard ${shardIndex} does not exist`);
      // Children are read from their beginning.
      source = await this.#open(shard, { type: "TRIM_HORIZON" });
    }
    return await source.next(this.#signalOf(shardIndex));
  }

  async #finish(shardIndex: number, signal: AbortSignal): Promise<void> {
    this.#sources.get(shardIndex)?.close();
    this.#sources.delete(shardIndex);
    this.#endings.delete(shardIndex);
    this.#turns.finish(shardIndex);
    if (!this.#follows) return;
    const { calls, streamName } = this.#reading;
    const shards = await listRemoteShards(calls, streamName, signal);
    this.#turns.adopt(this.#learn(shards), true);
  }
}

const isOpen = ({ closedMs }: ShardDescription): boolean => closedMs === undefined;

function cursorsOf(
  shards: readonly ShardDescription[],
): { shardIndex: number; nextIndex: number }[] {
  return shards.map(({ shardIndex }) => ({ shardIndex, nextIndex: 0 }));
}
