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
import { BatchIterator } from "../batch-iterator.ts";
import type { CheckedReadOptions } from "../read-options.ts";
import { ShardTurns } from "../shard-turns.ts";
import { SideBySide } from "../side-by-side.ts";
import type { RemoteCalls } from "./remote-calls.ts";
import { childrenIn, listRemoteShards } from "./remote-description.ts";
import type { ShardSource, SourceAnswer, SourceStart } from "./shard-source.ts";

/** What a remote reading is made of. */
export interface RemoteReading {
  readonly calls: RemoteCalls;
  readonly streamName: string;
  readonly options: CheckedReadOptions;
  /** Begins a shard, at `start`. */
  open(shard: ShardDescription, start: SourceStart, signal: AbortSignal): Promise<ShardSource>;
}

/** The batches of one reading. Can be iterated once. */
export class RemoteReader extends BatchIterator {
  readonly #reading: RemoteReading;
  /** Whether the reading goes on with the children of the shards that it began with. */
  readonly #follows: boolean;
  /** What ends the reading, for each shard. */
  readonly #endings = new Map<number, AbortController>();
  readonly #stopListening: () => void;
  readonly #started: Promise<void>;
  readonly #turns = new ShardTurns();
  readonly #sources = new Map<number, ShardSource>();
  /** undefined when it is time to look for a shard's children. */
  readonly #answers = new SideBySide<SourceAnswer | undefined>();
  /** Shards that are read to their end and whose children are not known, and how often those were looked for. */
  readonly #childless = new Map<number, number>();
  /** All shards of the stream as far as they were ever listed, by index; without those that retention removed. */
  #shards = new Map<number, ShardDescription>();

  /** Finds the starting position at once, before the first batch is asked for. */
  constructor(reading: RemoteReading) {
    const { signal, shardId, position, live } = reading.options;
    super(signal);
    this.#reading = reading;
    this.#follows = live && shardId === undefined && !("sequenceNumber" in position);
    this.#stopListening = reading.calls.onClose((reason) => this.stop(reason));
    this.ending.addEventListener("abort", () => {
      for (const shard of this.#endings.values()) shard.abort(this.ending.reason);
    });
    this.#started = this.#start(this.ending);
    // The first call of next() tells; until then nobody listens.
    this.#started.catch(() => undefined);
  }

  protected override close(): void {
    this.#stopListening();
    for (const source of this.#sources.values()) source.close();
    this.#sources.clear();
  }

  /** A signal of each shard's own, since platforms warn when many listen to one. */
  #signalOf(shardIndex: number): AbortSignal {
    const known = this.#endings.get(shardIndex);
    if (known !== undefined) return known.signal;
    const ending = new AbortController();
    if (this.ending.aborted) ending.abort(this.ending.reason);
    this.#endings.set(shardIndex, ending);
    return ending.signal;
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { calls, streamName, options } = this.#reading;
    const shards = await listRemoteShards(calls, streamName, signal);
    const chosen = this.#choose(shards);
    // Nothing is newer than the newest record.
    if (!options.live && options.position.type === "LATEST") return;
    await Promise.all(chosen.map((shard) => this.#open(shard, options.position)));
    this.#learn(shards);
    this.#turns.begin(cursorsOf(chosen), this.#known);
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

  /** Takes note of the shards that there are. A list may be older than the one before: what is newer than it, stays. */
  #learn(listed: readonly ShardDescription[]): void {
    const newest = listed.at(-1)?.shardIndex ?? -1;
    const later = [...this.#shards.values()].filter(({ shardIndex }) => shardIndex > newest);
    this.#shards = new Map([...listed, ...later].map((shard) => [shard.shardIndex, shard]));
  }

  get #known(): { openShards: ShardDescription[]; closedShards: ShardDescription[] } {
    const shards = [...this.#shards.values()];
    return {
      openShards: shards.filter(isOpen),
      closedShards: shards.filter((shard) => !isOpen(shard)),
    };
  }

  /** The first batch with records that any shard gives. */
  protected override async take(): Promise<RecordBatch | undefined> {
    await withSignal(this.ending, this.#started);
    const read = (shardIndex: number) => this.#read(shardIndex);
    while (this.#turns.cursors.size > 0) {
      for (const shardIndex of this.#turns.cursors.keys()) this.#answers.ask(shardIndex, read);
      const { shardIndex, answer } = await withSignal(this.ending, this.#answers.next());
      if (answer === undefined) await this.#lookForChildren(shardIndex, this.ending);
      else {
        if (answer.done) this.#end(shardIndex);
        if (answer.batch.length > 0) return answer.batch;
      }
    }
    return undefined;
  }

  async #read(shardIndex: number): Promise<SourceAnswer | undefined> {
    const looks = this.#childless.get(shardIndex);
    if (looks !== undefined) {
      const { calls } = this.#reading;
      if (looks > 0) await calls.pause(calls.backOffMs(looks), this.#signalOf(shardIndex));
      return undefined;
    }
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

  /** A shard is read to its end. It keeps its turn until its children are known, if the reading follows. */
  #end(shardIndex: number): void {
    this.#sources.get(shardIndex)?.close();
    this.#sources.delete(shardIndex);
    if (this.#follows) this.#childless.set(shardIndex, 0);
    else this.#finish(shardIndex);
  }

  async #lookForChildren(shardIndex: number, signal: AbortSignal): Promise<void> {
    const { calls, streamName } = this.#reading;
    this.#learn(await listRemoteShards(calls, streamName, signal));
    if (childrenIn([...this.#shards.values()], shardIndex) === undefined) {
      this.#childless.set(shardIndex, (this.#childless.get(shardIndex) ?? 0) + 1);
      return;
    }
    this.#childless.delete(shardIndex);
    this.#finish(shardIndex);
    this.#turns.adopt(this.#known, true);
  }

  #finish(shardIndex: number): void {
    this.#endings.delete(shardIndex);
    this.#turns.finish(shardIndex);
  }
}

const isOpen = ({ closedMs }: ShardDescription): boolean => closedMs === undefined;

function cursorsOf(
  shards: readonly ShardDescription[],
): { shardIndex: number; nextIndex: number }[] {
  return shards.map(({ shardIndex }) => ({ shardIndex, nextIndex: 0 }));
}
