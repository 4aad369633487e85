/**
 * Records that were given up, as they are put into a dead-letter stream: one JSON document each, like what
 * Lambda sends to an on-failure destination, with the record itself.
 */
import { positionOf } from "./deliveries.ts";
import type { OutputRecord, UserRecord } from "./group-types.ts";
import type { HeldLease, RecordPosition } from "./held-lease.ts";

/** An epoch is full when its outputs have so many bytes; with the last one it is well below what the engine takes. */
const EPOCH_BYTES_FULL = 2_097_152;
/** One document at most, also where the stream takes larger records: 4 MiB. */
const LETTER_BYTES_MAX = 4_194_304;
const BASE64_CHUNK_BYTES = 24_576;

/** What a dead letter is written from. */
export interface DeadLetterParts {
  /** The dead-letter stream. */
  readonly streamName: string;
  /** Of the stream that the records were read from. */
  readonly streamArn: string;
  readonly groupName: string;
  /** The time in ms since the Unix epoch. */
  readonly now: () => Promise<number>;
  /** Most bytes that a record of the dead-letter stream may have. @throws ResourceNotFoundError. */
  readonly recordBytesMax: () => Promise<number>;
  /** Puts letters, and checkpoints the record that the last one is of. */
  readonly put: (letters: readonly OutputRecord[], at: RecordPosition) => Promise<void>;
}

/** Why records were given up. */
export interface GivenUp {
  readonly lease: HeldLease;
  readonly records: readonly UserRecord[];
  readonly attempts: number;
  readonly error: unknown;
}

/**
 * Puts the records, and checkpoints them: none is lost, and where both is one step none is put twice.
 * @throws LeaseLostError, ResourceNotFoundError for the stream, and what the engine throws.
 */
export async function parkRecords(parts: DeadLetterParts, given: GivenUp): Promise<void> {
  const { streamName } = parts;
  const timestamp = timeText(await parts.now());
  const recordBytesMax = Math.min(LETTER_BYTES_MAX, await parts.recordBytesMax());
  const about = describeBatch(parts, given, timestamp);
  let letters: OutputRecord[] = [];
  let bytes = 0;
  for (const [i, record] of given.records.entries()) {
    const letter = letterOf(record, about, streamName, recordBytesMax);
    letters.push(letter);
    bytes += letter.data.length;
    if (bytes < EPOCH_BYTES_FULL && i < given.records.length - 1) continue;
    await parts.put(letters, positionOf(record, given.lease.indexOf));
    letters = [];
    bytes = 0;
  }
}

/** What all documents of a batch say. */
function describeBatch(
  { groupName, streamArn }: DeadLetterParts,
  { lease, records, attempts, error }: GivenUp,
  timestamp: string,
): object {
  const [first, last] = [records[0], records.at(-1)];
  return {
    requestContext: {
      consumerGroup: groupName,
      condition: "RetryAttemptsExhausted",
      approximateInvokeCount: attempts,
    },
    responseContext: { functionError: "Unhandled", errorMessage: String(error).slice(0, 1000) },
    version: "1.0",
    timestamp,
    KinesisBatchInfo: {
      shardId: lease.shardId,
      startSequenceNumber: first?.sequenceNumber,
      endSequenceNumber: last?.sequenceNumber,
      approximateArrivalOfFirstRecord: first && timeText(first.arrivalMs),
      approximateArrivalOfLastRecord: last && timeText(last.arrivalMs),
      batchSize: records.length,
      streamArn,
    },
  };
}

/** Data that the stream has no room for stay where they are, as with Lambda. */
function letterOf(
  record: UserRecord,
  about: object,
  streamName: string,
  recordBytesMax: number,
): OutputRecord & { data: string } {
  const { partitionKey, explicitHashKey, data } = record;
  const { sequenceNumber, subSequenceNumber } = record;
  const write = (base64: string | null): string =>
    JSON.stringify({
      ...about,
      record: {
        ...{ partitionKey, explicitHashKey, sequenceNumber, subSequenceNumber },
        approximateArrivalTimestamp: timeText(record.arrivalMs),
        dataBytes: data.byteLength,
        data: base64,
      },
    });
  const bare = write(null);
  // Characters may take up to three bytes each, base64 always one.
  const room = recordBytesMax - 3 * (bare.length + partitionKey.length);
  const fits = Math.ceil(data.byteLength / 3) * 4 <= room;
  return { streamName, partitionKey, data: fits ? write(base64Of(data)) : bare };
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function base64Of(bytes: Uint8Array): string {
  let base64 = "";
  for (let at = 0; at < bytes.byteLength; at += BASE64_CHUNK_BYTES) {
    base64 += btoa(String.fromCharCode(...bytes.subarray(at, at + BASE64_CHUNK_BYTES)));
  }
  return base64;
}
