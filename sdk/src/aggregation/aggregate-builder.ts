/** Packs user records into one aggregated record, whose exact size is known before it is written. */
import { refuse } from "../check.ts";
import {
  AGGREGATE_MAGIC,
  type AggregateMember,
  type AggregateTag,
  DATA,
  EXPLICIT_HASH_KEY_INDEX,
  EXPLICIT_HASH_KEY_TABLE,
  PARTITION_KEY_INDEX,
  PARTITION_KEY_TABLE,
  RECORDS,
  TAG_KEY,
  TAG_VALUE,
  TAGS,
} from "./format.ts";
import { parseHashKey } from "./hash-key.ts";
import { MD5_BYTES, md5 } from "./md5.ts";
import { fieldBytes, ProtobufWriter, utf8Bytes, varintBytes } from "./protobuf-writer.ts";

/** Bytes of an aggregated record without members. */
const EMPTY_BYTES = AGGREGATE_MAGIC.byteLength + MD5_BYTES;

/** A member with what is known of it when it is added. */
interface PlacedMember {
  readonly member: AggregateMember;
  readonly keyIndex: number;
  readonly hashKeyIndex: number | undefined;
  /** Of the Record message without its own tag and length. */
  readonly bodyBytes: number;
}

/** A table of texts, each of which is there once. */
type TextTable = Map<string, number>;

function tagBytes({ key, value }: AggregateTag): number {
  const valueBytes = value === undefined ? 0 : fieldBytes(utf8Bytes(value));
  return fieldBytes(utf8Bytes(key)) + valueBytes;
}

function entryBytes(table: TextTable, text: string): number {
  return table.has(text) ? 0 : fieldBytes(utf8Bytes(text));
}

function indexIn(table: TextTable, text: string): number {
  const known = table.get(text);
  if (known !== undefined) return known;
  table.set(text, table.size);
  return table.size - 1;
}

/** One aggregated record in the making, of members that were checked before. Keeps the members and their data until it is finished. */
export class AggregateBuilder {
  readonly #partitionKeys: TextTable = new Map();
  readonly #hashKeys: TextTable = new Map();
  readonly #members: PlacedMember[] = [];
  #byteLength = EMPTY_BYTES;

  /** Members so far. */
  get count(): number {
    return this.#members.length;
  }

  /** Bytes of the aggregated record with the members so far. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** Adds a member, unless the aggregated record would be over `bytesMax` with it; says whether it did. */
  add(member: AggregateMember, bytesMax = Number.POSITIVE_INFINITY): boolean {
    const { partitionKey, explicitHashKey, data, tags = [] } = member;
    const keyIndex = this.#partitionKeys.get(partitionKey) ?? this.#partitionKeys.size;
    let bodyBytes = 1 + varintBytes(keyIndex) + fieldBytes(data.byteLength);
    let tableBytes = entryBytes(this.#partitionKeys, partitionKey);
    if (explicitHashKey !== undefined) {
      const index = this.#hashKeys.get(explicitHashKey) ?? this.#hashKeys.size;
      bodyBytes += 1 + varintBytes(index);
      tableBytes += entryBytes(this.#hashKeys, explicitHashKey);
    }
    for (const tag of tags) bodyBytes += fieldBytes(tagBytes(tag));
    const byteLength = this.#byteLength + tableBytes + fieldBytes(bodyBytes);
    if (byteLength > bytesMax) return false;
    indexIn(this.#partitionKeys, partitionKey);
    const hashKeyIndex =
      explicitHashKey === undefined ? undefined : indexIn(this.#hashKeys, explicitHashKey);
    this.#members.push({ member, keyIndex, hashKeyIndex, bodyBytes });
    this.#byteLength = byteLength;
    return true;
  }

  /** The aggregated record, in bytes of its own. */
  finish(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#byteLength);
    bytes.set(AGGREGATE_MAGIC);
    const message = bytes.subarray(AGGREGATE_MAGIC.byteLength, this.#byteLength - MD5_BYTES);
    const writer = new ProtobufWriter(message);
    for (const key of this.#partitionKeys.keys()) writer.text(PARTITION_KEY_TABLE, key);
    for (const key of this.#hashKeys.keys()) writer.text(EXPLICIT_HASH_KEY_TABLE, key);
    for (const placed of this.#members) writeMember(writer, placed);
    bytes.set(md5(message), this.#byteLength - MD5_BYTES);
    return bytes;
  }
}

function writeMember(writer: ProtobufWriter, placed: PlacedMember): void {
  const { member, keyIndex, hashKeyIndex, bodyBytes } = placed;
  writer.length(RECORDS, bodyBytes);
  writer.number(PARTITION_KEY_INDEX, keyIndex);
  if (hashKeyIndex !== undefined) writer.number(EXPLICIT_HASH_KEY_INDEX, hashKeyIndex);
  writer.bytes(DATA, member.data);
  for (const tag of member.tags ?? []) {
    writer.length(TAGS, tagBytes(tag));
    writer.text(TAG_KEY, tag.key);
    if (tag.value !== undefined) writer.text(TAG_VALUE, tag.value);
  }
}

function checkText(argument: string, text: unknown): void {
  const limit = "well-formed Unicode";
  if (typeof text !== "string" || !text.isWellFormed()) refuse(argument, limit, text, limit);
}

function checkMember(name: string, member: AggregateMember): void {
  const { partitionKey, explicitHashKey, data, tags = [] } = member;
  checkText(`${name}.partitionKey`, partitionKey);
  if (!(data instanceof Uint8Array)) refuse(`${name}.data`, "a Uint8Array", data, "Uint8Array");
  if (explicitHashKey !== undefined && parseHashKey(explicitHashKey) === undefined) {
    const limit = "0 to 2^128 - 1 in decimal";
    refuse(`${name}.explicitHashKey`, limit, explicitHashKey, limit);
  }
  for (const [i, { key, value }] of tags.entries()) {
    checkText(`${name}.tags[${i}].key`, key);
    if (value !== undefined) checkText(`${name}.tags[${i}].value`, value);
  }
}

/**
 * Members, one or more, as one aggregated record, byte for byte as the KPL writes it.
 *
 * @throws InvalidArgumentError for a malformed member, and when there is none.
 */
export function encodeAggregate(members: readonly AggregateMember[]): Uint8Array<ArrayBuffer> {
  // Nobody could tell it from a plain record.
  if (members.length === 0) refuse("members", "one member or more", 0, "1 or more");
  const builder = new AggregateBuilder();
  for (const [i, member] of members.entries()) {
    checkMember(`members[${i}]`, member);
    builder.add(member);
  }
  return builder.finish();
}
