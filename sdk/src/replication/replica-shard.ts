/**
 * One shard of a stream elsewhere, read from where its copy stands. It begins with the record that was copied last,
 * where there is one: when that is gone, so may be others behind it.
 */
import type { RecordBatch, ShardDescription } from "@millrace/engine";
import { PolledShard } from "../remote/polled-shard.ts";
import type { ReadCalls } from "../remote/remote-calls.ts";
import { partsOf } from "../remote/remote-description.ts";
import type { SourceStart } from "../remote/shard-source.ts";
import type { ReplicaPosition } from "./replica-positions.ts";

/** AWS's iterators live for five minutes; a read that took so long may have gone on with a new one, in ms. */
const ITERATOR_MS = 240_000;

/** Where and how a shard is read. */
export interface ReplicaShardParts {
  readonly calls: ReadCalls;
  readonly streamName: string;
  readonly pollMs: number;
  readonly shard: ShardDescription;
  readonly position: ReplicaPosition;
  /** How long the far side keeps records, in ms. */
  readonly retentionMs: number;
  /** A reading at LATEST that is begun already. */
  readonly begun?: PolledShard | undefined;
  /** Records between these two are gone, or may be. */
  readonly onGap: (after: string | undefined, before: string | undefined) => void;
}

/** What one read gave. */
export interface ReplicaRead {
  readonly batch: RecordBatch;
  /** The first record that was not copied yet; what is before it was. */
  readonly first: number;
  /** Nothing more is to be read of the shard. */
  readonly done: boolean;
  /** How far the read's end is behind the newest record, in ms. */
  readonly millisBehindLatest: number;
}

/** See above. */
export class ReplicaShard {
  readonly #parts: ReplicaShardParts;
  #source: PolledShard | undefined;
  /** The last record that was copied. */
  #copied: string | undefined;
  /** The record that the next one read is to be; undefined once that was looked at. */
  #expected: string | undefined;
  /** Whether what came before the first record may have expired. */
  #mayLackHead: boolean;
  #readMs: number;

  constructor(parts: ReplicaShardParts) {
    const { position, begun, shard, retentionMs, calls } = parts;
    this.#parts = parts;
    this.#source = begun;
    this.#copied = position.at === "SEQUENCE_NUMBER" ? position.sequenceNumber : undefined;
    this.#readMs = calls.clock.nowMs();
    const expiredMs = this.#readMs - retentionMs;
    const isWanted = position.at === "SHARD_START";
    this.#mayLackHead = isWanted && shard.createdSeconds * 1000 < expiredMs;
  }

  /** The next read; called again only when what it gave is stored. @throws as calls do. */
  async next(signal: AbortSignal): Promise<ReplicaRead> {
    for (;;) {
      this.#source ??= this.#open();
      const { batch, done } = await this.#source.next(signal);
      if (this.#wentOnUnseen(batch)) {
        this.#source = undefined;
        continue;
      }
      const first = this.#look(batch, done);
      if (batch.length > 0) this.#copied = batch.sequenceNumber(batch.length - 1);
      const millisBehindLatest = batch.parts[0]?.millisBehindLatest ?? 0;
      return { batch, first, done, millisBehindLatest };
    }
  }

  #open(): PolledShard {
    const { calls, streamName, pollMs, shard } = this.#parts;
    this.#expected = this.#copied;
    this.#readMs = calls.clock.nowMs();
    const start = this.#start();
    return new PolledShard({ calls, streamName, pollMs, shard, start, toEnd: false });
  }

  #start(): SourceStart {
    const { position } = this.#parts;
    const sequenceNumber = this.#copied;
    if (sequenceNumber !== undefined) return { type: "AT_SEQUENCE_NUMBER", sequenceNumber };
    if (position.at !== "AT_TIMESTAMP") return { type: "TRIM_HORIZON" };
    return { type: "AT_TIMESTAMP", timestampMs: position.timestampMs };
  }

  /** Whether a read took so long that it may have gone on behind what expired meanwhile. */
  #wentOnUnseen(batch: RecordBatch): boolean {
    const nowMs = this.#parts.calls.clock.nowMs();
    const elapsedMs = nowMs - this.#readMs;
    this.#readMs = nowMs;
    if (elapsedMs < ITERATOR_MS || batch.length === 0) return false;
    return this.#copied !== undefined && this.#expected === undefined;
  }

  /** Looks for a gap before the first record. Answers which one is new. */
  #look(batch: RecordBatch, done: boolean): number {
    const { onGap } = this.#parts;
    if (batch.length === 0 && !done) return 0;
    const first = batch.length > 0 ? batch.sequenceNumber(0) : undefined;
    const expected = this.#expected;
    this.#expected = undefined;
    if (this.#mayLackHead) onGap(undefined, first);
    this.#mayLackHead = false;
    if (expected === undefined) return 0;
    if (first === expected) return 1;
    if (first === undefined || !areNeighbours(expected, first)) onGap(expected, first);
    return 0;
  }
}

/** Whether no record can lie between two of a shard, as their numbers say it. */
function areNeighbours(before: string, after: string): boolean {
  const [left, right] = [partsOf(before), partsOf(after)];
  if (left === undefined || right === undefined) return false;
  return right.sequenceIndex === left.sequenceIndex + 1;
}
