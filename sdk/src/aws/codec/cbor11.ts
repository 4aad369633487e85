/**
 * AWS's CBOR 1.1, directed by the model's shapes: blobs are byte strings, timestamps whole milliseconds
 * since the Unix epoch under tag 1. (RFC 8949 means seconds by that tag; AWS does not.)
 */
import {
  mismatch,
  SerializationError,
  type Shape,
  type StructureName,
  ValuePath,
} from "@millrace/engine/model";
import { CborReader, MAJOR } from "./cbor-reader.ts";
import { CborWriter } from "./cbor-writer.ts";
import { type Codec, ERROR_MEMBERS, type Members, membersOf, setEntry } from "./codec.ts";

const EPOCH_TIME_TAG = 1;
/** Floats below are seconds: as milliseconds they would lie before March 1973, as seconds after the year 5000. */
const FLOAT_SECONDS_MAX = 100_000_000_000;
/** Elements that a list may have, ten times what any list of the model has: each may be a single byte. */
const ELEMENTS_MAX = 100_000;

/** A value of the kind that comes next, for the error that does not want it. */
function exampleOfNext(reader: CborReader): unknown {
  switch (reader.peekMajor()) {
    case MAJOR.unsigned:
    case MAJOR.negative:
      return 0;
    case MAJOR.bytes:
      return new Uint8Array();
    case MAJOR.text:
      return "";
    case MAJOR.list:
      return [];
    case MAJOR.map:
      return {};
    default:
      return reader.boolean() ?? reader.number() ?? null;
  }
}

/**
 * Integers are milliseconds. Encoders that know no 64-bit integers write large ones as floats; a small
 * float, or one with a fraction, can only be seconds.
 */
function decodeTimestamp(reader: CborReader): Date | undefined {
  const isFloat = reader.peekMajor() === MAJOR.simple;
  const number = reader.number();
  if (number === undefined) return undefined;
  const inSeconds = isFloat && Math.abs(number) < FLOAT_SECONDS_MAX;
  const date = new Date(Math.round(inSeconds ? number * 1000 : number));
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function decodeMembers(reader: CborReader, members: Members, path: ValuePath): unknown {
  const value: Record<string, unknown> = {};
  reader.each(() => {
    if (reader.peekMajor() !== MAJOR.text)
      throw mismatch("string", exampleOfNext(reader), path.argument);
    const name = reader.text();
    const shape = members.get(name);
    if (shape === undefined) {
      reader.skip();
    } else if (!reader.takeNull()) {
      path.enter(name);
      value[name] = decodeValue(reader, shape, path);
      path.leave();
    }
  });
  return value;
}

function decodeList(reader: CborReader, of: Shape, path: ValuePath): unknown {
  const list: unknown[] = [];
  reader.each((i) => {
    if (i === ELEMENTS_MAX) {
      throw new SerializationError(`A list has more than ${ELEMENTS_MAX} elements.`, {
        argument: path.argument,
        limit: ELEMENTS_MAX,
      });
    }
    path.enter(i);
    list.push(reader.takeNull() ? null : decodeValue(reader, of, path));
    path.leave();
  });
  return list;
}

function decodeMap(reader: CborReader, of: Shape, path: ValuePath): unknown {
  const map: Record<string, unknown> = {};
  reader.each(() => {
    if (reader.peekMajor() !== MAJOR.text)
      throw mismatch("string", exampleOfNext(reader), path.argument);
    const key = reader.text();
    path.enter({ key });
    setEntry(map, key, reader.takeNull() ? null : decodeValue(reader, of, path));
    path.leave();
  });
  return map;
}

/** The next item as a value of the shape; undefined when it is of another type. */
function decodeMatching(reader: CborReader, shape: Shape, path: ValuePath): unknown {
  const major = reader.peekMajor();
  switch (shape.type) {
    case "blob":
      return major === MAJOR.bytes ? reader.bytes() : undefined;
    case "timestamp":
      return decodeTimestamp(reader);
    case "list":
      return major === MAJOR.list ? decodeList(reader, shape.of, path) : undefined;
    case "map":
      return major === MAJOR.map ? decodeMap(reader, shape.of, path) : undefined;
    case "reference":
      return major === MAJOR.map ? decodeMembers(reader, membersOf(shape.to), path) : undefined;
    case "string":
      return major === MAJOR.text ? reader.text() : undefined;
    case "boolean":
      return reader.boolean();
    default:
      return reader.number();
  }
}

function decodeValue(reader: CborReader, shape: Shape, path: ValuePath): unknown {
  const value = decodeMatching(reader, shape, path);
  if (value === undefined) throw mismatch(shape.type, exampleOfNext(reader), path.argument);
  return value;
}

/**
 * A structure's value from CBOR: see {@link Codec.decode}.
 * @throws SerializationError.
 */
export function decodeCbor(name: StructureName, body: Uint8Array): unknown {
  const reader = new CborReader(body);
  const value = decodeValue(reader, { type: "reference", to: name }, new ValuePath());
  reader.end();
  return value;
}

function encodeMembers(writer: CborWriter, members: Members, value: unknown): void {
  const given = (value ?? {}) as Readonly<Record<string, unknown>>;
  let count = 0;
  for (const name of members.keys()) {
    if (given[name] !== undefined && given[name] !== null) count++;
  }
  writer.head(MAJOR.map, count);
  for (const [name, shape] of members) {
    const member = given[name];
    if (member === undefined || member === null) continue;
    writer.text(name);
    encodeValue(writer, shape, member);
  }
}

function encodeList(writer: CborWriter, shape: Shape, list: readonly unknown[]): void {
  writer.head(MAJOR.list, list.length);
  for (const element of list)
    encodeValue(writer, shape.type === "list" ? shape.of : shape, element);
}

function encodeMap(writer: CborWriter, of: Shape, map: object): void {
  const entries = Object.entries(map);
  writer.head(MAJOR.map, entries.length);
  for (const [key, value] of entries) {
    writer.text(key);
    encodeValue(writer, of, value);
  }
}

function encodeValue(writer: CborWriter, shape: Shape, value: unknown): void {
  if (typeof value === "string") writer.text(value);
  else if (typeof value === "number") writer.number(value);
  else if (typeof value === "boolean") writer.boolean(value);
  else if (value instanceof Uint8Array) writer.bytes(value);
  else if (value instanceof Date) {
    writer.head(MAJOR.tag, EPOCH_TIME_TAG);
    writer.number(Math.round(value.getTime()));
  } else if (Array.isArray(value)) encodeList(writer, shape, value);
  else if (typeof value !== "object" || value === null) writer.null();
  else if (shape.type === "reference") encodeMembers(writer, membersOf(shape.to), value);
  else encodeMap(writer, shape.type === "map" ? shape.of : shape, value);
}

function encodeBody(members: Members, value: unknown): Uint8Array<ArrayBuffer> {
  const writer = new CborWriter();
  encodeMembers(writer, members, value);
  return writer.finish();
}

/** A structure's value as CBOR: see {@link Codec.encode}. */
export function encodeCbor(name: StructureName, value: unknown): Uint8Array<ArrayBuffer> {
  return encodeBody(membersOf(name), value);
}

/** AWS's CBOR 1.1. */
export const cbor11: Codec = {
  contentType: "application/x-amz-cbor-1.1",
  decode: decodeCbor,
  encode: encodeCbor,
  encodeError: ({ code, message }) => encodeBody(ERROR_MEMBERS, { __type: code, message }),
};
