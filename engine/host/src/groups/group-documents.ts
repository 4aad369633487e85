/**
 * Consumer groups as the control state keeps them: one document for a group, one for each of its leases,
 * and one for each entry of a processor's state.
 */
import type { ControlRecord, DocumentValue } from "../log/control-records.ts";
import type { Documents } from "../streams/documents.ts";
import type { GroupPosition, LeaseCheckpoint } from "./group-types.ts";

/** Key prefix of all groups. */
export const GROUP_PREFIX = "group/";
/**
 * Document with a number that no lease counter of a deleted group was above: a group that comes to bear the
 * same name fences off whoever worked for the one before.
 */
export const COUNTER_FLOOR_KEY = "group-counter";

const INDEX_DIGITS = 10;

/** A group as it is stored. A type and not an interface, so that it is a JSON value to the compiler. */
export type StoredGroup = {
  readonly streamUid: number;
  readonly startingPosition: GroupPosition;
  readonly failoverMs: number;
  readonly handOverMs: number;
  /** Milliseconds since the Unix epoch. */
  readonly createdMs: number;
  /** Lease counter that leases begin with: above all that the group has given out before a reset. */
  readonly firstCounter: number;
  /** What its workers copy into the stream. */
  readonly replicaOf?: string;
  /** Where its workers ship the stream to. */
  readonly shipsTo?: string;
};

/** What is kept of a shard that expired before the group was done with it. */
export type StoredExpiry = {
  readonly checkpoint: LeaseCheckpoint;
  /** Of the shard, in seconds since the Unix epoch. */
  readonly createdSeconds: number;
  /** Milliseconds since the Unix epoch. */
  readonly expiredMs: number;
};

/** Who owns a lease, as it is stored. */
export type StoredOwner = { readonly workerId: string; readonly memberId: string | null };

/** A lease as it is stored. */
export type StoredLease = {
  readonly owner: StoredOwner | null;
  /** Rises with every change of owner. */
  readonly leaseCounter: number;
  /** Number of the last epoch; 0 before the first. */
  readonly epoch: number;
  /** Lease counter under which that epoch was committed: tells its repeat from another worker's epoch. */
  readonly epochCounter: number;
  readonly checkpoint: LeaseCheckpoint;
  readonly pendingCheckpoint?: LeaseCheckpoint;
  /** Changes of owner since the last checkpoint. */
  readonly ownerSwitches: number;
  /** For LATEST and TRIM_HORIZON: the index that it meant when the lease was created; for children's leases none. */
  readonly startIndex?: number;
};

/** Key of a group. */
export function groupKey(name: string): string {
  return `${GROUP_PREFIX}${name}`;
}

/** Key of a lease. */
export function leaseKey(name: string, shardIndex: number): string {
  return `${leasePrefix(name)}${String(shardIndex).padStart(INDEX_DIGITS, "0")}`;
}

/** Key of an entry of a processor's state. */
export function stateKey(name: string, shardIndex: number, key: string): string {
  return `${statePrefix(name, shardIndex)}${key}`;
}

/** Key of what is kept of an expired shard. */
export function expiryKey(name: string, shardIndex: number): string {
  return `${expiryPrefix(name)}${String(shardIndex).padStart(INDEX_DIGITS, "0")}`;
}

function expiryPrefix(name: string): string {
  return `${groupKey(name)}/expired/`;
}

function leasePrefix(name: string): string {
  return `${groupKey(name)}/lease/`;
}

function statePrefix(name: string, shardIndex: number): string {
  return `${groupKey(name)}/state/${shardIndex}/`;
}

/** Name of the group that a key is the own key of; undefined for all others. */
export function groupOfKey(key: string): string | undefined {
  if (!key.startsWith(GROUP_PREFIX)) return undefined;
  const name = key.slice(GROUP_PREFIX.length);
  return name.includes("/") ? undefined : name;
}

/** Names of all groups, ascending. */
export function groupNames(documents: Documents): string[] {
  return documents.keys(GROUP_PREFIX).flatMap((key) => groupOfKey(key) ?? []);
}

/** All leases of a group, by shard index, ascending. */
export function leasesOf(documents: Documents, name: string): Map<number, StoredLease> {
  return byShard<StoredLease>(documents, leasePrefix(name));
}

/** What is kept of a group's expired shards, by shard index, ascending. */
export function expiriesOf(documents: Documents, name: string): Map<number, StoredExpiry> {
  return byShard<StoredExpiry>(documents, expiryPrefix(name));
}

function byShard<Value>(documents: Documents, prefix: string): Map<number, Value> {
  const values = new Map<number, Value>();
  for (const key of documents.keys(prefix)) {
    const value = documents.get<Value>(key);
    if (value !== undefined) values.set(Number(key.slice(prefix.length)), value);
  }
  return values;
}

/** State of a lease's processor, by key. */
export function stateOf(
  documents: Documents,
  name: string,
  shardIndex: number,
): Record<string, DocumentValue> {
  const prefix = statePrefix(name, shardIndex);
  const entries = documents
    .keys(prefix)
    .map((key) => [key.slice(prefix.length), documents.get<DocumentValue>(key) ?? null] as const);
  return Object.fromEntries(entries);
}

/** The record that puts a lease. */
export function puttingLease(
  documents: Documents,
  name: string,
  shardIndex: number,
  lease: StoredLease,
): ControlRecord {
  return documents.putting(leaseKey(name, shardIndex), lease);
}

/** The records that delete the state of a lease's processor. */
export function deletingState(
  documents: Documents,
  name: string,
  shardIndex: number,
): ControlRecord[] {
  return documents.deletingAll(statePrefix(name, shardIndex));
}

/** The records that delete groups with all that is kept about them. */
export function deletingGroups(documents: Documents, names: readonly string[]): ControlRecord[] {
  if (names.length === 0) return [];
  const counters = names.flatMap((name) =>
    [...leasesOf(documents, name).values()].map(({ leaseCounter }) => leaseCounter),
  );
  const floor = Math.max(counterFloor(documents), ...counters);
  return [
    documents.putting(COUNTER_FLOOR_KEY, floor),
    ...names.flatMap((name) => [
      ...documents.deletingAll(`${groupKey(name)}/`),
      documents.deleting(groupKey(name)),
    ]),
  ];
}

/** Lease counter that the leases of a new group begin with. */
export function counterFloor(documents: Documents): number {
  return documents.get<number>(COUNTER_FLOOR_KEY) ?? 0;
}
