/**
 * Reads a stream batch by batch: one read of the engine under way at a time, cancelled when left. Shards
 * that were split or merged are read to their end before their children are begun.
 */
import {
  decodeSlice,
  type EngineClient,
  pause,
  type RecordBatch,
  ResourceNotFoundError,
  type SlicePart,
  type StreamDescription,
  ThroughputExceededError,
  withSignal,
} from "@millrace/engine";
import { BatchIterator } from "./batch-iterator.ts";
import type { CheckedReadOptions } from "./read-options.ts";
import { ShardTurns } from "./shard-turns.ts";

const RECORDS_PER_READ_MAX = 10_000;
/** Small enough that a record that is held pins little, large enough that a read costs little: 2 MiB. */
const BYTES_PER_READ_MAX = 2_097_152;
/** How long the engine holds a read that finds nothing; then it is asked again. */
const LIVE_WAIT_MS = 20_000;
/** How long a read waits that found nothing before its end, as while a shard's quota is used up. */
const STALLED_WAIT_MS = 200;

/** The batches of one read. Can be iterated once. */
export class BatchReader extends BatchIterator {
  readonly #client: EngineClient;
  readonly #name: string;
  readonly #streamUid: number;
  readonly #live: boolean;
  /** Whether the reading goes on with the children of the shards that it began with. */
  readonly #follows: boolean;
  readonly #started: Promise<void>;
  readonly #turns = new ShardTurns();
  /** Where each shard's reading ends, unless it is live. */
  readonly #ends = new Map<number, number>();
  #stalled = false;

  /** Finds the starting position at once, before the first batch is asked for. */
  constructor(
    client: EngineClient,
    stream: Pick<StreamDescription, "name" | "uid">,
    options: CheckedReadOptions,
  ) {
    const { signal, shardId, position } = options;
    super(signal);
    this.#client = client;
    this.#name = stream.name;
    this.#streamUid = stream.uid;
    this.#live = options.live;
    this.#follows = options.live && shardId === undefined && !("sequenceNumber" in position);
    this.#started = this.#start(options);
    // The first call of next() tells; until then nobody listens.
    this.#started.catch(() => undefined);
  }

  protected override async take(): Promise<RecordBatch | undefined> {
    await withSignal(this.ending, this.#started);
    while (this.#turns.cursors.size > 0) {
      const batch = await this.#read(this.ending);
      if (batch !== undefined && batch.length > 0) return batch;
    }
    return undefined;
  }

  async #start({ position, shardId }: CheckedReadOptions): Promise<void> {
    const name = this.#name;
    const argument = shardId === undefined ? { name, position } : { name, position, shardId };
    const resolved = await this.#client.call("resolvePosition", argument);
    if (!this.#live) {
      for (const { shardIndex, endIndex } of resolved) this.#ends.set(shardIndex, endIndex);
    }
    this.#turns.begin(resolved, await this.#describe());
    this.#skipEmpty();
  }

  /** Finishes what has nothing to read. Until its turn it stands between its parents and its children. */
  #skipEmpty(): void {
    const { cursors } = this.#turns;
    // Whoever has its turn by that is visited as well.
    for (const [shardIndex, nextIndex] of cursors) {
      if (nextIndex >= (this.#ends.get(shardIndex) ?? Number.POSITIVE_INFINITY)) {
        this.#turns.finish(shardIndex);
      }
    }
  }

  #describe(): Promise<StreamDescription> {
    return this.#client.call("describeStream", { name: this.#name });
  }

  /** Looks what came of shards that are closed; says whether any was removed before it was read. */
  async #adopt(): Promise<boolean> {
    const description = await this.#describe();
    // Another one of the same name is not the one that is read.
    if (description.uid !== this.#streamUid) throw ResourceNotFoundError.stream(this.#name);
    return this.#turns.adopt(description, this.#follows);
  }

  /** One read; undefined when it is to be made again, if there is a shard left. */
  async #read(signal: AbortSignal): Promise<RecordBatch | undefined> {
    const request = {
      streamUid: this.#streamUid,
      cursors: Array.from(this.#turns.cursors, ([shardIndex, nextIndex]) => ({
        shardIndex,
        nextIndex,
      })),
      recordsMax: RECORDS_PER_READ_MAX,
      bytesMax: BYTES_PER_READ_MAX,
      waitMs: this.#waitMs(),
    };
    try {
      const batch = decodeSlice(await this.#client.read(request, signal), this.#ends);
      if (this.#advance(batch.parts) && this.#follows) await this.#adopt();
      return batch;
    } catch (error) {
      if (signal.aborted) throw error;
      if (error instanceof ThroughputExceededError) {
        await pause(this.#client.clock, error.retryAfterMs ?? STALLED_WAIT_MS, signal);
      } else {
        const { recover } = await import("./read-recovery.ts");
        await recover(error, this.#client, () => this.#adopt());
      }
      return undefined;
    }
  }

  #waitMs(): number {
    if (this.#live) return LIVE_WAIT_MS;
    return this.#stalled ? STALLED_WAIT_MS : 0;
  }

  /** Moves the cursors on; says whether a closed shard was read to its end. */
  #advance(parts: readonly SlicePart[]): boolean {
    const { cursors } = this.#turns;
    let anyClosed = false;
    this.#stalled = true;
    for (const { shardIndex, nextIndex, atEnd, shardClosed } of parts) {
      if (nextIndex !== cursors.get(shardIndex)) this.#stalled = false;
      const end = this.#ends.get(shardIndex);
      const done = end === undefined ? shardClosed : nextIndex >= end || atEnd;
      if (done) this.#turns.finish(shardIndex);
      else cursors.set(shardIndex, nextIndex);
      anyClosed ||= done;
    }
    if (anyClosed) this.#stalled = false;
    this.#skipEmpty();
    return anyClosed;
  }
}
