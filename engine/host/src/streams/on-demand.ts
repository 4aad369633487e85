/** What is kept about on-demand streams, and the control records that give them another capacity. */
import { ACCOUNT_ID, ValidationError } from "../errors/index.ts";
import type { ControlRecord, StreamDefinition, WriteCapacity } from "../log/control-records.ts";
import type { Log } from "../log/log.ts";
import { hasAdvantage } from "./account.ts";
import {
  boundedCapacity,
  type CapacityHistory,
  NO_HISTORY,
  ON_DEMAND_CAPACITY_MIN,
  SHARD_CAPACITY,
  sameCapacity,
  shardCountFor,
  shardsNeeded,
  WARM_MIBPS_MAX,
} from "./capacity.ts";
import { type Catalogue, OPEN_SHARDS_MAX } from "./catalogue.ts";
import { type Documents, streamKey } from "./documents.ts";
import { openShardsOf } from "./lineage.ts";
import { planUniform } from "./uniform-scaling.ts";

/** Key of the document that holds the peaks of a stream. */
export function capacityKey(streamUid: number): string {
  return streamKey(streamUid, "capacity");
}

/** Key of the document that holds the warm throughput of a stream. */
export function warmKey(streamUid: number): string {
  return streamKey(streamUid, "warm");
}

/** Warm throughput of a stream, in MiB per second (AWS: WarmThroughputObject). */
export type WarmThroughput = {
  readonly targetMibps: number;
  /** What the stream was scaled to before; shown while it is UPDATING. */
  readonly previousMibps: number;
};

/** Peaks of a stream. */
export function historyOf(documents: Documents, streamUid: number): CapacityHistory {
  return documents.get<CapacityHistory>(capacityKey(streamUid)) ?? NO_HISTORY;
}

/** Warm throughput that counts, in MiB per second: 0 without On-demand Advantage. */
export function warmMibpsOf(documents: Documents, streamUid: number, nowMs: number): number {
  if (!hasAdvantage(documents, nowMs)) return 0;
  return documents.get<WarmThroughput>(warmKey(streamUid))?.targetMibps ?? 0;
}

/** Write capacity of an on-demand stream. */
export function capacityOf(stream: StreamDefinition): WriteCapacity {
  return stream.writeCapacity ?? ON_DEMAND_CAPACITY_MIN;
}

/** The parts of an engine that a change of capacity is planned with. */
export interface CapacityParts {
  readonly log: Log;
  readonly catalogue: Catalogue;
}

/** What changes about a stream besides its capacity. */
export type ModeSettings = Partial<Pick<StreamDefinition, "mode" | "distribution">>;

/**
 * The records that give a stream a capacity, as far as the engine has shards for it: settings and
 * reshard. None when the stream has it already. They are planned on the state as it is: one stream to a
 * change.
 * @throws LimitExceededError when closed shards leave no room for the new ones.
 */
export function capacityRecords(
  { log, catalogue }: CapacityParts,
  stream: StreamDefinition,
  capacity: WriteCapacity,
  nowMs: number,
  settings: ModeSettings = {},
): ControlRecord[] {
  const open = openShardsOf(stream).length;
  const shardsMax = open + OPEN_SHARDS_MAX - catalogue.openShards;
  const writeCapacity = boundedCapacity(capacity, shardsMax);
  const count = shardCountFor(writeCapacity, open, shardsMax);
  const reshards = planUniform(stream, count, { nextShardUid: log.control.nextShardUid, nowMs });
  const opened = reshards.reduce((sum, record) => sum + record.opened.length, 0);
  if (opened > 0) catalogue.requireRoom(count - open, opened);
  const { mode, writeCapacity: before } = stream;
  const same = before !== null && sameCapacity(writeCapacity, before);
  if (same && (settings.mode ?? mode) === mode) return reshards;
  return [
    { kind: "stream-updated", streamUid: stream.uid, settings: { ...settings, writeCapacity } },
    ...reshards,
  ];
}

/**
 * Refuses a capacity for which the engine has no shards left.
 * @throws LimitExceededError.
 */
export function requireCapacity(
  catalogue: Catalogue,
  stream: StreamDefinition,
  capacity: WriteCapacity,
): void {
  const added = shardsNeeded(capacity) - openShardsOf(stream).length;
  if (added > 0) catalogue.requireRoom(added, added);
}

/**
 * Refuses a warm throughput that a stream in a mode cannot have.
 * @throws ValidationError when the stream is provisioned, the account has no On-demand Advantage, or it
 * is over 10 GiB per second.
 */
export function checkWarmThroughput(
  documents: Documents,
  mode: StreamDefinition["mode"],
  warmMibps: number,
  nowMs: number,
): void {
  const details = { argument: "WarmThroughputMiBps", value: warmMibps };
  if (mode !== "ON_DEMAND") {
    throw new ValidationError(
      "WarmThroughputMiBps is only supported for streams in ON_DEMAND mode.",
      details,
    );
  }
  if (!hasAdvantage(documents, nowMs)) {
    throw new ValidationError(
      `WarmThroughputMiBps is only supported when MinimumThroughputBillingCommitment is enabled for ` +
        `the account ${ACCOUNT_ID}.`,
      details,
    );
  }
  if (warmMibps > WARM_MIBPS_MAX) {
    throw new ValidationError(
      `WarmThroughputMiBps ${warmMibps} is over the limit of ${WARM_MIBPS_MAX} MiB per second.`,
      { ...details, limit: WARM_MIBPS_MAX },
    );
  }
}

/** Capacity of a stream in whole MiB per second. */
function capacityMibps(stream: StreamDefinition): number {
  return Math.floor(capacityOf(stream).bytesPerSecond / SHARD_CAPACITY.bytesPerSecond);
}

/** The record that keeps the warm throughput of a stream. */
export function puttingWarmThroughput(
  documents: Documents,
  stream: StreamDefinition,
  targetMibps: number,
): ControlRecord {
  const warm: WarmThroughput = { targetMibps, previousMibps: capacityMibps(stream) };
  return documents.putting(warmKey(stream.uid), warm);
}

/** Warm throughput of a stream as AWS describes it; undefined when it was never set. */
export function describeWarmThroughput(
  documents: Documents,
  stream: StreamDefinition,
  updating: boolean,
): { readonly TargetMiBps: number; readonly CurrentMiBps: number } | undefined {
  const warm = documents.get<WarmThroughput>(warmKey(stream.uid));
  if (warm === undefined) return undefined;
  return {
    TargetMiBps: warm.targetMibps,
    CurrentMiBps: updating ? warm.previousMibps : capacityMibps(stream),
  };
}
