/**
 * The right to run a replica, which one shard of the local stream has at every time: that of the first hash key.
 * Its lease keeps where the copy stands, and passes that on when the shard is split or merged.
 */
import {
  EngineClosedError,
  LeaseLostError,
  MillraceError,
  ResourceNotFoundError,
  type ShardDescription,
  toMillraceError,
} from "@millrace/engine";
import { backOffMs } from "../groups/back-off.ts";
import type { Checkpointer, InitializeInput, ShardProcessor } from "../groups/group-types.ts";
import type { RemoteCalls } from "../remote/remote-calls.ts";
import { parentsOf } from "../shard-turns.ts";
import type { CopyTarget, ReplicaCopy } from "./replica-copy.ts";
import type { ReplicaGate } from "./replica-gate.ts";
import type { ReplicaState } from "./replica-positions.ts";
import type { ReplicationProgress } from "./replication-progress.ts";

const FIRST_HASH_KEY = "0";
/** Between two looks whether a local shard was closed, in ms. */
const LOOK_MS = 2000;
/** First pause before the local engine is asked again for what it had no room for, or no answer to, in ms. */
const RETRY_MS = 100;
/** Before shards are looked for again where none is left, in ms. */
const NO_SHARD_MS = 1000;
/** Why the work under way ends: the local shard is closed. */
const CLOSED = Symbol("closed");

/** What the processors of one replica share. */
export interface ReplicaSeatParts {
  readonly groupName: string;
  /** When the group was made, in ms since the Unix epoch. */
  readonly groupCreatedMs: number;
  readonly calls: RemoteCalls;
  readonly gate: ReplicaGate;
  readonly progress: ReplicationProgress;
  /** The shards of the local stream as they are. */
  readonly localShards: () => Promise<readonly ShardDescription[]>;
  readonly copy: (target: CopyTarget, state: ReplicaState) => ReplicaCopy;
  /** Work is under way until this settles. */
  readonly onWork: (work: Promise<void>) => void;
  /** Ends the replica, since the stream elsewhere cannot be reached any more. */
  readonly onClosed: (error: MillraceError) => void;
}

/** The processor of one lease: copies while its shard is that of the first hash key, and waits otherwise. */
export class ReplicaSeat implements ShardProcessor {
  readonly #parts: ReplicaSeatParts;

  constructor(parts: ReplicaSeatParts) {
    this.#parts = parts;
  }

  async initialize({ shardId, state, checkpointer, leaving }: InitializeInput): Promise<void> {
    const { progress } = this.#parts;
    const shard = await this.#find(shardId);
    const isSeat = shard.startingHashKey === FIRST_HASH_KEY;
    const closing = new AbortController();
    const copy = this.#parts.copy(this.#target(checkpointer, closing.signal), state);
    const leave = (): void => closing.abort(leaving.reason);
    leaving.addEventListener("abort", leave, { once: true });
    if (leaving.aborted) leave();
    const watching = this.#watch(shardId, closing);
    try {
      if (isSeat) await this.#work(copy, { shard, state }, closing.signal);
      await watching;
    } finally {
      if (isSeat) progress.enter("standby");
      leaving.removeEventListener("abort", leave);
      closing.abort();
    }
    if (leaving.aborted) return;
    const end = (): Promise<void> =>
      this.#endShard(shardId, checkpointer, isSeat ? copy.state : {});
    await this.#untilDone(end, leaving);
  }

  /** Nothing is delivered: the records are copies that this very replica made. */
  processRecords(): void {}

