/**
 * What an epoch comes to, as a group's leases are now: control records, a repeat of what is there already, or
 * nothing, because a lease is lost. Decides and commits nothing; whoever calls holds the leases' gates.
 */
import { LeaseLostError, LimitExceededError } from "../errors/index.ts";
import { checkDocuments, DOCUMENTS_SIZE_MAX } from "../log/change-check.ts";
import type { ControlRecord, DocumentValue } from "../log/control-records.ts";
import { shardIdOf } from "../sequence/sequence-number.ts";
import type { Documents } from "../streams/documents.ts";
import { checkProgress, isEnded, sameCheckpoint } from "./checkpoints.ts";
import {
  checkCount,
  checkGroupName,
  checkObject,
  checkWorkerId,
  invalid,
  plainCheckpoint,
} from "./group-checks.ts";
import { puttingLease, type StoredLease, stateKey } from "./group-documents.ts";
import type { GroupLeases, LeaseSources } from "./group-leases.ts";
import type { EpochCheckpoint, EpochCommit, EpochState, NewestShard } from "./group-types.ts";
import { changesOf, parentsOf } from "./lease-discovery.ts";
import { creatingLease } from "./new-lease.ts";

/** Characters of one entry of state as JSON. */
const STATE_SIZE_MAX = 65_536;
/** Entries of state that one epoch changes. */
const STATE_COUNT_MAX = 10_000;

/** What epochs are decided on. */
export type EpochSources = LeaseSources;

/** What is to be committed; undefined for a repeat. */
export type EpochDecision = readonly ControlRecord[] | undefined;

/** The commit with nothing in it but what belongs there. @throws InvalidArgumentError. */
export function checkEpoch(commit: EpochCommit): EpochCommit {
  checkObject("commit", commit);
  const { groupName, workerId, checkpoints, state, newestShards = [] } = commit;
  checkGroupName("groupName", groupName);
  checkWorkerId("workerId", workerId);
  if (!Array.isArray(checkpoints) || checkpoints.length === 0) {
    throw invalid("checkpoints", checkpoints, "one checkpoint for each lease of the epoch");
  }
  if (!Array.isArray(state) || state.length > STATE_COUNT_MAX) {
    throw invalid("state.length", state?.length, `${STATE_COUNT_MAX} entries at most`);
  }
  const plain = checkpoints.map(plainProgress);
  const shards = new Set(plain.map(({ shardIndex }) => shardIndex));
  if (shards.size < plain.length) throw invalid("checkpoints", checkpoints, "one for each lease");
  if (!Array.isArray(newestShards)) throw invalid("newestShards", newestShards, "an array");
  return {
    ...{ groupName, workerId, checkpoints: plain, state: plainStates(state) },
    newestShards: newestShards.map(plainNewest),
  };
}

function plainNewest(newest: NewestShard, i: number): NewestShard {
  const argument = `newestShards[${i}]`;
  checkObject(argument, newest);
  const { streamUid, shardIndex } = newest;
  checkCount(`${argument}.streamUid`, streamUid, 0, Number.MAX_SAFE_INTEGER);
  checkCount(`${argument}.shardIndex`, shardIndex, 0, 2 ** 31 - 1);
  return { streamUid, shardIndex };
}

/** An entry that comes twice would be no repeat of itself. */
function plainStates(state: readonly EpochState[]): EpochState[] {
  const plain = state.map(plainState);
  const seen = new Set<string>();
  for (const [i, { shardIndex, key }] of plain.entries()) {
    const entry = `${shardIndex}/${key}`;
    if (seen.has(entry)) throw invalid(`state[${i}].key`, key, "one for each shard and key");
    seen.add(entry);
  }
  return plain;
}

function plainProgress(progress: EpochCheckpoint, i: number): EpochCheckpoint {
  const argument = `checkpoints[${i}]`;
  checkObject(argument, progress);
  const { shardIndex, leaseCounter, epoch, checkpoint, pending = false } = progress;
  checkCount(`${argument}.shardIndex`, shardIndex, 0, 2 ** 31 - 1);
  checkCount(`${argument}.leaseCounter`, leaseCounter, 0, Number.MAX_SAFE_INTEGER);
  checkCount(`${argument}.epoch`, epoch, 1, Number.MAX_SAFE_INTEGER);
  const plain = plainCheckpoint(`${argument}.checkpoint`, checkpoint);
  return { shardIndex, leaseCounter, epoch, checkpoint: plain, pending };
}

