/** How a producer works: its options, their defaults, which are the KPL's, and their limits. */
import { checkBoolean, checkInteger, checkMembers, refuse } from "../check.ts";

/** What a producer is opened with. The KPL's name of an option is in brackets. */
export interface ProducerOptions {
  /** Packs user records that are predicted to fall into one shard into one record; true when absent (AggregationEnabled). */
  readonly aggregation?: boolean;
  /** Bytes of an aggregated record, 64 to 1,048,576; 51,200 when absent (AggregationMaxSize). */
  readonly aggregationMaxBytes?: number;
  /** User records in an aggregated record, from 1 on; 4,294,967,295 when absent (AggregationMaxCount). */
  readonly aggregationMaxCount?: number;
  /** Records in one call, 1 to 500; 500 when absent (CollectionMaxCount). */
  readonly collectionMaxCount?: number;
  /** Bytes in one call, from 52,224 to 10 MiB; 5 MiB when absent (CollectionMaxSize). */
  readonly collectionMaxBytes?: number;
  /** How long a user record waits for others, 0 to 86,400,000; 100 when absent (RecordMaxBufferedTime). */
  readonly maxBufferedMs?: number;
  /**
   * How long a user record may wait and be tried again, 100 to 86,400,000 and more than `maxBufferedMs`;
   * 30,000 when absent (RecordTtl).
   */
  readonly recordTtlMs?: number;
  /**
   * How much is sent to a shard, in percent of what one takes: 1,000 records and 1 MiB per second. From 1
   * on; 150 when absent, so that a shard is used up also when others put into it (RateLimit). Where
   * shards take whatever comes, because the engine has no quotas, there is no limit.
   */
  readonly rateLimitPercent?: number;
  /** A throttled record fails at once instead of being tried again; false when absent (FailIfThrottled). */
  readonly failIfThrottled?: boolean;
  /** Calls under way at once, 1 to 256; 24 when absent (MaxConnections). */
  readonly maxCallsInFlight?: number;
  /**
   * Bytes of data and keys that wait or are under way, 65,536 to 1 GiB; 16 MiB when absent. Puts beyond
   * wait in line for as long as their time to live.
   */
  readonly bufferMaxBytes?: number;
  /**
   * "partitionKey": records of one partition key are stored in the order in which they were put, retries
   * and reshards notwithstanding. A shard then has one call under way at a time, and only one record in
   * it where the stream does not keep the order within a call. "nothing" when absent, as with the KPL:
   * what is tried again may come after later records.
   */
  readonly orderedBy?: "nothing" | "partitionKey";
  /** Longest first pause before a retry, 1 to 60,000; 50 when absent. Doubles with each failure in a row. */
  readonly backoffBaseMs?: number;
  /** Longest pause before a retry, `backoffBaseMs` to 60,000; 2,000 when absent. */
  readonly backoffMaxMs?: number;
}

/** Options that were checked and completed. */
export type ProducerSettings = Required<ProducerOptions>;

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const MIB = 1_048_576;
const COUNT_MAX = 4_294_967_295;

const DEFAULTS: ProducerSettings = {
  aggregation: true,
  aggregationMaxBytes: 51_200,
  aggregationMaxCount: COUNT_MAX,
  collectionMaxCount: 500,
  collectionMaxBytes: 5 * MIB,
  maxBufferedMs: 100,
  recordTtlMs: 30_000,
  rateLimitPercent: 150,
  failIfThrottled: false,
  maxCallsInFlight: 24,
  bufferMaxBytes: 16 * MIB,
  orderedBy: "nothing",
  backoffBaseMs: 50,
  backoffMaxMs: 2000,
};

/** Smallest and largest value of every option that is a whole number. */
const BOUNDS = {
  aggregationMaxBytes: [64, MIB],
  aggregationMaxCount: [1, COUNT_MAX],
  collectionMaxCount: [1, 500],
  collectionMaxBytes: [52_224, 10 * MIB],
  maxBufferedMs: [0, DAY_MS],
  recordTtlMs: [100, DAY_MS],
  rateLimitPercent: [1, Number.MAX_SAFE_INTEGER],
  maxCallsInFlight: [1, 256],
  bufferMaxBytes: [65_536, 1024 * MIB],
  backoffBaseMs: [1, MINUTE_MS],
  backoffMaxMs: [1, MINUTE_MS],
} as const;

/** Checks and completes options. @throws InvalidArgumentError. */
export function checkProducerOptions(options: ProducerOptions = {}): ProducerSettings {
  checkMembers("options", options, Object.keys(DEFAULTS));
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const settings: ProducerSettings = { ...DEFAULTS, ...Object.fromEntries(given) };
  checkBoolean("options.aggregation", settings.aggregation);
  checkBoolean("options.failIfThrottled", settings.failIfThrottled);
  for (const [name, [min, max]] of Object.entries(BOUNDS)) {
    checkInteger(`options.${name}`, settings[name as keyof typeof BOUNDS], min, max);
  }
  const { orderedBy, recordTtlMs, maxBufferedMs, backoffBaseMs, backoffMaxMs } = settings;
  if (orderedBy !== "nothing" && orderedBy !== "partitionKey") {
    const limit = '"nothing" or "partitionKey"';
    refuse("options.orderedBy", limit, orderedBy, limit);
  }
  // Every record would be too old before it is sent.
  if (recordTtlMs <= maxBufferedMs) {
    const limit = `more than maxBufferedMs, ${maxBufferedMs}`;
    refuse("options.recordTtlMs", limit, recordTtlMs, limit);
  }
  if (backoffMaxMs < backoffBaseMs) {
    const limit = `backoffBaseMs, ${backoffBaseMs}, or more`;
    refuse("options.backoffMaxMs", limit, backoffMaxMs, limit);
  }
  return settings;
}
