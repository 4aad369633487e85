/**
 * Copies a stream elsewhere into a local one, its shards side by side, parents before their children. Every part
 * is stored in one step with where the copy stands after it.
 */
import {
  type GroupPosition,
  type RecordBatch,
  ResourceInUseError,
  ResourceNotFoundError,
  type ShardDescription,
  type systemRandom,
} from "@millrace/engine";
import { backOffMs } from "../groups/back-off.ts";
import type { CheckpointWith } from "../groups/group-types.ts";
import { latestMs } from "../remote/groups/lease-rows.ts";
import { PolledShard } from "../remote/polled-shard.ts";
import type { ReadCalls } from "../remote/remote-calls.ts";
import { listRemoteShards, summarize } from "../remote/remote-description.ts";
import { ShardTurns } from "../shard-turns.ts";
import { CopyBorders, hashKeysOf } from "./copy-borders.ts";
import { newRun } from "./mark.ts";
import type { ReplicaLag } from "./replica-lag.ts";
import {
  REPLICA_RUN,
  type ReplicaPosition,
  ReplicaPositions,
  type ReplicaState,
  type SourceIdentity,
  storedAs,
  textOfSource,
} from "./replica-positions.ts";
import { replicaPartsOf } from "./replica-records.ts";
import { type ReplicaRead, ReplicaShard } from "./replica-shard.ts";
import { isOutdated, showsHeirs } from "./source-shards.ts";
import { TaskGroup } from "./task-group.ts";

const HOUR_MS = 3_600_000;
/** First pause before shards are looked for again that a list does not show yet, in ms. */
const LOOK_MS = 1000;

/** The local side. What has no answer for a moment is asked again. */
export interface CopyTarget {
  /** Stores outputs and state in one step. @throws ResourceInUseError when the shards are others by now. */
  readonly commit: (what: CheckpointWith) => Promise<void>;
  /** All shards of the local stream, open and closed. */
  readonly shards: () => Promise<readonly ShardDescription[]>;
}

/** What a copy is made of, and who hears of it. */
export interface ReplicaCopyParts {
  readonly calls: ReadCalls;
  /** Name of the stream elsewhere. */
  readonly streamName: string;
  readonly pollMs: number;
  /** Where the copy begins the first time. */
  readonly from: GroupPosition;
  readonly localName: string;
  /** The consumer group that keeps the state, and the stream that it is the replica of. */
  readonly groupName: string;
  readonly replicaOf: string;
  readonly random: Pick<typeof systemRandom, "fill">;
  readonly lag: ReplicaLag;
  readonly target: CopyTarget;
  /** Records were stored. */
  readonly onStored: (records: number, dataBytes: number) => void;
  /** All of a read is stored. */
  readonly onRead: () => void;
  readonly onGap: (shardId: string, after: string | undefined, before: string | undefined) => void;
}

/** What one run of a copy works with. */
interface Run {
  readonly positions: ReplicaPositions;
  readonly tasks: TaskGroup;
  readonly turns: ShardTurns;
  /** Ids of the shards that are being copied. */
  readonly copied: Set<string>;
  readonly retentionMs: number;
  /** The first look is done. */
  begun: boolean;
}

/** See above: the copy of one owner of the lease. */
export class ReplicaCopy {
  readonly #parts: ReplicaCopyParts;
  #positions: ReplicaPositions | undefined;
  /** Readings at LATEST that are begun, by shard id, until their shards are copied. */
  readonly #begun = new Map<string, PolledShard>();
  /** The last look at what shards there are: one at a time, since an older one would undo a newer one. */
  #looking: Promise<unknown> = Promise.resolve();
  /** Borders of the local shards as far as they are known. */
  #borders: CopyBorders | undefined;

  /** `state` is what the lease's owner before left. */
  constructor(parts: ReplicaCopyParts, state: ReplicaState) {
    this.#parts = parts;
    this.#positions = ReplicaPositions.of(state);
  }