function plainState(entry: EpochState, i: number): EpochState {
  checkObject(`state[${i}]`, entry);
  const { shardIndex, key, value } = entry;
  checkGroupName(`state[${i}].key`, key);
  checkCount(`state[${i}].shardIndex`, shardIndex, 0, 2 ** 31 - 1);
  const size = jsonOf(value)?.length;
  if (size === undefined) throw invalid(`state[${i}].value`, typeof value, "a JSON value");
  if (size > STATE_SIZE_MAX) {
    throw new LimitExceededError(
      `state[${i}].value takes ${size} characters as JSON, and at most ${STATE_SIZE_MAX} are kept`,
      { argument: `state[${i}].value`, value: size, limit: STATE_SIZE_MAX },
    );
  }
  return { shardIndex, key, value };
}

/** Undefined for what JSON cannot hold. */
function jsonOf(value: DocumentValue): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** Characters that an epoch's changes of state take in a frame, about. */
export function epochSize({ checkpoints, state }: EpochCommit): number {
  return JSON.stringify(checkpoints).length + JSON.stringify(state).length;
}

/**
 * Decides on an epoch. @throws LeaseLostError, InvalidArgumentError for a checkpoint that its owner cannot have
 * come to, LimitExceededError when state takes too much room.
 */
export function decideEpoch(
  sources: EpochSources,
  group: GroupLeases,
  commit: EpochCommit,
): EpochDecision {
  const { checkpoints, state } = commit;
  if (checkpoints.every((one) => isRepeat(sources, group, one, state))) return undefined;
  const { documents } = sources;
  const changed = new Map<number, StoredLease>();
  for (const [i, one] of checkpoints.entries()) {
    const lease = requireOwned(group, commit, one, i);
    const end = endOf(sources, group, one, i);
    checkProgress(`checkpoints[${i}].checkpoint`, one.checkpoint, lease, end);
    changed.set(one.shardIndex, advanced(lease, one));
  }
  checkStateShards(group, changed, state);
  const records = [
    ...Array.from(changed, ([index, lease]) =>
      puttingLease(documents, group.groupName, index, lease),
    ),
    ...childrenOf(sources, group, changed),
    ...state.map((entry) => stateRecord(documents, group, entry)),
  ];
  checkRoom(sources, records);
  return records;
}

/** Whether a lease is where this very checkpoint, with its state, has brought it. */
function isRepeat(
  { documents }: EpochSources,
  group: GroupLeases,
  { shardIndex, leaseCounter, epoch, checkpoint, pending }: EpochCheckpoint,
  state: readonly EpochState[],
): boolean {
  const lease = group.get(shardIndex);
  if (lease === undefined || lease.epoch !== epoch || lease.epochCounter !== leaseCounter) {
    return false;
  }
  const reached = pending === true ? lease.pendingCheckpoint : lease.checkpoint;
  if (!sameCheckpoint(checkpoint, reached)) return false;
  return state.every(({ shardIndex: index, key, value }) => {
    if (index !== shardIndex) return true;
    const kept = documents.get<DocumentValue>(stateKey(group.groupName, index, key)) ?? null;
    return jsonOf(kept) === jsonOf(value);
  });
}

/** The lease of a checkpoint. @throws LeaseLostError when it is not the worker's, or another epoch is due. */
function requireOwned(
  group: GroupLeases,
  { workerId }: EpochCommit,
  { shardIndex, leaseCounter, epoch }: EpochCheckpoint,
  i: number,
): StoredLease {
  const lease = group.get(shardIndex);
  const shardId = shardIdOf(shardIndex);
  const what = `worker ${workerId} has lost the lease of ${shardId} in consumer group ${group.groupName}`;
  if (lease?.owner?.workerId !== workerId || lease.leaseCounter !== leaseCounter) {
    const now = lease === undefined ? "there is none now" : `it is at ${lease.leaseCounter} now`;
    throw new LeaseLostError(`${what}: its lease counter was ${leaseCounter}, and ${now}`, {
      argument: `checkpoints[${i}].leaseCounter`,
      value: leaseCounter,
      ...(lease === undefined ? {} : { limit: lease.leaseCounter }),
    });
  }
  if (epoch === lease.epoch + 1) return lease;
  throw new LeaseLostError(
    `${what} to another life of itself: epoch ${lease.epoch + 1} is due, and not ${epoch}`,
    { argument: `checkpoints[${i}].epoch`, value: epoch, limit: lease.epoch + 1 },
  );
}