  async #find(shardId: string): Promise<ShardDescription> {
    const shards = await this.#parts.localShards();
    const found = shards.find((shard) => shard.shardId === shardId);
    if (found !== undefined) return found;
    throw new ResourceNotFoundError(`Shard ${shardId} of the local stream does not exist`, {
      argument: "shardId",
      value: shardId,
    });
  }

  /** Aborts when the shard is closed; resolves when it was aborted. */
  async #watch(shardId: string, closing: AbortController): Promise<void> {
    const { signal } = closing;
    while (!signal.aborted) {
      if (await this.#isClosed(shardId)) closing.abort(CLOSED);
      else await this.#rest(LOOK_MS, signal);
    }
  }

  /** What cannot be asked now is asked again: when the lease is over, the engine says so to whoever holds it. */
  async #isClosed(shardId: string): Promise<boolean> {
    try {
      return (await this.#find(shardId)).closedMs !== undefined;
    } catch {
      return false;
    }
  }

  /** Copies until the signal is aborted, however often it is paused meanwhile. */
  async #work(copy: ReplicaCopy, begun: Begun, signal: AbortSignal): Promise<void> {
    const { gate, progress, onWork } = this.#parts;
    while (!signal.aborted) {
      if (gate.closed) progress.enter("paused", gate.reason);
      try {
        await gate.passed(signal);
      } catch {
        return;
      }
      progress.enter("starting");
      const work = this.#copyOnce(copy, begun, signal);
      onWork(work);
      await work;
    }
  }

  /** Copies until that has to end, or fails; what no waiting mends closes the gate. */
  async #copyOnce(copy: ReplicaCopy, begun: Begun, signal: AbortSignal): Promise<void> {
    const { gate, calls } = this.#parts;
    // Whoever pauses may have resumed by the time that this has come to its end.
    const { closing } = gate;
    try {
      this.#requireState(begun);
      await copy.run(AbortSignal.any([signal, closing]));
      await calls.pause(NO_SHARD_MS, signal);
    } catch (thrown) {
      if (signal.aborted || closing.aborted) return;
      const error = toMillraceError(thrown);
      // Who is closing takes no calls any more, but is not closed while one is under way.
      const closed = calls.closed || error instanceof EngineClosedError;
      if (closed) this.#parts.onClosed(error);
      // Whoever has lost the lease hears of it soon.
      if (closed || error instanceof LeaseLostError) await waitFor(signal);
      else gate.close(error);
    }
  }

  /**
   * A shard that was made when the replica was there already has its state from the shard before it, unless that
   * one expired with it. @throws ResourceNotFoundError.
   */
  #requireState({ shard, state }: Begun): void {
    const { groupName, groupCreatedMs } = this.#parts;
    const isHeir = shard.parentShardIndex !== undefined;
    const isYounger = shard.createdSeconds * 1000 > groupCreatedMs;
    if (!isHeir || !isYounger || Object.keys(state).length > 0) return;
    throw new ResourceNotFoundError(
      `where the replica ${groupName} stood is not known any more: the local stream was split or merged, and ` +
        "the shard that knew it has expired before the replica ran again; delete the group to begin anew",
      { argument: "name", value: groupName },
    );
  }

  /** The local side, until it is paused or the lease is left. @throws as {@link #untilDone}. */
  #target(checkpointer: Checkpointer, leaving: AbortSignal): CopyTarget {
    const { gate, localShards } = this.#parts;
    const ending = (): AbortSignal => AbortSignal.any([leaving, gate.closing]);
    return {
      commit: (what) => this.#untilDone(() => checkpointer.checkpoint(what), ending()),
      shards: () => this.#untilDone(localShards, ending()),
    };
  }

  /**
   * Asks the local engine for something, again and again while it has no room or no answer. @throws LeaseLostError,
   * what waiting does not mend, and why there is no more waiting.
   */
  async #untilDone<Answer>(work: () => Promise<Answer>, ending: AbortSignal): Promise<Answer> {
    const { calls, progress } = this.#parts;
    for (let failures = 1; ; failures++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof MillraceError) || !error.retryable) throw error;
        const retryMs = backOffMs(RETRY_MS, failures);
        progress.retrying("throttled", error, retryMs);
        await calls.pause(retryMs, ending);
      }
    }
  }

  /** Finishes a closed shard; where the copy stands goes to the shard that has the first hash key now. */
  async #endShard(shardId: string, checkpointer: Checkpointer, state: ReplicaState): Promise<void> {
    const shards = await this.#parts.localShards();
    const own = await this.#find(shardId);
    const heir = shards.find(
      (shard) =>
        shard.startingHashKey === FIRST_HASH_KEY && parentsOf(shard).includes(own.shardIndex),
    );
    const handed = Object.keys(state).length > 0 && heir !== undefined;
    const childState = handed ? { [heir.shardId]: state } : {};
    await checkpointer.checkpoint({ shardEnd: true, childState });
  }

  async #rest(delayMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#parts.calls.pause(delayMs, signal);
    } catch {
      // It was aborted, or the far side was closed; then there is nothing to hurry for.
      if (!signal.aborted) await waitFor(signal);
    }
  }
}

/** What the lease's owner began with. */
interface Begun {
  readonly shard: ShardDescription;
  readonly state: ReplicaState;
}

async function waitFor(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
