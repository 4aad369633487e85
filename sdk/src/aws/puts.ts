/** PutRecord and PutRecords: records are packed here, and each call is one batch of the engine. */
import {
  BatchEncoder,
  BatchResult,
  type CheckedRecord,
  type EngineClient,
  InternalFailureError,
  InvalidArgumentError,
  type MillraceError,
  type PackedBatch,
  type PutFailure,
  RecordTooLargeError,
  ResourceNotFoundError,
  type StreamDescription,
  ThroughputExceededError,
  ValidationError,
} from "@millrace/engine";
import type { InputOf, OutputOf, StructureOf } from "@millrace/engine/model";
import type { FaceCall } from "./calls.ts";
import { StreamLocator, type StreamNames } from "./stream-locator.ts";

type Entry = StructureOf<"PutRecordsRequestEntry">;
type PutCall = FaceCall<"PutRecord"> | FaceCall<"PutRecords">;

/** Data and keys of one request, in bytes: 10 MiB. */
const REQUEST_BYTES_MAX = 10_485_760;
/** What a batch may hold: a request's data and keys, and what each record needs besides. */
const BATCH_BYTES_MAX = 12_582_912;
const ROW_OVERHEAD_BYTES = 32;
const HASH_KEY_MAX = (1n << 128n) - 1n;
const UTF8_BYTES_PER_UNIT_MAX = 3;
const ENCODER = new TextEncoder();

/** Puts of one face. */
export class Puts {
  readonly #client: EngineClient;
  readonly #locator: StreamLocator;

  constructor(client: EngineClient) {
    this.#client = client;
    this.#locator = new StreamLocator(client);
  }

  /** @throws ThroughputExceededError, and what {@link putRecords} throws. */
  async putRecord(call: FaceCall<"PutRecord">): Promise<OutputOf<"PutRecord">> {
    const nameOf = (): string => "data";
    const result = await this.#put(call, [call.input], nameOf);
    const outcome = result.get(0);
    if ("errorCode" in outcome) throw refusal(outcome);
    const { shardId, sequenceNumber } = outcome;
    return { ShardId: shardId, SequenceNumber: sequenceNumber, ...encryptionOf(result) };
  }

  /** @throws ResourceNotFoundError, InvalidArgumentError, ValidationError, AccessDeniedError. */
  async putRecords(call: FaceCall<"PutRecords">): Promise<OutputOf<"PutRecords">> {
    const { Records: entries } = call.input;
    const result = await this.#put(call, entries, (i) => `records.${i + 1}.member.data`);
    return {
      FailedRecordCount: result.failedCount,
      Records: entries.map((_, i) => entryOf(result, i)),
      ...encryptionOf(result),
    };
  }

  async #put(
    call: PutCall,
    entries: readonly Entry[],
    nameOf: (i: number) => string,
  ): Promise<BatchResult> {
    const { operation, input, caller, signal } = call;
    const names = namesOf(input);
    let stream = await this.#locator.locate(names, call);
    for (;;) {
      try {
        const batch = pack(this.#client, stream, entries, nameOf);
        const settings = {
          call: { operation, caller },
          ...(signal === undefined ? {} : { signal }),
        };
        const packed = await this.#client.put(batch, settings);
        if (packed !== undefined) return new BatchResult(packed, stream.name);
        throw new InternalFailureError("a put was not sent", { argument: "records" });
      } catch (error) {
        // What is remembered of the stream may be out of date: deleted, made again, other limits.
        if (!isByStream(error)) throw error;
        const now = await this.#locator.locateAnew(names, call);
        if (isSame(now, stream)) throw error;
        stream = now;
      }
    }
  }
}

/** Whether an error depends on what a stream is like. */
function isByStream(error: unknown): boolean {
  return (
    error instanceof ResourceNotFoundError ||
    error instanceof RecordTooLargeError ||
    error instanceof ValidationError ||
    error instanceof InvalidArgumentError
  );
}

/** Whether a put into one goes as a put into the other. */
function isSame(one: StreamDescription, other: StreamDescription): boolean {
  const { uid, recordKibMax, distribution } = other;
  return one.uid === uid && one.recordKibMax === recordKibMax && one.distribution === distribution;
}

