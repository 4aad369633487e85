/** What was put with aggregation and without, over all producers of this visit. */
import type { ProducerMetrics } from "millrace";

/** Totals of one way to put. */
export interface PutTotals {
  /** User records that are stored. */
  readonly userRecords: number;
  /** Bytes of their data. */
  readonly userBytes: number;
  /** Records of the stream that hold them. */
  readonly storedRecords: number;
  /** Bytes of their data. */
  readonly storedBytes: number;
  /** Calls of PutRecords. */
  readonly calls: number;
  readonly retries: number;
  /** User records that failed for good. */
  readonly failed: number;
  /** Sum over the user records of the time from put to success, in ms. */
  readonly latencySumMs: number;
}

/** Before anything was put. */
export const NO_TOTALS: PutTotals = {
  ...{ userRecords: 0, userBytes: 0, storedRecords: 0, storedBytes: 0 },
  ...{ calls: 0, retries: 0, failed: 0, latencySumMs: 0 },
};

/** What one producer did. */
export function totalsOf(metrics: ProducerMetrics): PutTotals {
  const { userRecordsPut, userBytesPut, kinesisRecordsPut, kinesisBytesPut } = metrics;
  const { calls, retries, userRecordsFailed, recordLatencyMs } = metrics;
  return {
    ...{ userRecords: userRecordsPut, userBytes: userBytesPut, calls, retries },
    ...{ storedRecords: kinesisRecordsPut, storedBytes: kinesisBytesPut },
    ...{ failed: userRecordsFailed },
    latencySumMs: recordLatencyMs.mean * recordLatencyMs.count,
  };
}

/** Two producers together. */
export function sumOf(one: PutTotals, other: PutTotals): PutTotals {
  return {
    userRecords: one.userRecords + other.userRecords,
    userBytes: one.userBytes + other.userBytes,
    storedRecords: one.storedRecords + other.storedRecords,
    storedBytes: one.storedBytes + other.storedBytes,
    calls: one.calls + other.calls,
    retries: one.retries + other.retries,
    failed: one.failed + other.failed,
    latencySumMs: one.latencySumMs + other.latencySumMs,
  };
}
