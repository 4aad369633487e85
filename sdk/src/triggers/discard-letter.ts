/** The record that an on-failure stream gets for a batch that was given up: AWS's document for SQS and SNS. */
import type { OutputRecord, UserRecord } from "../groups/group-types.ts";
import type { DiscardCondition } from "./trigger-types.ts";

/** What is said of a batch. */
export interface DiscardedBatch {
  readonly streamName: string;
  readonly streamArn: string;
  readonly functionArn: string;
  readonly shardId: string;
  readonly records: readonly UserRecord[];
  readonly condition: DiscardCondition;
  /** Of the last invocation, or of none. */
  readonly requestId: string;
  readonly invocations: number;
  /** The handler failed; it did not just name records that failed. */
  readonly functionError: boolean;
  /** In ms since the Unix epoch. */
  readonly nowMs: number;
}

/** The record; its partition key is the shard's id. */
export function discardLetter(batch: DiscardedBatch): OutputRecord {
  const { streamName, shardId, records, invocations, requestId, functionArn } = batch;
  const [first, last] = [records[0], records.at(-1)];
  const document = {
    requestContext: {
      ...{ requestId, functionArn },
      condition: batch.condition,
      approximateInvokeCount: invocations,
    },
    ...(invocations === 0
      ? {}
      : {
          responseContext: {
            statusCode: 200,
            executedVersion: "$LATEST",
            ...(batch.functionError ? { functionError: "Unhandled" } : {}),
          },
        }),
    version: "1.0",
    timestamp: timeText(batch.nowMs),
    KinesisBatchInfo: {
      shardId,
      startSequenceNumber: first?.sequenceNumber,
      endSequenceNumber: last?.sequenceNumber,
      approximateArrivalOfFirstRecord: first && timeText(first.arrivalMs),
      approximateArrivalOfLastRecord: last && timeText(last.arrivalMs),
      batchSize: records.length,
      streamArn: batch.streamArn,
    },
  };
  return { streamName, partitionKey: shardId, data: JSON.stringify(document) };
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