/** How far a shard's records go, and whether more can follow. @throws LeaseLostError when the shard has expired. */
function endOf(
  { log }: EpochSources,
  group: GroupLeases,
  { shardIndex }: EpochCheckpoint,
  i: number,
): { durableIndex: number; closed: boolean } {
  const shard = log.slots.ofStream(group.stream.uid).find((one) => one.shardIndex === shardIndex);
  if (shard === undefined) {
    throw new LeaseLostError(
      `the lease of ${shardIdOf(shardIndex)} in consumer group ${group.groupName} is over: its shard has expired`,
      { argument: `checkpoints[${i}].shardIndex`, value: shardIndex },
    );
  }
  const closed = log.control.shard(shard.uid)?.closedMs !== undefined;
  const { durableIndex, provisional } = log.core.position(shard.slot);
  return { durableIndex, closed: closed && !provisional };
}

/** A lease after an epoch. A finished one has no owner any more. */
function advanced(
  { pendingCheckpoint: _, ...lease }: StoredLease,
  { epoch, leaseCounter, checkpoint, pending }: EpochCheckpoint,
): StoredLease {
  const next = { ...lease, epoch, epochCounter: leaseCounter };
  if (pending === true) return { ...next, pendingCheckpoint: checkpoint };
  const owner = isEnded({ checkpoint }) ? null : lease.owner;
  return { ...next, owner, checkpoint, ownerSwitches: 0 };
}

/** The leases that shards get because one that came before them is finished. */
function childrenOf(
  { log, documents }: EpochSources,
  group: GroupLeases,
  changed: ReadonlyMap<number, StoredLease>,
): ControlRecord[] {
  if (![...changed.values()].some(isEnded)) return [];
  const { stored } = group;
  const leases = new Map([...group.all(), ...changed]);
  const { created } = changesOf(group.stream.shards, leases, stored.startingPosition);
  return created.map((lease) => creatingLease({ log, documents }, group.groupName, stored, lease));
}

/**
 * State is a checkpoint's own, or that of a shard which came of its shard: nobody can own that one before the
 * checkpoint is at its shard's end. @throws InvalidArgumentError.
 */
function checkStateShards(
  group: GroupLeases,
  changed: ReadonlyMap<number, StoredLease>,
  state: readonly EpochState[],
): void {
  const foreign = state.findIndex(({ shardIndex }) => !changed.has(shardIndex));
  if (foreign < 0) return;
  const allowed = new Set(changed.keys());
  for (const shard of group.stream.shards) {
    if (parentsOf(shard).some((index) => changed.has(index))) allowed.add(shard.shardIndex);
  }
  for (const [i, { shardIndex }] of state.entries()) {
    if (allowed.has(shardIndex)) continue;
    const limit = "a shard of one of the checkpoints, or one that came of it";
    throw invalid(`state[${i}].shardIndex`, shardIndex, limit);
  }
}

function stateRecord(
  documents: Documents,
  group: GroupLeases,
  { shardIndex, key, value }: EpochState,
): ControlRecord {
  const at = stateKey(group.groupName, shardIndex, key);
  return value === null ? documents.deleting(at) : documents.putting(at, value);
}

/** Refuses what would have all documents together take too much. */
function checkRoom({ log }: EpochSources, records: readonly ControlRecord[]): void {
  const { control } = log;
  if (control.documentsSize + JSON.stringify(records).length <= DOCUMENTS_SIZE_MAX) return;
  const trial = control.fork();
  for (const record of records) trial.apply(record);
  checkDocuments(control.documentsSize, trial.documentsSize);
}
