/** The records of one delivery on their way: which of them are stored on the far side, and what is left. */
import type { HashKey } from "../aggregation/hash-key.ts";
import type { ReplicationMark } from "./mark.ts";

/** A user record as it is handed over for shipping. */
export interface ShippableRecord {
  readonly partitionKey: string;
  /** Decimal, 0 to 2^128 - 1. */
  readonly explicitHashKey: string | undefined;
  readonly hashKey: HashKey;
  /** Nobody changes it while it is on its way. */
  readonly data: Uint8Array;
  /** Where it was put first, for the hash keys that its shard speaks for. */
  readonly mark: ReplicationMark;
}

/** A user record on its way. */
export interface ShippedRecord extends ShippableRecord {
  readonly shipment: Shipment;
  /** Position in its shipment. */
  readonly place: number;
  /** Position among all records of the shipper: what was handed over before is stored before. */
  readonly ordinal: number;
}

/** See above. */
export class Shipment {
  readonly records: readonly ShippedRecord[];
  readonly #stored: Uint8Array;
  #left: number;
  #prefix = 0;
  #underWay = 0;
  #withdrawn = false;
  #notify: () => void = () => undefined;
  #change: Promise<void> | undefined;

  /** `ordinal` is the one of its first record. */
  constructor(records: readonly ShippableRecord[], ordinal: number) {
    this.records = records.map((record, place) => ({
      ...{ shipment: this, place, ordinal: ordinal + place },
      ...record,
    }));
    this.#stored = new Uint8Array(records.length);
    this.#left = records.length;
  }

  /** How many records at its beginning are stored without a gap. */
  get prefix(): number {
    return this.#prefix;
  }

  /** Whether nothing of it is on its way any more: all is stored, or it was withdrawn. */
  get ended(): boolean {
    return this.#left === 0 || (this.#withdrawn && this.#underWay === 0);
  }

  /** Whether what is not under way is not to be sent any more. */
  get withdrawn(): boolean {
    return this.#withdrawn;
  }

  /** Resolves when something of it changes, and at once when it has ended. */
  async changed(): Promise<void> {
    if (this.ended) return;
    this.#change ??= new Promise((resolve) => {
      this.#notify = resolve;
    });
    await this.#change;
  }

  /** A record of it goes out. */
  sent(): void {
    this.#underWay += 1;
  }

  /** One that went out came to an end, stored or not. */
  settled(place: number, stored: boolean): void {
    this.#underWay -= 1;
    if (stored) this.confirm(place);
    else this.#tell();
  }

  /** One is stored. */
  confirm(place: number): void {
    if (this.#stored[place] === 1) return;
    this.#stored[place] = 1;
    this.#left -= 1;
    while (this.#stored[this.#prefix] === 1) this.#prefix += 1;
    this.#tell();
  }

  /** Nothing more of it is sent. */
  withdraw(): void {
    this.#withdrawn = true;
    this.#tell();
  }

  #tell(): void {
    this.#change = undefined;
    this.#notify();
  }
}
