/**
 * Reads the shards of a worker's leases as GetRecords does, at the shards' shared rate. Shards that want
 * records in the same moment share a read of the engine; none waits for one that has nothing to read.
 */
import {
  DeadlineError,
  decodeSlice,
  type EngineClient,
  MillraceError,
  pause,
  ResourceNotFoundError,
  type ShardCursor,
  ThroughputExceededError,
} from "@millrace/engine";
import { allShards } from "../shard-turns.ts";
import { backOffMs } from "./back-off.ts";
import { describedOr } from "./shard-directory.ts";
import {
  type FetchedPart,
  type HeldBytes,
  HeldParts,
  type ReadFailureListener,
  ShardGoneError,
  type ShardSource,
} from "./shard-source.ts";

const RECORDS_PER_READ_MAX = 10_000;
/** As other reads: 2 MiB; 256 KiB while the worker holds all that it may. */
const BYTES_PER_READ_MAX = 2_097_152;
const BYTES_PER_HUNGRY_READ_MAX = 262_144;
/** How long the engine holds a read that finds nothing; then it is asked again, in ms. */
const LIVE_WAIT_MS = 20_000;
/** After a read over the shards' rate that was not told for how long, in ms. */
const THROTTLED_MS = 200;
/** First pause after a read that failed, in ms. */
const RETRY_MS = 200;

/** What a reader works with. */
export interface PollingParts {
  readonly client: EngineClient;
  readonly stream: { readonly name: string; readonly uid: number };
  readonly held: HeldBytes;
  /** Records of a read at most, for each of its shards. */
  readonly recordsMax: number;
  readonly onFailure: ReadFailureListener;
}

/** One shard that is read. */
class PolledShard implements ShardSource {
  readonly shardIndex: number;
  nextIndex: number;
  closed = false;
  /** Reads that gave nothing passed over what is gone, by retention or damage. */
  passed = { trimmed: false, hole: false };
  readonly held: HeldParts;
  readonly #wants: (shard: PolledShard) => void;
  #resolve: ((part: FetchedPart) => void) | undefined;
  #reject: (error: unknown) => void = () => undefined;
  readonly ending = new AbortController();

  constructor(
    { shardIndex, nextIndex }: ShardCursor,
    held: HeldParts,
    wants: (shard: PolledShard) => void,
  ) {
    this.shardIndex = shardIndex;
    this.nextIndex = nextIndex;
    this.held = held;
    this.#wants = wants;
  }

  next(): Promise<FetchedPart> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (!this.closed) this.#wants(this);
    });
  }

  give(part: FetchedPart): void {
    this.#resolve?.(part);
  }

  fail(error: unknown): void {
    this.#reject(error);
  }

  close(): void {
    this.closed = true;
    this.ending.abort();
    this.held.releaseAll();
  }
}

/** See above. */
export class PollingReader {
  readonly #parts: PollingParts;
  readonly #wanting = new Set<PolledShard>();
  readonly #ending = new AbortController();
  readonly #stopListening: () => void;
  #scheduled = false;

  constructor(parts: PollingParts) {
    this.#parts = parts;
    this.#stopListening = parts.held.onRoom(() => this.#schedule());
  }

  /** A shard, from an index on. */
  source(shardIndex: number, nextIndex: number): ShardSource {
    const held = new HeldParts(this.#parts.held);
    return new PolledShard({ shardIndex, nextIndex }, held, (shard) => this.#want(shard));
  }

  /** Gives up all reads. */
  close(): void {
    this.#stopListening();
    this.#wanting.clear();
    this.#ending.abort();
  }

  #want(shard: PolledShard): void {
    this.#wanting.add(shard);
    this.#schedule();
  }

  /** What wants records in this task is read together. */
  #schedule(): void {
    if (this.#scheduled || this.#ending.signal.aborted) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      const { full } = this.#parts.held;
      const shards = [...this.#wanting].filter((one) => !full || one.held.count === 0);
      for (const shard of shards) this.#wanting.delete(shard);
      const open = shards.filter(({ closed }) => !closed);
      if (open.length > 0) void this.#readSafely(open, full);
    });
  }

