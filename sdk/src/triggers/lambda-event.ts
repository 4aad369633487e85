/** Events as Lambda makes them of Kinesis records. */
import type { StreamDescription } from "@millrace/engine";
import { base64 } from "../aws/codec/base64.ts";
import type { UserRecord } from "../groups/group-types.ts";
import { placeOf } from "./trigger-settings.ts";
import type { KinesisEvent, KinesisEventRecord } from "./trigger-types.ts";

/** About what a record's other members take in an event, in bytes. */
const MEMBERS_BYTES = 600;

/** What an event with a tumbling window says besides its records. */
export interface WindowMembers {
  readonly startMs: number;
  readonly endMs: number;
  readonly state: unknown;
  readonly final: boolean;
  readonly terminatedEarly: boolean;
}

/** Makes the events of one stream. */
export class EventMaker {
  readonly #streamArn: string;
  readonly #region: string;
  readonly #identityArn: string;

  constructor(stream: Pick<StreamDescription, "arn">) {
    const { region, account } = placeOf(stream);
    this.#streamArn = stream.arn;
    this.#region = region;
    this.#identityArn = `arn:aws:iam::${account}:role/lambda-role`;
  }

  /** The event of some records of one shard. */
  event(
    shardId: string,
    records: readonly UserRecord[],
    window: WindowMembers | undefined,
  ): KinesisEvent {
    const Records = records.map((record) => this.#record(record));
    if (window === undefined) return { Records };
    const { startMs, endMs, state, final, terminatedEarly } = window;
    return {
      Records,
      window: { start: secondText(startMs), end: secondText(endMs) },
      state,
      shardId,
      eventSourceARN: this.#streamArn,
      isFinalInvokeForWindow: final,
      isWindowTerminatedEarly: terminatedEarly,
    };
  }

  #record({
    partitionKey,
    sequenceNumber,
    shardId,
    arrivalMs,
    data,
  }: UserRecord): KinesisEventRecord {
    return {
      kinesis: {
        kinesisSchemaVersion: "1.0",
        partitionKey,
        sequenceNumber,
        data: base64.encode(data),
        approximateArrivalTimestamp: arrivalMs / 1000,
      },
      eventSource: "aws:kinesis",
      eventVersion: "1.0",
      eventID: `${shardId}:${sequenceNumber}`,
      eventName: "aws:kinesis:record",
      invokeIdentityArn: this.#identityArn,
      awsRegion: this.#region,
      eventSourceARN: this.#streamArn,
    };
  }
}

/** About the bytes that a record takes in an event as JSON. */
export function eventBytes({ data, partitionKey }: UserRecord): number {
  return Math.ceil(data.byteLength / 3) * 4 + partitionKey.length + MEMBERS_BYTES;
}

/** A time as AWS writes it in windows: whole seconds. */
function secondText(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/\.\d+Z$/, "Z");
}
