/** AWS JSON 1.1, directed by the model's shapes: blobs are base64, timestamps seconds since the Unix epoch. */
import {
  mismatch,
  SerializationError,
  type Shape,
  type StructureName,
  ValuePath,
} from "@millrace/engine/model";
import { base64 } from "./base64.ts";
import { type Codec, ERROR_MEMBERS, type Members, membersOf, setEntry } from "./codec.ts";

/** Characters of a bad value that its error quotes. */
const QUOTED_CHARACTERS_MAX = 80;

const utf8 = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

function blobError(text: string, argument: string): SerializationError {
  const invalid = /[^A-Za-z0-9+/=]|=(?!=?$)/.exec(text)?.[0];
  let why = "Invalid last non-pad Base64 character dectected";
  if (text.length % 4 !== 0) {
    why = `Base64 encoded length is expected a multiple of 4 bytes but found: ${text.length}`;
  } else if (invalid !== undefined) {
    why = `Invalid Base64 character: '${invalid}'`;
  }
  const value =
    text.length <= QUOTED_CHARACTERS_MAX ? text : `${text.slice(0, QUOTED_CHARACTERS_MAX)}…`;
  return new SerializationError(`'${value}' can not be converted to a Blob: ${why}`, {
    argument,
    value,
  });
}

function decodeBlob(value: unknown, path: ValuePath): Uint8Array {
  if (typeof value !== "string") throw mismatch("blob", value, path.argument);
  const bytes = base64.decode(value);
  if (bytes === undefined) throw blobError(value, path.argument);
  return bytes;
}

function decodeTimestamp(value: unknown, path: ValuePath): Date {
  const date = new Date(typeof value === "number" ? Math.round(value * 1000) : Number.NaN);
  if (Number.isNaN(date.getTime())) throw mismatch("timestamp", value, path.argument);
  return date;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Decodes in place: what JSON.parse made belongs to nobody else. */
function decodeMembers(members: Members, value: Record<string, unknown>, path: ValuePath): unknown {
  for (const name in value) {
    const given = value[name];
    const shape = members.get(name);
    if (shape === undefined || given === null) {
      delete value[name];
      continue;
    }
    path.enter(name);
    const decoded = decodeValue(shape, given, path);
    if (decoded !== given) value[name] = decoded;
    path.leave();
  }
  return value;
}

function decodeList(of: Shape, list: unknown[], path: ValuePath): unknown {
  for (let i = 0; i < list.length; i++) {
    const given = list[i];
    // Which elements may be null is for the validation to say.
    if (given === null) continue;
    path.enter(i);
    const decoded = decodeValue(of, given, path);
    if (decoded !== given) list[i] = decoded;
    path.leave();
  }
  return list;
}

function decodeMap(of: Shape, map: Record<string, unknown>, path: ValuePath): unknown {
  for (const key of Object.keys(map)) {
    const given = map[key];
    if (given === null) continue;
    path.enter({ key });
    const decoded = decodeValue(of, given, path);
    if (decoded !== given) setEntry(map, key, decoded);
    path.leave();
  }
  return map;
}

function decodeValue(shape: Shape, value: unknown, path: ValuePath): unknown {
  switch (shape.type) {
    case "blob":
      return decodeBlob(value, path);
    case "timestamp":
      return decodeTimestamp(value, path);
    case "list":
      if (Array.isArray(value)) return decodeList(shape.of, value, path);
      break;
    case "map":
      if (isObject(value)) return decodeMap(shape.of, value, path);
      break;
    case "reference":
      if (isObject(value)) return decodeMembers(membersOf(shape.to), value, path);
      break;
    case "string":
      if (typeof value === "string") return value;
      break;
    case "boolean":
      if (typeof value === "boolean") return value;
      break;
    default:
      if (typeof value === "number") return value;
  }
  throw mismatch(shape.type, value, path.argument);
}

function parse(body: Uint8Array | string): unknown {
  try {
    return JSON.parse(typeof body === "string" ? body : utf8.decode(body));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SerializationError(`The body is no JSON: ${why}`, { cause });
  }
}

/**
 * A structure's value from JSON: see {@link Codec.decode}.
 * @throws SerializationError.
 */
export function decodeJson(name: StructureName, body: Uint8Array | string): unknown {
  const value = parse(body);
  return decodeValue({ type: "reference", to: name }, value, new ValuePath());
}

function encodeMembers(members: Members, value: unknown): Record<string, unknown> {
  const given = (value ?? {}) as Readonly<Record<string, unknown>>;
  const encoded: Record<string, unknown> = {};
  for (const [name, shape] of members) {
    const member = given[name];
    if (member !== undefined && member !== null) encoded[name] = encodeValue(shape, member);
  }
  return encoded;
}

function encodeMap(of: Shape, map: object): Record<string, unknown> {
  const encoded: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(map)) setEntry(encoded, key, encodeValue(of, value));
  return encoded;
}

/** What JSON.stringify makes the wire's text of. */
function encodeValue(shape: Shape, value: unknown): unknown {
  if (value instanceof Uint8Array) return base64.encode(value);
  if (value instanceof Date) return value.getTime() / 1000;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    return shape.type === "list" ? value.map((element) => encodeValue(shape.of, element)) : value;
  }
  if (shape.type === "reference") return encodeMembers(membersOf(shape.to), value);
  return shape.type === "map" ? encodeMap(shape.of, value) : value;
}

/** A structure's value as JSON: see {@link Codec.encode}. */
export function encodeJson(name: StructureName, value: unknown): Uint8Array<ArrayBuffer> {
  return encoder.encode(JSON.stringify(encodeMembers(membersOf(name), value)));
}

/** AWS JSON 1.1. */
export const json11: Codec = {
  contentType: "application/x-amz-json-1.1",
  decode: decodeJson,
  encode: encodeJson,
  encodeError: ({ code, message }) =>
    encoder.encode(JSON.stringify(encodeMembers(ERROR_MEMBERS, { __type: code, message }))),
};
