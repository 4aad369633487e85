/** What a producer did so far, in numbers. */

/** Many measured values in few. All are 0 when nothing was measured. */
export interface Summary {
  readonly count: number;
  readonly min: number;
  readonly mean: number;
  readonly max: number;
}

/** What a producer did since it was opened. The KPL's name of a metric is in brackets. */
export interface ProducerMetrics {
  /** User records that were given to it (UserRecordsReceived). */
  readonly userRecordsReceived: number;
  /** User records that wait or are under way (UserRecordsPending). */
  readonly userRecordsPending: number;
  /** User records that are stored (UserRecordsPut). */
  readonly userRecordsPut: number;
  /** User records that failed for good. */
  readonly userRecordsFailed: number;
  /** Bytes of data of the user records that are stored (UserRecordsDataPut). */
  readonly userBytesPut: number;
  /** Records of the stream that are stored, aggregated or not (KinesisRecordsPut). */
  readonly kinesisRecordsPut: number;
  /** Bytes of data of these (KinesisRecordsDataPut). */
  readonly kinesisBytesPut: number;
  /** Calls of PutRecords that were answered or failed. */
  readonly calls: number;
  /** Times that a user record was sent again. */
  readonly retries: number;
  /** Aggregated records that lie in a shard which some member does not belong to; all members were put again. */
  readonly strayAggregates: number;
  /** Attempts to put a record of the stream that failed, by their error (ErrorsByCode). */
  readonly errorsByCode: Readonly<Record<string, number>>;
  /** From the put of a user record to its first call, in ms (BufferingTime). */
  readonly bufferingMs: Summary;
  /** From the put of a user record to its success, in ms. */
  readonly recordLatencyMs: Summary;
  /** Duration of calls, in ms (RequestTime). */
  readonly requestMs: Summary;
  /** User records in a record of the stream that was stored (UserRecordsPerKinesisRecord). */
  readonly userRecordsPerKinesisRecord: Summary;
  /** Records of the stream in a call (KinesisRecordsPerPutRecordsRequest). */
  readonly kinesisRecordsPerCall: Summary;
}

class Measured {
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  add(value: number): void {
    this.#count += 1;
    this.#sum += value;
    this.#min = Math.min(this.#min, value);
    this.#max = Math.max(this.#max, value);
  }

  get summary(): Summary {
    if (this.#count === 0) return { count: 0, min: 0, mean: 0, max: 0 };
    const mean = this.#sum / this.#count;
    return { count: this.#count, min: this.#min, mean, max: this.#max };
  }
}

/** Counts while a producer works. */
export class ProducerTally {
  userRecordsReceived = 0;
  userRecordsPut = 0;
  userRecordsFailed = 0;
  userBytesPut = 0;
  kinesisRecordsPut = 0;
  kinesisBytesPut = 0;
  calls = 0;
  retries = 0;
  strayAggregates = 0;
  readonly buffering = new Measured();
  readonly recordLatency = new Measured();
  readonly request = new Measured();
  readonly recordsPerAggregate = new Measured();
  readonly recordsPerCall = new Measured();
  readonly #errors = new Map<string, number>();

  /** An attempt to put a record of the stream failed. */
  countError(code: string): void {
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1);
  }

  /** The numbers as they are now. */
  snapshot(): ProducerMetrics {
    const { userRecordsReceived, userRecordsPut, userRecordsFailed, userBytesPut } = this;
    const { kinesisRecordsPut, kinesisBytesPut, calls, retries, strayAggregates } = this;
    return {
      ...{ userRecordsReceived, userRecordsPut, userRecordsFailed, userBytesPut },
      userRecordsPending: userRecordsReceived - userRecordsPut - userRecordsFailed,
      ...{ kinesisRecordsPut, kinesisBytesPut, calls, retries, strayAggregates },
      errorsByCode: Object.fromEntries(this.#errors),
      bufferingMs: this.buffering.summary,
      recordLatencyMs: this.recordLatency.summary,
      requestMs: this.request.summary,
      userRecordsPerKinesisRecord: this.recordsPerAggregate.summary,
      kinesisRecordsPerCall: this.recordsPerCall.summary,
    };
  }
}
