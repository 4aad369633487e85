/**
 * What the workers of consumer groups were given, delivered and committed; and what of it must be true at the
 * end: one owner per lease and counter, everything processed, copies exactly once and in the order of each key.
 */
import {
  type EpochCommit,
  type OwnedLease,
  parseSequenceNumber,
  type ShardCursor,
} from "@millrace/engine";
import type { UserRecord } from "millrace";
import type { History, SentRecord, StoredStream } from "./history.ts";
import { idOfData } from "./producer.ts";
import type { Verdict } from "./violations.ts";

/** Stream that groups copy records into. */
export const OUTPUT_STREAM = "output";

const utf8 = new TextEncoder();
const HOUR_MS = 3_600_000;

/** Data of a record's copy: does not hold the record's own data, which may be encrypted where that lies. */
export function copyOf(record: UserRecord): Uint8Array {
  return utf8.encode(`copy/${idOfData(record.data)}.`);
}

function originalOf(copyId: string): string {
  return copyId.slice("copy/".length, -1);
}

/** One owner's time with one lease, from its processor's beginning on. */
export interface Tenure {
  readonly workerId: string;
  readonly shardId: string;
  /** Index of the last record that is done with, as far as the processor and its state know; -1 for none. */
  doneIndex: number;
}

/** The oracle of a run's groups. */
export class GroupHistory {
  readonly #verdict: Verdict;
  readonly #history: History;
  /** Who was given a lease, by stream, shard and lease counter. */
  readonly #owners = new Map<string, string>();
  /** The highest lease counter that anybody was given, by group's stream and shard. */
  readonly #counters = new Map<string, number>();
  /** Which stream a worker reads, by its name. */
  readonly #streamOf = new Map<string, number>();
  /** Records that any processor was done with. */
  readonly #processed = new Set<string>();
  /** Where the engine told a worker that records before others could not be read, by stream and shard. */
  readonly #holes = new Map<string, { readonly from: number; readonly to: number }[]>();
  /** Streams that a group has read to their end, with whether it copied them. */
  readonly #followed = new Map<number, { readonly copies: boolean }>();

  constructor(verdict: Verdict, history: History) {
    this.#verdict = verdict;
    this.#history = history;
  }

  /** A group is to read all of a stream. */
  follow(streamUid: number, copies: boolean): void {
    this.#followed.set(streamUid, { copies });
  }

  /** A worker begins. */
  began(workerId: string, streamUid: number): void {
    this.#streamOf.set(workerId, streamUid);
  }

  /** A worker was told that it owns these leases. */
  given(workerId: string, leases: readonly OwnedLease[]): void {
    for (const { streamUid, shardIndex, leaseCounter } of leases) {
      const lease = `${streamUid}/${shardIndex}`;
      const name = `${lease} under ${leaseCounter}`;
      const owner = this.#owners.get(name);
      this.#owners.set(name, owner ?? workerId);
      if (owner !== undefined && owner !== workerId) {
        this.#report("owners", `${name} was given to ${owner} and to ${workerId}`);
      }
      this.#counters.set(lease, Math.max(this.#counters.get(lease) ?? 0, leaseCounter));
    }
  }

  /** Leases of an epoch that other owners were given before it is sent: it must not be committed. */
  overtaken({ workerId, checkpoints }: EpochCommit): string[] {
    const streamUid = this.#streamOf.get(workerId);
    return checkpoints.flatMap(({ shardIndex, leaseCounter }) => {
      const lease = `${streamUid}/${shardIndex}`;
      const newest = this.#counters.get(lease) ?? 0;
      return newest > leaseCounter ? [`${lease} under ${leaseCounter}, not ${newest}`] : [];
    });
  }

  /** An epoch was committed, and not before. */
  committed({ workerId }: EpochCommit, overtaken: readonly string[]): void {
    for (const lease of overtaken) this.#report("fence", `${workerId} commits ${lease}`);
  }

  /** A processor gets a batch. */
  delivered(tenure: Tenure, records: readonly UserRecord[]): void {
    let before = tenure.doneIndex;
    for (const { sequenceNumber, data } of records) {
      const id = idOfData(data);
      const { sequenceIndex } = parseSequenceNumber(sequenceNumber);
      if (sequenceIndex <= before) {
        const { workerId, shardId } = tenure;
        this.#report("delivery", `${workerId} gets ${id} of ${shardId} behind index ${before}`);
      }
      before = sequenceIndex;
    }
  }

  /** A processor is done with records, whether its checkpoint comes to pass or not. */
  processed(tenure: Tenure, records: readonly UserRecord[]): void {
    for (const { sequenceNumber, data } of records) {
      tenure.doneIndex = parseSequenceNumber(sequenceNumber).sequenceIndex;
      this.#processed.add(idOfData(data));
    }
  }

  /**
   * A worker was told that records between two places are lost, which may be as wrong as a store that fails two
   * times: it has gone past them.
   */
  stepped(streamUid: number, { shardIndex, nextIndex: from }: ShardCursor, to: number): void {
    const shard = `${streamUid}/${shardIndex}`;
    this.#holes.set(shard, [...(this.#holes.get(shard) ?? []), { from, to }]);
  }

  /** Holds the streams as they are at the end against what groups must have done. */
  audit(streams: readonly StoredStream[]): void {
    const outputs = streams.find(({ name }) => name === OUTPUT_STREAM)?.records ?? [];
    const copies = new Set<string>();
    const last = new Map<string, SentRecord>();
    for (const output of outputs) {
      const id = originalOf(output.id);
      const record = this.#history.find(id);
      if (copies.has(id)) this.#report("copied twice", id);
      copies.add(id);
      if (record === undefined) this.#report("copy", `${output.id} is a copy of nothing`);
      else this.#checkOrder(record, last);
    }
    for (const stream of streams) this.#checkCovered(stream, copies);
  }

  /** Records of a key come in the order in which they were sent. */
  #checkOrder(record: SentRecord, last: Map<string, SentRecord>): void {
    const name = `${record.streamUid}/${record.producer}/${record.key}`;
    const before = last.get(name);
    last.set(name, record);
    if (before === undefined) return;
    const ahead = before.batchNumber - record.batchNumber || before.row - record.row;
    if (ahead > 0) this.#report("copy order", `${record.id} stands behind ${before.id}`);
  }

  /** Whatever can still be read of a stream was processed, and copied. */
  #checkCovered({ uid, retentionHours, records }: StoredStream, copies: Set<string>): void {
    const followed = this.#followed.get(uid);
    if (followed === undefined) return;
    const { latestWallMs } = this.#history;
    for (const { id, arrivalMs, shardIndex, index } of records) {
      // A wall clock that was ahead may have hidden it from the group.
      if (latestWallMs - arrivalMs >= retentionHours * HOUR_MS) continue;
      const holes = this.#holes.get(`${uid}/${shardIndex}`) ?? [];
      if (holes.some(({ from, to }) => index >= from && index < to)) continue;
      // Whoever dies at once after an epoch was never told of it: its copies tell.
      if (followed.copies && !copies.has(id)) this.#report("not copied", id);
      if (!followed.copies && !this.#processed.has(id)) this.#report("not processed", id);
    }
  }

  /** Reports what damage cannot excuse. */
  #report(checker: string, message: string): void {
    if (!this.#history.damaged) this.#verdict.report(checker, message);
  }
}
