/** Groups as they are described to the application: sequence numbers for indexes, and how far behind they are. */
import {
  FRAME_HEADER_BYTES,
  PART_HEADER_BYTES,
  PART_TRIMMED,
  SLICE_HEADER_BYTES,
} from "@millrace/core/layout";
import { readUint64, viewOf } from "../log/bytes.ts";
import type { Log } from "../log/log.ts";
import type { SlottedShard } from "../log/shard-slots.ts";
import type { Clock } from "../platform/platform.ts";
import { formatSequenceNumber, shardIdOf } from "../sequence/sequence-number.ts";
import { firstIndexOf, isEnded } from "./checkpoints.ts";
import type { Group } from "./group.ts";
import type { StoredGroup, StoredLease } from "./group-documents.ts";
import type { GroupLeases } from "./group-leases.ts";
import type {
  CheckpointDescription,
  GroupDefinition,
  GroupDescription,
  LeaseCheckpoint,
  LeaseDescription,
  WorkerDescription,
} from "./group-types.ts";
import { Waiting } from "./lease-discovery.ts";
import { freshLease } from "./new-lease.ts";

const INDEX_AT = 16;
const ARRIVAL_AT = 24;
const LENGTH_AT = 8;
const FLAGS_AT = 4;
/** Index of a shard's first record. */
const FIRST_INDEX = 1;
/** Room for two records of the usual size; one is read in any case. */
const PROBE_BYTES = 65_536;

/** What descriptions are made from. */
interface Sources {
  readonly log: Log;
  readonly clock: Clock;
}

/** A record, as far as a description needs it. */
interface Probe {
  readonly index: number;
  readonly arrivalMs: number;
}

type Progress = Pick<LeaseDescription, "checkpoint" | "trimmed" | "lagRecords" | "iteratorAgeMs">;

/** A group as it was created. */
export function defineGroup(leases: GroupLeases): GroupDefinition {
  return definitionOf(leases.groupName, leases.stored, leases.stream.name);
}

/** The same of what is stored. */
export function definitionOf(
  name: string,
  { firstCounter: _, ...stored }: StoredGroup,
  streamName: string,
): GroupDefinition {
  return { name, streamName, ...stored };
}

/** A group as it is, with the leases that it is yet to get. */
export async function describeGroup(sources: Sources, group: Group): Promise<GroupDescription> {
  const { log } = sources;
  const definition = defineGroup(group.leases);
  const leases = group.leases.all();
  const waiting = new Waiting(group.leases.stream.shards, leases);
  const future = waiting.lacking().map(({ shardIndex }) => {
    const checkpoint = { at: "TRIM_HORIZON" } as const;
    return [shardIndex, freshLease(log, group.leases.stored, { shardIndex, checkpoint })] as const;
  });
  const shards = log.slots.ofStream(definition.streamUid);
  const described = [...leases, ...future].map(async ([shardIndex, lease]) => {
    const { owner: _, startIndex: __, epochCounter: ___, pendingCheckpoint, ...facts } = lease;
    const shard = shards.find((one) => one.shardIndex === shardIndex);
    const status = group.statusOf(shardIndex, lease, waiting);
    const owner = group.ownerOf(lease);
    const progress = await progressOf(sources, shard, lease);
    const pending = pendingCheckpoint && describeCheckpoint(shard, pendingCheckpoint, undefined);
    return {
      ...{ shardId: shardIdOf(shardIndex), shardIndex, ...facts, status, owner },
      ...{ ...progress, pendingCheckpoint: pending ?? null },
    } satisfies LeaseDescription;
  });
  const all = await Promise.all(described);
  return {
    definition,
    leases: all.sort((one, other) => one.shardIndex - other.shardIndex),
    workers: describeWorkers(group, all),
    expired: Array.from(group.leases.expiries(), ([shardIndex, { checkpoint, ...facts }]) => ({
      ...{ shardId: shardIdOf(shardIndex), shardIndex, expiredMs: facts.expiredMs },
      checkpoint: describeCheckpoint({ shardIndex, ...facts }, checkpoint, undefined),
    })),
  };
}

function describeWorkers(group: Group, leases: readonly LeaseDescription[]): WorkerDescription[] {
  const workers = group.workers.map(({ worker }): WorkerDescription => {
    const { workerId, memberId, leasesMax, sessionId } = worker;
    return {
      ...{ workerId, memberId, joined: sessionId !== undefined },
      leases: leases.filter(({ owner }) => owner?.workerId === workerId).length,
      leasesMax: Number.isFinite(leasesMax) ? leasesMax : null,
    };
  });
  return workers.sort((one, other) => (one.workerId < other.workerId ? -1 : 1));
}

