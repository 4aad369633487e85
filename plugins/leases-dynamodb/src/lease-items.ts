/**
 * A lease as an item of DynamoDB, by the attributes of the KCL. What the KCL has no attribute for stands under
 * names that begin with "millrace", which the KCL leaves alone.
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import type { LeaseRow } from "millrace/plugin";
import type { Item } from "./dynamo-service.ts";
import { LeaseTableError } from "./lease-table-error.ts";

/** Attribute of the hash key. */
export const KEY = "leaseKey";
/** Attribute on which changes are conditional. */
export const COUNTER = "leaseCounter";
/** Attribute by which the KCL since 3.5 tells what else it keeps in the table. */
const ENTITY_TYPE = "entityType";
/** A shard's name; keys of several streams in one table have colons in them. */
const LEASE_KEY = /^[a-zA-Z0-9_.-]{1,128}$/;

/** Every attribute of a lease but its key; undefined for those that the item is not to have. */
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;

const text = (value: string | null | undefined): AttributeValue | undefined =>
  value === null || value === undefined ? undefined : { S: value };
const number = (value: number | undefined): AttributeValue | undefined =>
  value === undefined ? undefined : { N: String(value) };

/**
 * Who has the lease and who waits for it. While somebody waits the KCL has the one who waits as leaseOwner, and the
 * one who has the lease until it gave it up as checkpointOwner.
 */
function ownership({ owner, wantedBy }: LeaseRow): Attributes {
  const handedOver = owner !== null && wantedBy !== null;
  return {
    leaseOwner: text(handedOver ? wantedBy : owner),
    checkpointOwner: handedOver ? text(owner) : undefined,
    millraceWantedBy: owner === null ? text(wantedBy) : undefined,
  };
}

/** The attributes of a lease, without its key. */
export function attributesOf(row: LeaseRow): Attributes {
  const parents = [...new Set(row.parentShardIds)];
  return {
    ...ownership(row),
    [COUNTER]: number(row.counter),
    checkpoint: text(row.checkpoint),
    checkpointSubSequenceNumber: number(row.subSequenceNumber),
    ownerSwitchesSinceCheckpoint: number(row.ownerSwitches),
    // DynamoDB has no empty sets.
    parentShardId: parents.length === 0 ? undefined : { SS: parents },
    startingHashKey: text(row.startingHashKey === "" ? undefined : row.startingHashKey),
    endingHashKey: text(row.endingHashKey === "" ? undefined : row.endingHashKey),
    millraceTimestampMs: number(row.timestampMs),
    millraceState: text(row.state),
  };
}

/** Reads the attributes of one item. */
class ItemReader {
  readonly #item: Item;
  readonly #tableName: string;

  constructor(item: Item, tableName: string) {
    this.#item = item;
    this.#tableName = tableName;
  }

  has(name: string): boolean {
    return this.#item[name] !== undefined;
  }

  text(name: string): string | undefined {
    const value = this.#item[name];
    return value === undefined ? undefined : (value.S ?? this.refuse(`whose ${name} is no string`));
  }

  texts(name: string): readonly string[] {
    const value = this.#item[name];
    if (value === undefined) return [];
    return value.SS ?? this.refuse(`whose ${name} is no set of strings`);
  }

  number(name: string): number | undefined {
    const value = this.#item[name];
    if (value === undefined) return undefined;
    const read = Number(value.N);
    return Number.isSafeInteger(read)
      ? read
      : this.refuse(`whose ${name} is no integer below 2^53`);
  }

  /** @throws LeaseTableError. */
  refuse(what: string): never {
    const key = this.#item[KEY]?.S ?? "";
    throw new LeaseTableError(
      `table ${this.#tableName} is not one of a group's leases: it has an item "${key.slice(0, 80)}" ${what}`,
      { argument: "tableName", value: this.#tableName },
    );
  }
}

/**
 * The lease that an item is, as Millrace or a KCL wrote it; undefined for what else a KCL keeps in the table.
 *
 * @throws LeaseTableError when it is none of both.
 */
export function rowOf(item: Item, tableName: string): LeaseRow | undefined {
  const read = new ItemReader(item, tableName);
  const counter = read.number(COUNTER);
  const checkpoint = read.text("checkpoint");
  if (counter === undefined || checkpoint === undefined) {
    if (read.has(ENTITY_TYPE)) return undefined;
    return read.refuse(`without ${counter === undefined ? COUNTER : "checkpoint"}`);
  }
  const leaseKey = read.text(KEY) ?? "";
  if (!LEASE_KEY.test(leaseKey)) read.refuse("that is no shard of one stream");
  const holder = read.text("checkpointOwner");
  const leaseOwner = read.text("leaseOwner") ?? null;
  return {
    leaseKey,
    owner: holder ?? leaseOwner,
    counter,
    checkpoint,
    subSequenceNumber: read.number("checkpointSubSequenceNumber") ?? 0,
    timestampMs: read.number("millraceTimestampMs"),
    ownerSwitches: read.number("ownerSwitchesSinceCheckpoint") ?? 0,
    parentShardIds: read.texts("parentShardId"),
    startingHashKey: read.text("startingHashKey") ?? "",
    endingHashKey: read.text("endingHashKey") ?? "",
    wantedBy: holder === undefined ? (read.text("millraceWantedBy") ?? null) : leaseOwner,
    state: read.text("millraceState"),
  };
}

/** Whether two rows say the same. */
export function isSameRow(one: LeaseRow, other: LeaseRow): boolean {
  return canonical(one) === canonical(other);
}

function canonical(row: LeaseRow): string {
  const attributes = attributesOf({ ...row, parentShardIds: row.parentShardIds.toSorted() });
  return JSON.stringify([row.leaseKey, Object.entries(attributes)]);
}
