/** User records as consumers get them: the members of an aggregated record, or a plain record by itself. */
import { refuse } from "../check.ts";
import { decodeAggregate } from "./aggregate-decoder.ts";
import type { AggregateMember, AggregateTag } from "./format.ts";
import {
  type HashKey,
  type HashKeyRange,
  hashKeyOf,
  parseHashKey,
  rangeHolds,
} from "./hash-key.ts";

/** A record as it was read from a stream; `StreamRecord` is one. */
export interface ReadRecord {
  readonly partitionKey: string;
  readonly data: Uint8Array;
  readonly sequenceNumber: string;
  readonly shardId: string;
  /** When the stream took it, in ms since the Unix epoch. */
  readonly arrivalMs: number;
}

const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });
const NO_TAGS: readonly AggregateTag[] = [];

/** One user record. What an aggregated record says of itself as a whole, all of its members say. */
export class UserRecord implements ReadRecord {
  readonly partitionKey: string;
  /** Decimal; undefined where the partition key decides the shard, and of a plain record, which keeps none. */
  readonly explicitHashKey: string | undefined;
  /** A view of the data that were read; it lives as long as they do. */
  readonly data: Uint8Array;
  readonly sequenceNumber: string;
  /** Position in its aggregated record, from 0 on; 0 of a plain record. */
  readonly subSequenceNumber: number;
  /** Whether it came in an aggregated record. */
  readonly aggregated: boolean;
  readonly tags: readonly AggregateTag[];
  readonly shardId: string;
  readonly arrivalMs: number;

  /** Made by {@link deaggregate}; `member` is undefined for a plain record. */
  constructor(record: ReadRecord, member: AggregateMember | undefined, subSequenceNumber: number) {
    const { partitionKey, data } = member ?? record;
    this.partitionKey = partitionKey;
    this.explicitHashKey = member?.explicitHashKey;
    this.data = data;
    this.sequenceNumber = record.sequenceNumber;
    this.subSequenceNumber = subSequenceNumber;
    this.aggregated = member !== undefined;
    this.tags = member?.tags ?? NO_TAGS;
    this.shardId = record.shardId;
    this.arrivalMs = record.arrivalMs;
  }

  /** The data in bytes of their own. */
  bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.data);
  }

  /** The data as text. */
  text(): string {
    return DECODER.decode(this.data);
  }

  /** The data as JSON. @throws SyntaxError when they are none. */
  json<Value = unknown>(): Value {
    return JSON.parse(this.text());
  }
}

/** The user records in a record: the members of an aggregated one, else itself. See {@link decodeAggregate}. */
export function deaggregate(record: ReadRecord): UserRecord[] {
  const members = decodeAggregate(record.data);
  if (members === undefined) return [new UserRecord(record, undefined, 0)];
  return members.map((member, i) => new UserRecord(record, member, i));
}

/** The hash keys of a shard, as ListShards gives them. */
export interface ShardHashKeys {
  /** Decimal, 0 to 2^128 - 1. */
  readonly startingHashKey: string;
  /** Decimal, 0 to 2^128 - 1; inclusive. */
  readonly endingHashKey: string;
}

function hashKeyAt(argument: string, decimal: string): HashKey {
  const limit = "0 to 2^128 - 1 in decimal";
  return parseHashKey(decimal) ?? refuse(argument, limit, decimal, limit);
}

function rangeOf({ startingHashKey, endingHashKey }: ShardHashKeys): HashKeyRange {
  return {
    start: hashKeyAt("shard.startingHashKey", startingHashKey),
    end: hashKeyAt("shard.endingHashKey", endingHashKey),
  };
}

/** The hash key by which a member was routed: the explicit one, or else the MD5 of its partition key. */
function hashKeyOfMember({ partitionKey, explicitHashKey }: RoutedMember): HashKey {
  return explicitHashKey === undefined
    ? hashKeyOf(partitionKey)
    : hashKeyAt("member.explicitHashKey", explicitHashKey);
}

/** What decides the shard of a member. */
export type RoutedMember = Pick<AggregateMember, "partitionKey" | "explicitHashKey">;

/** Whether a member's hash key is one of a shard's. @throws InvalidArgumentError for what is no hash key. */
export function memberFallsInto(member: RoutedMember, shard: ShardHashKeys): boolean {
  return rangeHolds(rangeOf(shard), hashKeyOfMember(member));
}

/**
 * Whether what {@link deaggregate} made of one record may be processed by the consumer of a shard. The KCL
 * drops an aggregated record as a whole when one of its members has a hash key outside of the shard's: its
 * producer then puts the members again. A plain record may always be processed.
 *
 * @throws InvalidArgumentError for what is no hash key.
 */
export function explodesInto(records: readonly UserRecord[], shard: ShardHashKeys): boolean {
  const range = rangeOf(shard);
  return records.every(
    (record) => !record.aggregated || rangeHolds(range, hashKeyOfMember(record)),
  );
}
