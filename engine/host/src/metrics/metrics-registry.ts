/**
 * CloudWatch's metrics of streams, shards and consumers, counted as things happen and kept as
 * datapoints of a minute.
 *
 * A registry belongs to an engine and not to one life of it, so that a recovery loses no datapoint.
 * Shard-level metrics are kept for the streams that enabled them only, from that moment on.
 */
import { InvalidArgumentError } from "../errors/index.ts";
import type { Clock } from "../platform/platform.ts";
import { type Datapoint, Datapoints, KEPT_MS, PERIOD_MS } from "./datapoints.ts";
import {
  isShardMetric,
  isStreamMetric,
  SHARD_METRICS,
  type ShardMetricName,
  STREAM_METRICS,
  type StreamMetricName,
} from "./metric-names.ts";

export type { Datapoint } from "./datapoints.ts";
export {
  isShardMetric,
  SHARD_METRICS,
  type ShardMetricName,
  STREAM_METRICS,
  type StreamMetricName,
} from "./metric-names.ts";

/** What a put did in one shard. Bytes are those of keys and data. */
export interface ShardPut {
  readonly shardIndex: number;
  readonly storedRecords: number;
  readonly storedBytes: number;
  /** Records that a quota refused. */
  readonly throttledRecords: number;
  /** Records that were refused for another reason. */
  readonly failedRecords: number;
}

/** One PutRecord or PutRecords call. A call that failed as a whole has no shards. */
export interface PutSample {
  readonly operation: "PutRecord" | "PutRecords";
  readonly latencyMs: number;
  readonly shards: readonly ShardPut[];
}

/** What a read took from one shard. */
export interface ShardRead {
  readonly shardIndex: number;
  readonly records: number;
  /** Bytes of keys and data. */
  readonly bytes: number;
  /** Age of the last record that was read, in ms; 0 when the reader is at the tip. */
  readonly iteratorAgeMs: number;
  /** Whether the shard's read quota refused the call; nothing was read then. */
  readonly throttled: boolean;
}

/** One GetRecords call. A call that failed as a whole has no shards. */
export interface ReadSample {
  readonly latencyMs: number;
  readonly shards: readonly ShardRead[];
}

/** One event of a subscription. */
export interface EventSample {
  readonly consumerName: string;
  readonly shardIndex: number;
  readonly records: number;
  /** Bytes of keys and data. */
  readonly bytes: number;
  readonly millisBehindLatest: number;
}

/** Which datapoints are asked for. */
export interface MetricQuery {
  readonly streamUid: number;
  readonly metricName: string;
  /** For a shard-level metric. */
  readonly shardIndex?: number;
  /** For one consumer's metric of subscriptions. */
  readonly consumerName?: string;
  /** Minutes that begin at this time or later, ms since the Unix epoch. */
  readonly startMs: number;
  /** Minutes that begin before this time. */
  readonly endMs: number;
}

/** Metrics by what they are about: the stream itself (""), `shard/3`, `consumer/app`. */
type Subjects = Map<string, Map<string, Datapoints>>;

/** Subject of what is about the stream as a whole. */
const STREAM = "";

/** Metrics of one engine. */
export class MetricsRegistry {
  readonly #clock: Clock;
  readonly #streams = new Map<number, Subjects>();
  #enabledOf: (streamUid: number) => readonly ShardMetricName[] = () => [];
  #sweptMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** From now on asks this function which shard-level metrics a stream has enabled. */
  follow(enabledOf: (streamUid: number) => readonly ShardMetricName[]): void {
    this.#enabledOf = enabledOf;
  }

