/** Holds what is read against what was acknowledged: what is missing, what is there twice, what is misplaced. */
import { numberIn } from "./numbered-record.ts";

/** What an acknowledgement said of a record. */
export interface Acknowledgement {
  readonly lane: string;
  readonly number: number;
  readonly shardId: string;
  readonly sequenceNumber: string;
}

/** A record as it is read. */
export interface ReadRecord {
  readonly partitionKey: string;
  readonly shardId: string;
  readonly sequenceNumber: string;
  readonly data: Uint8Array;
}

/** What a reading came to, in records. */
export interface TallyReport {
  readonly read: number;
  /** Acknowledged and not there. */
  readonly lost: number;
  /** There more than once. */
  readonly twice: number;
  /** Behind a later one of its lane or shard, or not where the acknowledgement said. */
  readonly misplaced: number;
  /** With other bytes than were put. */
  readonly torn: number;
}

const keyOf = (lane: string, number: number): string => `${lane}:${number}`;

/** The acknowledgements of a run. */
export class Acknowledgements {
  readonly #places = new Map<string, string>();

  /** Number of records. */
  get count(): number {
    return this.#places.size;
  }

  /** Notes an acknowledgement. */
  take({ lane, number, shardId, sequenceNumber }: Acknowledgement): void {
    this.#places.set(keyOf(lane, number), `${shardId} ${sequenceNumber}`);
  }

  /** Shard and sequence number that a record was acknowledged with; undefined when it was not. */
  placeOf(key: string): string | undefined {
    return this.#places.get(key);
  }

  /** Keys of all records that were acknowledged. */
  keys(): IterableIterator<string> {
    return this.#places.keys();
  }
}

/** One reading, from the oldest record on. */
export class Tally {
  readonly #places = new Map<string, string>();
  readonly #nextOfLane = new Map<string, number>();
  readonly #lastOfShard = new Map<string, bigint>();
  #read = 0;
  #twice = 0;
  #unordered = 0;
  #torn = 0;

  /** Records so far. */
  get read(): number {
    return this.#read;
  }

  /** Takes the next record of the reading. */
  take({ partitionKey, shardId, sequenceNumber, data }: ReadRecord): void {
    this.#read += 1;
    const number = numberIn(data);
    if (number === undefined) {
      this.#torn += 1;
      return;
    }
    const key = keyOf(partitionKey, number);
    if (this.#places.has(key)) {
      this.#twice += 1;
      return;
    }
    this.#places.set(key, `${shardId} ${sequenceNumber}`);
    const place = BigInt(sequenceNumber);
    const inLane = number >= (this.#nextOfLane.get(partitionKey) ?? 0);
    const inShard = place > (this.#lastOfShard.get(shardId) ?? -1n);
    if (!inLane || !inShard) this.#unordered += 1;
    this.#nextOfLane.set(partitionKey, number + 1);
    this.#lastOfShard.set(shardId, place);
  }

  /** What the reading came to, when it has reached its end. */
  report(acknowledged: Acknowledgements): TallyReport {
    let lost = 0;
    let elsewhere = 0;
    for (const key of acknowledged.keys()) {
      const place = this.#places.get(key);
      if (place === undefined) lost += 1;
      else if (place !== acknowledged.placeOf(key)) elsewhere += 1;
    }
    const misplaced = this.#unordered + elsewhere;
    return { read: this.#read, lost, twice: this.#twice, misplaced, torn: this.#torn };
  }

  /** Number of acknowledged records that this reading has not come across. */
  missing(acknowledged: Acknowledgements): number {
    return this.report(acknowledged).lost;
  }
}