  async #readSafely(shards: readonly PolledShard[], full: boolean): Promise<void> {
    const given = new Set<PolledShard>();
    try {
      await this.#read(shards, full, given);
    } catch (error) {
      for (const shard of shards) if (!given.has(shard)) shard.fail(error);
    }
  }

  /** Reads until a shard has something; the others want again. @throws what ends reading for good. */
  async #read(
    shards: readonly PolledShard[],
    full: boolean,
    given: Set<PolledShard>,
  ): Promise<void> {
    const { signal, forget } = untilAllEnd(shards, this.#ending.signal);
    try {
      for (let failures = 0; !signal.aborted && given.size === 0; ) {
        try {
          await this.#readOnce(shards, full, given, signal);
          failures = 0;
        } catch (error) {
          if (signal.aborted) return;
          failures += 1;
          if (await this.#recover(error, shards, failures, signal)) break;
        }
      }
    } finally {
      forget();
    }
    for (const shard of shards) if (!given.has(shard) && !shard.closed) this.#want(shard);
  }

  async #readOnce(
    shards: readonly PolledShard[],
    full: boolean,
    given: Set<PolledShard>,
    signal: AbortSignal,
  ): Promise<void> {
    const { client, stream, recordsMax } = this.#parts;
    const open = shards.filter(({ closed }) => !closed);
    const slice = await client.read(
      {
        streamUid: stream.uid,
        cursors: open.map(({ shardIndex, nextIndex }) => ({ shardIndex, nextIndex })),
        recordsMax: Math.min(RECORDS_PER_READ_MAX, recordsMax * open.length),
        bytesMax: full ? BYTES_PER_HUNGRY_READ_MAX : BYTES_PER_READ_MAX,
        waitMs: LIVE_WAIT_MS,
      },
      signal,
    );
    const batch = decodeSlice(slice);
    for (const part of batch.parts) {
      const shard = open.find(({ shardIndex }) => shardIndex === part.shardIndex);
      if (shard === undefined || shard.closed) continue;
      shard.nextIndex = part.nextIndex;
      const trimmed = part.trimmed || shard.passed.trimmed;
      const hole = part.hole || shard.passed.hole;
      const empty = part.recordCount === 0 && !part.shardClosed;
      shard.passed = { trimmed: empty && trimmed, hole: empty && hole };
      if (empty) continue;
      given.add(shard);
      shard.give(
        shard.held.hold(
          batch,
          { ...part, trimmed, hole },
          { onReleased: () => this.#released(shard) },
        ),
      );
    }
  }

  /** A shard that holds nothing may read again. */
  #released(shard: PolledShard): void {
    if (shard.held.count === 0 && this.#wanting.has(shard)) this.#schedule();
  }

  /** Waits when a repeat makes sense; says whether the shards must be looked at anew. @throws the error otherwise. */
  async #recover(
    failure: unknown,
    shards: readonly PolledShard[],
    failures: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { client, onFailure } = this.#parts;
    if (client.closed || !(failure instanceof MillraceError)) throw failure;
    if (failure instanceof ThroughputExceededError) {
      await quietly(pause(client.clock, failure.retryAfterMs ?? THROTTLED_MS, signal));
      return false;
    }
    // In virtual time a read waits for as long as nobody lets time pass.
    if (failure instanceof DeadlineError) return false;
    const missing = failure instanceof ResourceNotFoundError;
    const error = missing ? await this.#dropGone(failure, shards) : failure;
    if (error === undefined) return true;
    const retryMs = backOffMs(RETRY_MS, failures);
    const shardIndexes = shards.filter(({ closed }) => !closed).map((one) => one.shardIndex);
    onFailure(shardIndexes, { attempt: failures, error, retryMs });
    await quietly(pause(client.clock, retryMs, signal));
    return false;
  }

  /**
   * Ends the shards that are not there any more; answers with what keeps it from being known which ones.
   * @throws the cause when all are there; ResourceNotFoundError.
   */
  async #dropGone(
    cause: unknown,
    shards: readonly PolledShard[],
  ): Promise<MillraceError | undefined> {
    const { client, stream } = this.#parts;
    const description = await describedOr(client, stream.name);
    if (description instanceof MillraceError) return description;
    const same = description.uid === stream.uid;
    const there = new Set(same ? allShards(description).map((one) => one.shardIndex) : []);
    const gone = shards.filter(({ shardIndex }) => !there.has(shardIndex));
    if (gone.length === 0) throw cause;
    for (const shard of gone) {
      shard.fail(new ShardGoneError(shard.shardIndex, cause));
      shard.close();
    }
    return undefined;
  }
}

async function quietly(promise: Promise<void>): Promise<void> {
  await promise.catch(() => undefined);
}

/** A signal that is aborted when no shard is left to read for, until it is forgotten. */
function untilAllEnd(
  shards: readonly PolledShard[],
  all: AbortSignal,
): { readonly signal: AbortSignal; readonly forget: () => void } {
  const ending = new AbortController();
  const signals = [all, ...shards.map((shard) => shard.ending.signal)];
  const look = (): void => {
    if (all.aborted || shards.every(({ closed }) => closed)) ending.abort();
  };
  for (const one of signals) one.addEventListener("abort", look, { once: true });
  look();
  const forget = (): void => {
    for (const one of signals) one.removeEventListener("abort", look);
  };
  return { signal: ending.signal, forget };
}
