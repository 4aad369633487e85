/**
 * The KPL's aggregated record: many user records in the data of one record of a stream. Magic, a message
 * of Protocol Buffers, MD5 of the message:
 *
 *     AggregatedRecord { repeated string partition_key_table = 1; repeated string explicit_hash_key_table = 2;
 *                        repeated Record records = 3; }
 *     Record { required uint64 partition_key_index = 1; optional uint64 explicit_hash_key_index = 2;
 *              required bytes data = 3; repeated Tag tags = 4; }
 *     Tag { required string key = 1; optional string value = 2; }
 */

/** What an aggregated record begins with. */
export const AGGREGATE_MAGIC = Uint8Array.of(0xf3, 0x89, 0x9a, 0xc2);

/** Field numbers of AggregatedRecord. */
export const PARTITION_KEY_TABLE = 1;
/** See {@link PARTITION_KEY_TABLE}. */
export const EXPLICIT_HASH_KEY_TABLE = 2;
/** See {@link PARTITION_KEY_TABLE}. */
export const RECORDS = 3;

/** Field numbers of Record. */
export const PARTITION_KEY_INDEX = 1;
/** See {@link PARTITION_KEY_INDEX}. */
export const EXPLICIT_HASH_KEY_INDEX = 2;
/** See {@link PARTITION_KEY_INDEX}. */
export const DATA = 3;
/** See {@link PARTITION_KEY_INDEX}. */
export const TAGS = 4;

/** Field numbers of Tag. */
export const TAG_KEY = 1;
/** See {@link TAG_KEY}. */
export const TAG_VALUE = 2;

/** A name with or without a value that a producer gave a user record. */
export interface AggregateTag {
  readonly key: string;
  readonly value?: string;
}

/** One user record of an aggregate. */
export interface AggregateMember {
  readonly partitionKey: string;
  /** 0 to 2^128 - 1 in decimal; decides the shard in the place of the partition key. */
  readonly explicitHashKey?: string | undefined;
  readonly data: Uint8Array;
  /** None when absent. */
  readonly tags?: readonly AggregateTag[] | undefined;
}

/** Whether data begin as an aggregated record does; what follows may be anything. */
export function hasAggregateMagic(data: Uint8Array): boolean {
  return AGGREGATE_MAGIC.every((byte, i) => data[i] === byte);
}
