/** Which shard-level metrics a stream has enabled: the document `stream/<uid>/metrics`, in AWS's order. */
import type { ControlRecord } from "../log/control-records.ts";
import { type Documents, streamKey } from "../streams/documents.ts";
import type { ShardMetricName } from "./metric-names.ts";

/** The shard-level metrics that a stream has enabled. */
export function enabledShardMetrics(
  documents: Documents,
  streamUid: number,
): readonly ShardMetricName[] {
  return documents.get<readonly ShardMetricName[]>(streamKey(streamUid, "metrics")) ?? [];
}

/** The record by which a stream has these metrics enabled and no others. */
export function enablingRecord(
  documents: Documents,
  streamUid: number,
  names: readonly ShardMetricName[],
): ControlRecord {
  const key = streamKey(streamUid, "metrics");
  return names.length === 0 ? documents.deleting(key) : documents.putting(key, names);
}