function namesOf({ StreamName, StreamARN, StreamId }: InputOf<PutCall["operation"]>): StreamNames {
  return { StreamName, StreamARN, StreamId };
}

/** Without encryption AWS's answers have no such member. */
function encryptionOf({ encrypted }: BatchResult): { readonly EncryptionType?: "KMS" } {
  return encrypted ? { EncryptionType: "KMS" } : {};
}

function entryOf(result: BatchResult, i: number): StructureOf<"PutRecordsResultEntry"> {
  const outcome = result.get(i);
  if ("errorCode" in outcome) {
    return { ErrorCode: outcome.errorCode, ErrorMessage: outcome.errorMessage };
  }
  return { SequenceNumber: outcome.sequenceNumber, ShardId: outcome.shardId };
}

function refusal({ errorCode, errorMessage, retryAfterMs, limit }: PutFailure): MillraceError {
  if (errorCode === "ProvisionedThroughputExceededException") {
    const details = limit === undefined ? { retryAfterMs } : { retryAfterMs, limit };
    return new ThroughputExceededError(errorMessage, details);
  }
  return new InternalFailureError(errorMessage, { retryable: true, retryAfterMs });
}

function pack(
  client: EngineClient,
  stream: StreamDescription,
  entries: readonly Entry[],
  nameOf: (i: number) => string,
): PackedBatch {
  const bytesMax = bytesAtMost(entries);
  if (bytesMax > REQUEST_BYTES_MAX) checkRequestBytes(entries);
  const expected = Math.min(BATCH_BYTES_MAX, bytesMax + entries.length * ROW_OVERHEAD_BYTES);
  // AWS promises no order among the records of a call: one that is throttled holds up no other.
  const encoder = new BatchEncoder(client.pool, expected, {
    ordered: false,
    bytesTarget: BATCH_BYTES_MAX,
  });
  try {
    let i = 0;
    const name = { toString: () => nameOf(i) };
    for (const entry of entries) {
      if (!encoder.add(checked(entry, i, stream), name, stream.recordKibMax * 1024)) {
        throw new InternalFailureError(`${name} does not fit into the batch of its call`);
      }
      i++;
    }
    return encoder.finish(stream.uid);
  } catch (error) {
    encoder.discard();
    throw error;
  }
}

/** An upper bound of what data and keys of a call hold, without looking into the keys. */
function bytesAtMost(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const { Data, PartitionKey = "" } of entries) {
    bytes += Data.byteLength + PartitionKey.length * UTF8_BYTES_PER_UNIT_MAX;
  }
  return bytes;
}

function checkRequestBytes(entries: readonly Entry[]): void {
  let bytes = 0;
  for (const { Data, PartitionKey = "" } of entries) {
    bytes += Data.byteLength + ENCODER.encode(PartitionKey).byteLength;
  }
  if (bytes <= REQUEST_BYTES_MAX) return;
  throw new InvalidArgumentError("Records size exceeds 10 MB limit", {
    argument: "Records",
    value: bytes,
    limit: REQUEST_BYTES_MAX,
  });
}

function checked(entry: Entry, i: number, stream: StreamDescription): CheckedRecord {
  const { PartitionKey: key, Data: data, ExplicitHashKey: hashKey } = entry;
  if (key === undefined && stream.distribution !== "AUTO") {
    throw new ValidationError(
      "1 validation error detected: Value null at 'partitionKey' failed to satisfy constraint: " +
        "Member must not be null",
      { argument: `Records[${i}].PartitionKey`, value: null },
    );
  }
  return { key: key ?? "", data, hashKey: hashKey === undefined ? undefined : hashKeyOf(hashKey) };
}

function hashKeyOf(text: string): bigint {
  const hashKey = BigInt(text);
  if (hashKey <= HASH_KEY_MAX) return hashKey;
  throw new InvalidArgumentError(
    "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. " +
      `Specified value was ${text}`,
    { argument: "ExplicitHashKey", value: text, limit: HASH_KEY_MAX.toString() },
  );
}
