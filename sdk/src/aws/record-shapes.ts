/** Records of a read in AWS's words. */
import type { RecordBatch } from "@millrace/engine";
import type { StructureOf } from "@millrace/engine/model";

/** The batch's records; their data are views of the batch's memory. */
export function recordsOf(batch: RecordBatch): StructureOf<"Record">[] {
  const records: StructureOf<"Record">[] = [];
  // Records of a stream without encryption have no such member at AWS.
  const EncryptionType = batch.encrypted ? ({ EncryptionType: "KMS" } as const) : {};
  for (let i = 0; i < batch.length; i++) {
    records.push({
      SequenceNumber: batch.sequenceNumber(i),
      ApproximateArrivalTimestamp: new Date(batch.arrivalMs(i)),
      Data: batch.data(i),
      PartitionKey: batch.partitionKey(i),
      ...EncryptionType,
    });
  }
  return records;
}