/** Where a lease stands, and what of its shard lies behind that. */
async function progressOf(
  { log, clock }: Sources,
  shard: SlottedShard | undefined,
  lease: StoredLease,
): Promise<Progress> {
  const { checkpoint } = lease;
  const nothing = {
    checkpoint: describeCheckpoint(shard, checkpoint, undefined),
    ...{ trimmed: false, lagRecords: 0, iteratorAgeMs: 0 },
  };
  if (shard === undefined || isEnded(lease)) return nothing;
  try {
    return await progressIn({ log, clock }, shard, lease);
  } catch (error) {
    // A shard that expires meanwhile has nothing more to be processed.
    if (log.slots.ofUid(shard.uid) !== undefined) throw error;
    return nothing;
  }
}

/** @throws when the shard goes meanwhile. */
async function progressIn(
  { log, clock }: Sources,
  shard: SlottedShard,
  lease: StoredLease,
): Promise<Progress> {
  const { checkpoint } = lease;
  const firstIndex = await firstIndexOf(log, shard, lease);
  const processed = "index" in checkpoint ? checkpoint.index : -1;
  const next = Math.max(firstIndex, processed + 1);
  const beginning = "at" in checkpoint && checkpoint.at === "TRIM_HORIZON";
  // Asked for behind where it was to begin, a read says what was dropped since.
  const begin = beginning ? Math.max(FIRST_INDEX, lease.startIndex ?? 0) : firstIndex;
  const { probes, trimmed } = await probe(log, shard, begin);
  const found = probes.find(({ index }) => index >= next);
  const oldest = found ?? (await probe(log, shard, next)).probes[0];
  // A takeover raises the next index, so that there need not be a record before it.
  const lagRecords = oldest === undefined ? 0 : log.countRecords(shard, oldest.index);
  return {
    checkpoint: describeCheckpoint(
      shard,
      checkpoint,
      probes.find(({ index }) => index === processed),
    ),
    trimmed: beginning && trimmed,
    lagRecords,
    iteratorAgeMs: oldest === undefined ? 0 : Math.max(0, clock.nowMs() - oldest.arrivalMs),
  };
}

/** The first records at or after an index, two at most, and whether retention dropped any before them. */
async function probe(
  log: Log,
  shard: SlottedShard,
  nextIndex: number,
): Promise<{ readonly probes: readonly Probe[]; readonly trimmed: boolean }> {
  const limits = { recordsMax: 2, bytesMax: PROBE_BYTES };
  const { slice, recordCount } = await log.read([{ shard, nextIndex }], limits);
  const view = viewOf(new Uint8Array(slice));
  const trimmed = (view.getUint32(SLICE_HEADER_BYTES + FLAGS_AT, true) & PART_TRIMMED) !== 0;
  const probes: Probe[] = [];
  let at: number = SLICE_HEADER_BYTES + PART_HEADER_BYTES;
  while (probes.length < recordCount && at + FRAME_HEADER_BYTES <= slice.byteLength) {
    const arrivalMs = view.getFloat64(at + ARRIVAL_AT, true);
    probes.push({ index: readUint64(view, at + INDEX_AT), arrivalMs });
    at += view.getUint32(at + LENGTH_AT, true);
  }
  return { probes, trimmed };
}

/** A checkpoint by its sequence number; without the record, which retention may have dropped, as of its shard's creation. */
function describeCheckpoint(
  shard: Pick<SlottedShard, "shardIndex" | "createdSeconds"> | undefined,
  checkpoint: LeaseCheckpoint,
  record: Probe | undefined,
): CheckpointDescription {
  if (!("index" in checkpoint)) return checkpoint;
  const { shardIndex = 0, createdSeconds = 0 } = shard ?? {};
  const arrivalSeconds =
    record === undefined ? createdSeconds : Math.floor(record.arrivalMs / 1000);
  const sequenceNumber = formatSequenceNumber({
    ...{ createdSeconds, shardIndex, arrivalSeconds, sequenceIndex: checkpoint.index },
  });
  return { sequenceNumber, subSequenceNumber: checkpoint.subSequenceNumber };
}
