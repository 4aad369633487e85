/** Takes an aggregated record apart. Whatever is not exactly one is none, as the KCL has it. */
import {
  AGGREGATE_MAGIC,
  type AggregateMember,
  type AggregateTag,
  DATA,
  EXPLICIT_HASH_KEY_INDEX,
  EXPLICIT_HASH_KEY_TABLE,
  hasAggregateMagic,
  PARTITION_KEY_INDEX,
  PARTITION_KEY_TABLE,
  RECORDS,
  TAG_KEY,
  TAG_VALUE,
  TAGS,
} from "./format.ts";
import { parseHashKey } from "./hash-key.ts";
import { MD5_BYTES, md5 } from "./md5.ts";
import {
  MalformedMessageError,
  ProtobufReader,
  WIRE_BYTES,
  WIRE_VARINT,
} from "./protobuf-reader.ts";

/** A Record message before its indexes are looked up. */
interface RawRecord {
  readonly keyIndex: number;
  readonly hashKeyIndex: number | undefined;
  readonly data: Uint8Array;
  readonly tags: readonly AggregateTag[];
}

function required<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new MalformedMessageError("a required field is missing");
  return value;
}

function readTag(bytes: Uint8Array): AggregateTag {
  const reader = new ProtobufReader(bytes);
  let key: string | undefined;
  let value: string | undefined;
  while (reader.next()) {
    const { field, wireType } = reader;
    if (field === TAG_KEY && wireType === WIRE_BYTES) key = reader.text();
    else if (field === TAG_VALUE && wireType === WIRE_BYTES) value = reader.text();
    else reader.skip();
  }
  return value === undefined ? { key: required(key) } : { key: required(key), value };
}

function readRecord(bytes: Uint8Array): RawRecord {
  const reader = new ProtobufReader(bytes);
  let keyIndex: number | undefined;
  let hashKeyIndex: number | undefined;
  let data: Uint8Array | undefined;
  const tags: AggregateTag[] = [];
  while (reader.next()) {
    const { field, wireType } = reader;
    if (field === PARTITION_KEY_INDEX && wireType === WIRE_VARINT) keyIndex = reader.varint();
    else if (field === EXPLICIT_HASH_KEY_INDEX && wireType === WIRE_VARINT) {
      hashKeyIndex = reader.varint();
    } else if (field === DATA && wireType === WIRE_BYTES) data = reader.bytes();
    else if (field === TAGS && wireType === WIRE_BYTES) tags.push(readTag(reader.bytes()));
    else reader.skip();
  }
  return { keyIndex: required(keyIndex), hashKeyIndex, data: required(data), tags };
}

function readMembers(message: Uint8Array): AggregateMember[] {
  const reader = new ProtobufReader(message);
  const partitionKeys: string[] = [];
  const hashKeys: string[] = [];
  const records: RawRecord[] = [];
  while (reader.next()) {
    const { field, wireType } = reader;
    if (wireType !== WIRE_BYTES) reader.skip();
    else if (field === PARTITION_KEY_TABLE) partitionKeys.push(reader.text());
    else if (field === EXPLICIT_HASH_KEY_TABLE) hashKeys.push(reader.text());
    else if (field === RECORDS) records.push(readRecord(reader.bytes()));
    else reader.skip();
  }
  return records.map(({ keyIndex, hashKeyIndex, data, tags }) => {
    const partitionKey = required(partitionKeys[keyIndex]);
    if (hashKeyIndex === undefined) return { partitionKey, data, tags };
    const explicitHashKey = required(hashKeys[hashKeyIndex]);
    // One that is no hash key has no place on the ring: nobody could tell the shard it belongs to.
    required(parseHashKey(explicitHashKey));
    return { partitionKey, explicitHashKey, data, tags };
  });
}

/**
 * The members of an aggregated record, in order; their data are views. Undefined when the data are no
 * aggregated record: another beginning, an MD5 that does not fit, a message that is malformed or cut
 * off, an index without an entry in its table, an explicit hash key that is none, or no member at all.
 * Fields that this build does not know are passed over.
 */
export function decodeAggregate(data: Uint8Array): AggregateMember[] | undefined {
  const end = data.byteLength - MD5_BYTES;
  if (end <= AGGREGATE_MAGIC.byteLength || !hasAggregateMagic(data)) return undefined;
  const message = data.subarray(AGGREGATE_MAGIC.byteLength, end);
  if (!md5(message).every((byte, i) => byte === data[end + i])) return undefined;
  try {
    const members = readMembers(message);
    return members.length === 0 ? undefined : members;
  } catch (error) {
    if (error instanceof MalformedMessageError) return undefined;
    throw error;
  }
}
