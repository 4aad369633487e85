/** Names of the metrics, as CloudWatch has them: of a stream, of its shards, of its consumers. */

/** Names that shard-level (enhanced) monitoring knows. */
export const SHARD_METRICS = [
  "IncomingBytes",
  "IncomingRecords",
  "OutgoingBytes",
  "OutgoingRecords",
  "WriteProvisionedThroughputExceeded",
  "ReadProvisionedThroughputExceeded",
  "IteratorAgeMilliseconds",
] as const;

/** Name of a shard-level metric. */
export type ShardMetricName = (typeof SHARD_METRICS)[number];

/** Names that every stream has, whatever is enabled. */
export const STREAM_METRICS = [
  "IncomingBytes",
  "IncomingRecords",
  "PutRecord.Bytes",
  "PutRecord.Latency",
  "PutRecord.Success",
  "PutRecords.Bytes",
  "PutRecords.Latency",
  "PutRecords.Records",
  "PutRecords.Success",
  "PutRecords.TotalRecords",
  "PutRecords.SuccessfulRecords",
  "PutRecords.FailedRecords",
  "PutRecords.ThrottledRecords",
  "WriteProvisionedThroughputExceeded",
  "GetRecords.Bytes",
  "GetRecords.IteratorAgeMilliseconds",
  "GetRecords.Latency",
  "GetRecords.Records",
  "GetRecords.Success",
  "ReadProvisionedThroughputExceeded",
  "SubscribeToShard.RateExceeded",
  "SubscribeToShard.Success",
  "SubscribeToShardEvent.Bytes",
  "SubscribeToShardEvent.MillisBehindLatest",
  "SubscribeToShardEvent.Records",
  "SubscribeToShardEvent.Success",
] as const;

/** Name of a stream-level metric; those of subscriptions exist for each consumer, too. */
export type StreamMetricName = (typeof STREAM_METRICS)[number];

/** Whether a text is the name of a shard-level metric. */
export function isShardMetric(name: string): name is ShardMetricName {
  return SHARD_METRICS.some((known) => known === name);
}

/** Whether a text is the name of a stream-level metric. */
export function isStreamMetric(name: string): name is StreamMetricName {
  return STREAM_METRICS.some((known) => known === name);
}