  /** Counts a put that was answered, or that failed as a whole. */
  recordPut(streamUid: number, sample: PutSample): void {
    const add = this.#adder(streamUid, STREAM);
    const { operation, latencyMs, shards } = sample;
    const records = sumOf(shards, (shard) => shard.storedRecords);
    const bytes = sumOf(shards, (shard) => shard.storedBytes);
    const throttled = sumOf(shards, (shard) => shard.throttledRecords);
    const failed = sumOf(shards, (shard) => shard.failedRecords);
    add("IncomingRecords", records);
    add("IncomingBytes", bytes);
    add("WriteProvisionedThroughputExceeded", throttled);
    add(`${operation}.Bytes`, bytes);
    add(`${operation}.Latency`, latencyMs);
    add(`${operation}.Success`, records > 0 ? 1 : 0);
    if (operation === "PutRecords") {
      add("PutRecords.Records", records);
      add("PutRecords.TotalRecords", records + throttled + failed);
      add("PutRecords.SuccessfulRecords", records);
      add("PutRecords.FailedRecords", failed);
      add("PutRecords.ThrottledRecords", throttled);
    }
    const enabled = this.#enabledOf(streamUid);
    if (enabled.length === 0) return;
    for (const shard of shards) {
      this.#addOfShard(streamUid, shard.shardIndex, enabled, {
        IncomingRecords: shard.storedRecords,
        IncomingBytes: shard.storedBytes,
        WriteProvisionedThroughputExceeded: shard.throttledRecords,
      });
    }
  }

  /** Counts a GetRecords call that was answered, or that failed. */
  recordRead(streamUid: number, sample: ReadSample): void {
    const add = this.#adder(streamUid, STREAM);
    const read = sample.shards.filter((shard) => !shard.throttled);
    add("GetRecords.Success", read.length > 0 ? 1 : 0);
    add("GetRecords.Latency", sample.latencyMs);
    add("ReadProvisionedThroughputExceeded", sample.shards.length - read.length);
    if (read.length > 0) {
      add(
        "GetRecords.Records",
        sumOf(read, (shard) => shard.records),
      );
      add(
        "GetRecords.Bytes",
        sumOf(read, (shard) => shard.bytes),
      );
    }
    for (const shard of read) add("GetRecords.IteratorAgeMilliseconds", shard.iteratorAgeMs);
    const enabled = this.#enabledOf(streamUid);
    if (enabled.length === 0) return;
    for (const shard of sample.shards) {
      this.#addOfShard(streamUid, shard.shardIndex, enabled, {
        ReadProvisionedThroughputExceeded: shard.throttled ? 1 : 0,
        ...(shard.throttled
          ? {}
          : {
              OutgoingRecords: shard.records,
              OutgoingBytes: shard.bytes,
              IteratorAgeMilliseconds: shard.iteratorAgeMs,
            }),
      });
    }
  }

  /** Counts a call of SubscribeToShard; `rateExceeded` when it came too early after the one before. */
  recordSubscription(
    streamUid: number,
    consumerName: string,
    outcome: { readonly succeeded: boolean; readonly rateExceeded: boolean },
  ): void {
    for (const subject of [STREAM, consumerSubject(consumerName)]) {
      const add = this.#adder(streamUid, subject);
      add("SubscribeToShard.Success", outcome.succeeded ? 1 : 0);
      add("SubscribeToShard.RateExceeded", outcome.rateExceeded ? 1 : 0);
    }
  }

  /** Counts an event that a subscription was sent. */
  recordEvent(streamUid: number, sample: EventSample): void {
    for (const subject of [STREAM, consumerSubject(sample.consumerName)]) {
      const add = this.#adder(streamUid, subject);
      add("SubscribeToShardEvent.Success", 1);
      add("SubscribeToShardEvent.Records", sample.records);
      add("SubscribeToShardEvent.Bytes", sample.bytes);
      add("SubscribeToShardEvent.MillisBehindLatest", sample.millisBehindLatest);
    }
    const enabled = this.#enabledOf(streamUid);
    if (enabled.length === 0) return;
    this.#addOfShard(streamUid, sample.shardIndex, enabled, {
      OutgoingRecords: sample.records,
      OutgoingBytes: sample.bytes,
    });
  }

  /**
   * The datapoints of a metric, oldest first; minutes without a sample are left out.
   *
   * @throws InvalidArgumentError for a metric that there is not.
   */
  get(query: MetricQuery): Datapoint[] {
    const { shardIndex, consumerName, startMs, endMs } = query;
    const name = checkedName(query);
    const subjects = this.#streams.get(query.streamUid);
    const points = subjects?.get(subjectOf(shardIndex, consumerName))?.get(name);
    const oldestMs = this.#clock.nowMs() - KEPT_MS;
    return points?.between(Math.max(startMs, oldestMs), endMs) ?? [];
  }

  /** Forgets a stream's datapoints. */
  forget(streamUid: number): void {
    this.#streams.delete(streamUid);
  }

  /** Forgets everything. */
  clear(): void {
    this.#streams.clear();
  }

  #adder(streamUid: number, subject: string): (name: StreamMetricName, sample: number) => void {
    const nowMs = this.#clock.nowMs();
    const metrics = this.#metricsOf(streamUid, subject, nowMs);
    return (name, sample) => pointsOf(metrics, name).add(sample, nowMs);
  }

  #addOfShard(
    streamUid: number,
    shardIndex: number,
    enabled: readonly ShardMetricName[],
    samples: Partial<Record<ShardMetricName, number>>,
  ): void {
    const nowMs = this.#clock.nowMs();
    const metrics = this.#metricsOf(streamUid, subjectOf(shardIndex, undefined), nowMs);
    for (const name of enabled) {
      const sample = samples[name];
      if (sample !== undefined) pointsOf(metrics, name).add(sample, nowMs);
    }
  }

  #metricsOf(streamUid: number, subject: string, nowMs: number): Map<string, Datapoints> {
    this.#sweep(nowMs);
    let subjects = this.#streams.get(streamUid);
    if (subjects === undefined) {
      subjects = new Map();
      this.#streams.set(streamUid, subjects);
    }
    let metrics = subjects.get(subject);
    if (metrics === undefined) {
      metrics = new Map();
      subjects.set(subject, metrics);
    }
    return metrics;
  }

  /** Once a minute, forgets what had no sample for three hours: streams, shards and consumers that are gone. */
  #sweep(nowMs: number): void {
    if (Math.abs(nowMs - this.#sweptMs) < PERIOD_MS) return;
    this.#sweptMs = nowMs;
    for (const [streamUid, subjects] of this.#streams) {
      for (const [subject, metrics] of subjects) {
        for (const [name, points] of metrics) {
          if ((points.newestMs ?? 0) <= nowMs - KEPT_MS) metrics.delete(name);
        }
        if (metrics.size === 0) subjects.delete(subject);
      }
      if (subjects.size === 0) this.#streams.delete(streamUid);
    }
  }
}