  /** All that the next owner needs. */
  get state(): ReplicaState {
    return this.#positions?.state ?? {};
  }

  /**
   * Copies until the signal is aborted; returns when no shard is left for now. Can be run again.
   *
   * @throws the signal's reason; ResourceInUseError when the state is that of another stream; what calls and
   * commits throw.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { calls, streamName, lag } = this.#parts;
    const summary = await summarize(calls, streamName, signal);
    const source = this.#requireSame(summary);
    this.#positions ??= await this.#begin(source, signal);
    if (this.#positions.run === undefined) await this.#beginRun(this.#positions);
    const run: Run = {
      positions: this.#positions,
      tasks: new TaskGroup(signal),
      turns: new ShardTurns(),
      copied: new Set(),
      retentionMs: summary.RetentionPeriodHours * HOUR_MS,
      begun: false,
    };
    run.tasks.spawn((ending) => this.#lookForAll(run, ending));
    try {
      await run.tasks.settled();
    } finally {
      lag.clear();
    }
  }

  /** Fixes where each shard's copy begins, before anything is copied. */
  async #begin(source: SourceIdentity, signal: AbortSignal): Promise<ReplicaPositions> {
    const { calls, streamName, from, target } = this.#parts;
    const shards = await listRemoteShards(calls, streamName, signal);
    const positions = new ReplicaPositions(source);
    const startMs = latestMs(calls.clock.nowMs());
    const latest = shards.filter((shard) => from.type === "LATEST" && isOpen(shard));
    await Promise.all(latest.map((shard) => this.#beginAtLatest(shard, startMs, signal)));
    const entries = shards.map((shard) => [shard.shardId, storedAs(startOf(shard, from, startMs))]);
    positions.apply({ ...Object.fromEntries(entries), ...this.#runState() });
    await target.commit({ state: positions.state });
    return positions;
  }

  /** What is copied from here on is spoken for only among itself: something before it was left out. */
  async #beginRun(positions: ReplicaPositions): Promise<void> {
    const state = this.#runState();
    await this.#parts.target.commit({ state });
    positions.apply(state);
  }

  #runState(): ReplicaState {
    return { [REPLICA_RUN]: newRun(this.#parts.random) };
  }

  async #beginAtLatest(
    shard: ShardDescription,
    startMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { calls, streamName, pollMs } = this.#parts;
    const reading = new PolledShard({
      ...{ calls, streamName, pollMs, shard, toEnd: false },
      ...{ start: { type: "LATEST" }, latestMs: startMs },
    });
    await reading.begin(signal, false);
    this.#begun.set(shard.shardId, reading);
  }

  /** The stream as its summary names it. @throws ResourceInUseError when that is another one by now. */
  #requireSame(summary: Awaited<ReturnType<typeof summarize>>): SourceIdentity {
    const { groupName, replicaOf } = this.#parts;
    const { StreamARN: arn, StreamCreationTimestamp } = summary;
    const source = { arn, createdMs: StreamCreationTimestamp.getTime() };
    const known = this.#positions;
    const written = known === undefined ? replicaOf : textOfSource(known.source);
    if (written === textOfSource(source)) return source;
    throw new ResourceInUseError(
      `consumer group ${groupName} keeps the place of a copy of ${written}, and what is there now is another ` +
        "stream: give the replica another name, or delete the group to begin anew",
      { argument: "name", value: groupName, limit: written },
    );
  }

  /** Looks what shards there are until all are listed that there must be, and begins those whose turn it is. */
  async #lookForAll(run: Run, signal: AbortSignal, finished?: ShardDescription): Promise<void> {
    const { calls } = this.#parts;
    for (let failures = 1; !(await this.#look(run, signal, finished)); failures++) {
      await calls.pause(backOffMs(LOOK_MS, failures), signal);
    }
  }

  /** Looks once; `finished` is one that was copied to its end. Says whether the list has what came of it. */
  async #look(run: Run, signal: AbortSignal, finished?: ShardDescription): Promise<boolean> {
    const { calls, streamName } = this.#parts;
    const looking = this.#looking.then(async () => {
      const shards = await listRemoteShards(calls, streamName, signal);
      if (isOutdated(shards, run.positions)) {
        this.#requireSame(await summarize(calls, streamName, signal));
        return false;
      }
      if (finished !== undefined) run.copied.delete(finished.shardId);
      await this.#settle(run, shards);
      turn(run, shards, finished);
      this.#spawn(run, shards);
      return showsHeirs(shards, run.positions);
    });
    this.#looking = looking.catch(() => undefined);
    return await looking;
  }

  /** Writes down which shards came, and forgets those that are gone; of what was not copied, a gap is told. */
  async #settle({ positions, copied }: Run, shards: readonly ShardDescription[]): Promise<void> {
    const { target, onGap } = this.#parts;
    const listed = new Set(shards.map(({ shardId }) => shardId));
    const came = [...listed].filter((shardId) => positions.get(shardId) === undefined);
    const gone = positions.shardIds.filter((id) => !listed.has(id) && !copied.has(id));
    if (came.length + gone.length === 0) return;
    const lost = gone.filter((shardId) => !positions.hasEnded(shardId));
    const ends = lost.map((shardId) => ({ shardId, last: lastOf(positions.get(shardId)) }));
    const state: ReplicaState = {
      ...Object.fromEntries(came.map((shardId) => [shardId, storedAs({ at: "SHARD_START" })])),
      ...Object.fromEntries(gone.map((shardId) => [shardId, null])),
      ...(lost.length === 0 ? {} : this.#runState()),
    };
    await target.commit({ state });
    positions.apply(state);
    for (const { shardId, last } of ends) onGap(shardId, last, undefined);
  }

  #spawn(run: Run, shards: readonly ShardDescription[]): void {
    for (const shard of shards) {
      const isDue = run.turns.cursors.has(shard.shardIndex) && !run.copied.has(shard.shardId);
      if (!isDue) continue;
      run.copied.add(shard.shardId);
      this.#parts.lag.begin(shard.shardId);
      run.tasks.spawn((signal) => this.#copyShard(run, shard, signal));
    }
  }

  async #copyShard(run: Run, shard: ShardDescription, signal: AbortSignal): Promise<void> {
    const { calls, streamName, lag } = this.#parts;
    try {
      await this.#copyRecords(run, shard, signal);
    } catch (error) {
      if (!(error instanceof ResourceNotFoundError)) throw error;
      // Either the stream was deleted, or retention has removed the shard.
      const shards = await listRemoteShards(calls, streamName, signal);
      if (shards.some(({ shardId }) => shardId === shard.shardId)) throw error;
    }
    await this.#lookForAll(run, signal, shard);
    // Its children count from now on, where it has some.
    lag.end(shard.shardId);
  }

  /** Copies a shard to its end. */
  async #copyRecords(run: Run, shard: ShardDescription, signal: AbortSignal): Promise<void> {
    const { calls, streamName, pollMs, lag, onGap, onRead } = this.#parts;
    const { shardId } = shard;
    const { positions, retentionMs } = run;
    let gapped = false;
    const reading = new ReplicaShard({
      ...{ calls, streamName, pollMs, shard, retentionMs },
      position: positions.get(shardId) ?? { at: "SHARD_START" },
      begun: this.#begun.get(shardId),
      onGap: (after, before) => {
        gapped = true;
        onGap(shardId, after, before);
      },
    });
    this.#begun.delete(shardId);
    for (let done = false; !done; ) {
      const read = await reading.next(signal);
      signal.throwIfAborted();
      ({ done } = read);
      if (gapped) await this.#beginRun(positions);
      gapped = false;
      await this.#store(positions, shard, read);
      // What is behind a shard's end is in its children.
      if (done) lag.begin(shardId);
      else lag.read(shardId, read.millisBehindLatest);
      onRead();
    }
  }

  async #store(
    positions: ReplicaPositions,
    shard: ShardDescription,
    { batch, first, done }: ReplicaRead,
  ): Promise<void> {
    for (let next = first; next < batch.length; ) {
      next = await this.#storeFrom(positions, shard, batch, next);
    }
    if (!done) return;
    const state = { [shard.shardId]: storedAs({ at: "SHARD_END" }) };
    await this.#parts.target.commit({ state });
    positions.apply(state);
  }

  /** Stores records from one on, until the run or the local shards are others. Answers the first one that is left. */
  async #storeFrom(
    positions: ReplicaPositions,
    shard: ShardDescription,
    batch: RecordBatch,
    first: number,
  ): Promise<number> {
    const { localName: streamName, onStored, onGap, target } = this.#parts;
    this.#borders ??= new CopyBorders(await target.shards());
    const { newestShard } = this.#borders;
    const settings = { streamName, run: positions.run ?? "", borders: this.#borders };
    const source = hashKeysOf(shard);
    let next = first;
    for (const part of replicaPartsOf(batch, first, { ...settings, source })) {
      const { outputs, records, dataBytes, lost, end } = part;
      const sequenceNumber = batch.sequenceNumber(end - 1);
      const state = { [shard.shardId]: storedAs({ at: "SEQUENCE_NUMBER", sequenceNumber }) };
      try {
        await target.commit({ outputs, newestShards: { [streamName]: newestShard }, state });
      } catch (error) {
        if (!isResharded(error)) throw error;
        this.#borders = undefined;
        return next;
      }
      next = end;
      positions.apply(state);
      onStored(records, dataBytes);
      if (lost.length === 0) continue;
      await this.#beginRun(positions);
      for (const number of lost) onGap(shard.shardId, number, number);
      return next;
    }
    return next;
  }
}

