/**
 * A lease as its worker holds it: how far it is, which epoch is next, and whether it is lost. Its epochs are
 * committed one after the other.
 */
import {
  type EpochState,
  type LeaseCheckpoint,
  LeaseLostError,
  type OwnedLease,
  parseSequenceNumber,
} from "@millrace/engine";

/** A record of a shard, or a member of an aggregated one. */
export interface RecordPosition {
  readonly index: number;
  readonly subSequenceNumber: number;
}

/** Below 0, 0 or above 0, as the left one is before, at or after the right one. */
export function comparePositions(left: RecordPosition, right: RecordPosition): number {
  return left.index - right.index || left.subSequenceNumber - right.subSequenceNumber;
}

/** Index of a record of a lease by its sequence number. @throws InvalidArgumentError for one that is none. */
export type IndexOf = (sequenceNumber: string) => number;

/** The index that an engine gave a record. */
export const indexInEngine: IndexOf = (sequenceNumber) =>
  parseSequenceNumber(sequenceNumber).sequenceIndex;

/** What keeps state of its own beside the processor's, which is committed with every checkpoint of a lease. */
export interface LeaseCompanion {
  /** What is to be stored together with a checkpoint. */
  stateAt(checkpoint: LeaseCheckpoint): readonly EpochState[];
  /** What {@link stateAt} gave last is stored. */
  committed(): void;
}

/** What a lease is given back by. */
export type GivenLease = Pick<OwnedLease, "shardIndex" | "leaseCounter">;

/** See above. */
export class HeldLease {
  readonly shardId: string;
  readonly shardIndex: number;
  readonly leaseCounter: number;
  /** What the owner began with. */
  readonly begun: OwnedLease;
  /** The last record that was handed to the processor. */
  delivered: RecordPosition | undefined;
  /** The first record of the delivery under way, or of the last one: until it went well its records may be asked for. */
  deliveredFrom: RecordPosition | undefined;
  /** How records are numbered; otherwise where no engine numbers them. */
  indexOf: IndexOf = indexInEngine;
  /** Undefined while there is none. */
  companion: LeaseCompanion | undefined;
  #epoch: number;
  #checkpoint: LeaseCheckpoint;
  #state: OwnedLease["state"] | undefined;
  #failure: LeaseLostError | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  readonly #gone = new AbortController();

  constructor(lease: OwnedLease) {
    this.begun = lease;
    this.shardId = lease.shardId;
    this.shardIndex = lease.shardIndex;
    this.leaseCounter = lease.leaseCounter;
    this.#epoch = lease.epoch;
    this.#checkpoint = lease.checkpoint;
    this.#state = lease.state;
  }

  /** Number of the next epoch. */
  get nextEpoch(): number {
    return this.#epoch + 1;
  }

  /** As it was committed last. */
  get checkpoint(): LeaseCheckpoint {
    return this.#checkpoint;
  }

  /** The same as a record; undefined while it is none. */
  get processed(): RecordPosition | undefined {
    return "index" in this.#checkpoint ? this.#checkpoint : undefined;
  }

  /** The state as it was committed last, for whoever begins with it; empty once {@link forgetState} was called. */
  get state(): OwnedLease["state"] {
    return this.#state ?? {};
  }

  /** Whether the shard's end is checkpointed. */
  get ended(): boolean {
    return "at" in this.#checkpoint && this.#checkpoint.at === "SHARD_END";
  }

  /** Whether an epoch is under way, or waits for its turn. */
  get busy(): boolean {
    return this.#waiting > 0;
  }

  /** Aborted with the lease. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** Whether the lease is the worker's no more. */
  get lost(): boolean {
    return this.#failure !== undefined;
  }

  /** Nothing can be committed from now on. */
  lose(error?: LeaseLostError): void {
    if (this.#failure !== undefined) return;
    this.#failure =
      error ??
      new LeaseLostError(`the lease of ${this.shardId} is not this worker's any more`, {
        argument: "shardId",
        value: this.shardId,
      });
    this.#gone.abort(this.#failure);
  }

  /** @throws LeaseLostError. */
  requireHeld(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** An epoch is committed. */
  advance(checkpoint: LeaseCheckpoint): void {
    this.#epoch += 1;
    this.#checkpoint = checkpoint;
    this.companion?.committed();
  }

  /** Entries of the state are committed; null removes one. They are copied: whoever gave them may change them. */
  keepState(changes: OwnedLease["state"]): void {
    if (this.#state === undefined) return;
    const entries = Object.entries({
      ...this.#state,
      ...(JSON.parse(JSON.stringify(changes)) as OwnedLease["state"]),
    });
    this.#state = Object.fromEntries(entries.filter(([, value]) => value !== null));
  }

  /** The processor has begun, and keeps its state itself from now on. */
  forgetState(): void {
    this.#state = undefined;
  }

  /** Does what commits an epoch when all before it are settled. */
  exclusively<Value>(work: () => Promise<Value>): Promise<Value> {
    this.#waiting += 1;
    const result = this.#turn.then(work);
    this.#turn = result
      .catch(() => undefined)
      .then(() => {
        this.#waiting -= 1;
      });
    return result;
  }
}
