/** millrace/producer: producers over any stream, and the errors of user records. */
export type { ProducerOptions } from "./options.ts";
export type { ProducerPutResult } from "./pending-record.ts";
export { openProducer, type Producer } from "./producer.ts";
export { ProducerClosedError, type PutAttempt, UserRecordFailedError } from "./producer-errors.ts";
export type { ProducerMetrics, Summary } from "./producer-tally.ts";
export type {
  PutTarget,
  ShardRate,
  TargetListing,
  TargetOutcome,
  TargetRecord,
  TargetShard,
} from "./put-target.ts";
