/**
 * Copies a stream elsewhere into a local one, its shards side by side, parents before their children. Every part
 * is stored in one step with where the copy stands after it.
 */
import {
  type GroupPosition,
  ResourceInUseError,
  ResourceNotFoundError,
  type ShardDescription,
  type systemRandom,
} from "@millrace/engine";
import type { CheckpointWith } from "../groups/group-types.ts";
import { PolledShard } from "../remote/polled-shard.ts";
import type { ReadCalls } from "../remote/remote-calls.ts";
import { listRemoteShards, summarize } from "../remote/remote-description.ts";
import { ShardTurns } from "../shard-turns.ts";
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
import { TaskGroup } from "./task-group.ts";

const HOUR_MS = 3_600_000;

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
  /** Stores outputs and state in one step. */
  readonly commit: (what: CheckpointWith) => Promise<void>;
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
}

/** See above: the copy of one owner of the lease. */
export class ReplicaCopy {
  readonly #parts: ReplicaCopyParts;
  #positions: ReplicaPositions | undefined;
  /** Readings at LATEST that are begun, by shard id, until their shards are copied. */
  readonly #begun = new Map<string, PolledShard>();
  /** The last look at what shards there are: one at a time, since an older one would undo a newer one. */
  #looking: Promise<unknown> = Promise.resolve();

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
    const { StreamARN: arn, StreamCreationTimestamp, RetentionPeriodHours } = summary;
    const source = { arn, createdMs: StreamCreationTimestamp.getTime() };
    const { replicaOf } = this.#parts;
    const known = this.#positions;
    this.#requireSame(known === undefined ? replicaOf : textOfSource(known.source), source);
    this.#positions ??= await this.#begin(source, signal);
    if (this.#positions.run === undefined) await this.#beginRun(this.#positions);
    const run: Run = {
      positions: this.#positions,
      tasks: new TaskGroup(signal),
      turns: new ShardTurns(),
      copied: new Set(),
      retentionMs: RetentionPeriodHours * HOUR_MS,
    };
    run.tasks.spawn((ending) => this.#look(run, ending));
    try {
      await run.tasks.settled();
    } finally {
      lag.clear();
    }
  }

  /** Fixes where each shard's copy begins, before anything is copied. */
  async #begin(source: SourceIdentity, signal: AbortSignal): Promise<ReplicaPositions> {
    const { calls, streamName, from, commit } = this.#parts;
    const shards = await listRemoteShards(calls, streamName, signal);
    const positions = new ReplicaPositions(source);
    const startMs = calls.clock.nowMs();
    const latest = shards.filter((shard) => from.type === "LATEST" && isOpen(shard));
    await Promise.all(latest.map((shard) => this.#beginAtLatest(shard, signal)));
    const entries = shards.map((shard) => [shard.shardId, storedAs(startOf(shard, from, startMs))]);
    positions.apply({ ...Object.fromEntries(entries), ...this.#runState() });
    await commit({ state: positions.state });
    return positions;
  }

  /** What is copied from here on is spoken for only among itself: something before it was left out. */
  async #beginRun(positions: ReplicaPositions): Promise<void> {
    const state = this.#runState();
    await this.#parts.commit({ state });
    positions.apply(state);
  }

  #runState(): ReplicaState {
    return { [REPLICA_RUN]: newRun(this.#parts.random) };
  }

  async #beginAtLatest(shard: ShardDescription, signal: AbortSignal): Promise<void> {
    const { calls, streamName, pollMs } = this.#parts;
    const start = { type: "LATEST" } as const;
    const reading = new PolledShard({ calls, streamName, pollMs, shard, start, toEnd: false });
    await reading.begin(signal, false);
    this.#begun.set(shard.shardId, reading);
  }

  #requireSame(written: string, now: SourceIdentity): void {
    if (written === textOfSource(now)) return;
    const { groupName } = this.#parts;
    throw new ResourceInUseError(
      `consumer group ${groupName} keeps the place of a copy of ${written}, and what is there now is another ` +
        "stream: give the replica another name, or delete the group to begin anew",
      { argument: "name", value: groupName, limit: written },
    );
  }

  /** Looks what shards there are, and begins those whose turn it is; `finished` is one that was copied to its end. */
  async #look(run: Run, signal: AbortSignal, finished?: ShardDescription): Promise<void> {
    const { calls, streamName } = this.#parts;
    const looking = this.#looking.then(async () => {
      const shards = await listRemoteShards(calls, streamName, signal);
      if (finished !== undefined) run.copied.delete(finished.shardId);
      await this.#settle(run, shards);
      turn(run, shards, finished);
      this.#spawn(run, shards);
    });
    this.#looking = looking.catch(() => undefined);
    await looking;
  }

  /** Writes down which shards came, and forgets those that are gone; of what was not copied, a gap is told. */
  async #settle({ positions, copied }: Run, shards: readonly ShardDescription[]): Promise<void> {
    const { commit, onGap } = this.#parts;
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
    await commit({ state });
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
    await this.#look(run, signal, shard);
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
      await this.#store(positions, shardId, read);
      // What is behind a shard's end is in its children.
      if (done) lag.begin(shardId);
      else lag.read(shardId, read.millisBehindLatest);
      onRead();
    }
  }

  async #store(positions: ReplicaPositions, shardId: string, read: ReplicaRead): Promise<void> {
    const { commit, localName: streamName, onStored } = this.#parts;
    const { run = "" } = positions;
    for (const part of replicaPartsOf(read.batch, read.first, { streamName, run })) {
      const { outputs, dataBytes, sequenceNumber } = part;
      const state = { [shardId]: storedAs({ at: "SEQUENCE_NUMBER", sequenceNumber }) };
      await commit({ outputs, state });
      positions.apply(state);
      onStored(outputs.length, dataBytes);
    }
    if (!read.done) return;
    const state = { [shardId]: storedAs({ at: "SHARD_END" }) };
    await commit({ state });
    positions.apply(state);
  }
}

const isOpen = ({ closedMs }: ShardDescription): boolean => closedMs === undefined;

/** Where the copy of a shard begins that is there when the replica is. */
function startOf(shard: ShardDescription, from: GroupPosition, startMs: number): ReplicaPosition {
  if (from.type === "TRIM_HORIZON") return { at: from.type };
  if (from.type === "AT_TIMESTAMP") return { at: from.type, timestampMs: from.timestampMs };
  // Whoever goes on before the first record came goes by the time at which the replica began.
  return isOpen(shard) ? { at: "AT_TIMESTAMP", timestampMs: startMs } : { at: "SHARD_END" };
}

/** Puts the shards in order that are there now: those which are not copied to their end, parents first. */
function turn(
  { turns, positions }: Run,
  shards: readonly ShardDescription[],
  finished?: ShardDescription,
): void {
  const description = {
    openShards: shards.filter(isOpen),
    closedShards: shards.filter((one) => !isOpen(one)),
  };
  if (finished === undefined) {
    const cursors = shards.map(({ shardIndex, shardId }) => ({
      shardIndex,
      shardId,
      nextIndex: 0,
    }));
    for (const { shardIndex, shardId } of cursors) {
      if (positions.hasEnded(shardId)) turns.finish(shardIndex);
    }
    turns.begin(
      cursors.filter(({ shardId }) => !positions.hasEnded(shardId)),
      description,
    );
  } else {
    turns.finish(finished.shardIndex);
    turns.adopt(description, true);
  }
}

function lastOf(position: ReplicaPosition | undefined): string | undefined {
  return position?.at === "SEQUENCE_NUMBER" ? position.sequenceNumber : undefined;
}