/** Whether the local stream was split or merged since its shards were asked for. */
function isResharded(error: unknown): boolean {
  return error instanceof ResourceInUseError && error.argument === "newestShards";
}

const isOpen = ({ closedMs }: ShardDescription): boolean => closedMs === undefined;

/** Where the copy of a shard begins that is there when the replica is. */
function startOf(shard: ShardDescription, from: GroupPosition, startMs: number): ReplicaPosition {
  if (from.type === "TRIM_HORIZON") return { at: from.type };
  if (from.type === "AT_TIMESTAMP") return { at: from.type, timestampMs: from.timestampMs };
  // Whoever goes on before the first record came goes by a time, of a clock that may be ahead of the service's.
  return isOpen(shard) ? { at: "AT_TIMESTAMP", timestampMs: startMs } : { at: "SHARD_END" };
}

/** Puts the shards in order that are there now: those which are not copied to their end, parents first. */
function turn(run: Run, shards: readonly ShardDescription[], finished?: ShardDescription): void {
  const { turns, positions } = run;
  const description = {
    openShards: shards.filter(isOpen),
    closedShards: shards.filter((one) => !isOpen(one)),
  };
  if (run.begun) {
    if (finished !== undefined) turns.finish(finished.shardIndex);
    turns.adopt(description, true);
    return;
  }
  run.begun = true;
  for (const { shardId, shardIndex } of shards) {
    if (positions.hasEnded(shardId)) turns.finish(shardIndex);
  }
  const left = shards.filter(({ shardId }) => !positions.hasEnded(shardId));
  turns.begin(
    left.map(({ shardIndex, shardId }) => ({ shardIndex, shardId, nextIndex: 0 })),
    description,
  );
}

function lastOf(position: ReplicaPosition | undefined): string | undefined {
  return position?.at === "SEQUENCE_NUMBER" ? position.sequenceNumber : undefined;
}
