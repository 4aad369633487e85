/** What the codecs of all wire formats have in common. */
import {
  type AwsError,
  type Shape,
  type StructureName,
  structureShape,
} from "@millrace/engine/model";

/** One wire format of AWS's. */
export interface Codec {
  /** Media type of bodies. */
  readonly contentType: string;
  /**
   * A structure's value: blobs as Uint8Array, which may be views of the body, timestamps as Date. Members
   * that the model does not know or that are null are left out; constraints are not checked.
   * @throws SerializationError when the body is malformed or a value is not of its type.
   */
  decode(name: StructureName, body: Uint8Array): unknown;
  /** A structure's value as a body; undefined stands for one without members. What the model does not know is left out. */
  encode(name: StructureName, value: unknown): Uint8Array<ArrayBuffer>;
  /** The body by which an error is answered. */
  encodeError(error: Pick<AwsError, "code" | "message">): Uint8Array<ArrayBuffer>;
}

/** Members of a structure by name. */
export type Members = ReadonlyMap<string, Shape>;

const structures = new Map<StructureName, Members>();

/** Members of a structure. A map, because an object would also know `constructor`. */
export function membersOf(name: StructureName): Members {
  let members = structures.get(name);
  if (members === undefined) {
    members = new Map(Object.entries(structureShape(name).members));
    structures.set(name, members);
  }
  return members;
}

/** Members of an error's body. */
export const ERROR_MEMBERS: Members = new Map<string, Shape>([
  ["__type", { type: "string" }],
  ["message", { type: "string" }],
]);

/** Sets an entry of a map, whatever its key. */
export function setEntry(entries: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== "__proto__") {
    entries[key] = value;
    return;
  }
  // A plain assignment would replace the prototype.
  Object.defineProperty(entries, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}