function pointsOf(metrics: Map<string, Datapoints>, name: string): Datapoints {
  let points = metrics.get(name);
  if (points === undefined) {
    points = new Datapoints();
    metrics.set(name, points);
  }
  return points;
}

function consumerSubject(consumerName: string): string {
  return `consumer/${consumerName}`;
}

function subjectOf(shardIndex: number | undefined, consumerName: string | undefined): string {
  if (shardIndex !== undefined) return `shard/${shardIndex}`;
  return consumerName === undefined ? STREAM : consumerSubject(consumerName);
}

/** The query's metric, when there is one of that name for what the query is about. */
function checkedName(query: MetricQuery): string {
  const { metricName, shardIndex, consumerName } = query;
  const ofShard = shardIndex !== undefined;
  if (ofShard && consumerName !== undefined) {
    throw new InvalidArgumentError("a metric is about a shard or about a consumer, not both", {
      argument: "consumerName",
      value: consumerName,
    });
  }
  const ofConsumer = consumerName !== undefined;
  const known = ofShard
    ? isShardMetric(metricName)
    : isStreamMetric(metricName) && (!ofConsumer || metricName.startsWith("SubscribeToShard"));
  if (known) return metricName;
  const subject = ofShard ? "shards" : ofConsumer ? "consumers" : "streams";
  const names: readonly string[] = ofShard
    ? SHARD_METRICS
    : STREAM_METRICS.filter((name) => !ofConsumer || name.startsWith("SubscribeToShard"));
  throw new InvalidArgumentError(
    `there is no metric "${metricName}" of ${subject}; there are ${names.join(", ")}`,
    { argument: "metricName", value: metricName, limit: names.join(", ") },
  );
}

function sumOf<Item>(items: readonly Item[], measure: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + measure(item), 0);
}
