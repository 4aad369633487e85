/** What the service model says of operations, as types: inputs and outputs are derived, never written twice. */
import { OPERATIONS, STRUCTURES } from "./kinesis-shapes.generated.ts";

/** Name of one of the 45 operations. */
export type OperationName = keyof typeof OPERATIONS;
/** Name of a structure of the model. */
export type StructureName = keyof typeof STRUCTURES;

/** Constraints of a value: lengths of strings (characters), blobs (bytes) and collections, or the range of a number. */
interface Constraints {
  readonly min?: number;
  readonly max?: number;
}

/** A structure, or the event stream's union of structures. */
export interface StructureShape {
  readonly type: "structure" | "events";
  readonly required: readonly string[];
  readonly members: Readonly<Record<string, Shape>>;
}

/** Shape of a value. Blobs are `Uint8Array`, timestamps `Date`, maps plain objects. */
export type Shape =
  | (Constraints & {
      readonly type: "string";
      readonly pattern?: string;
      readonly enum?: readonly string[];
    })
  | (Constraints & { readonly type: "integer" | "long" | "number" | "blob" })
  | { readonly type: "boolean" }
  | { readonly type: "timestamp" }
  | (Constraints & { readonly type: "list"; readonly of: Shape })
  | (Constraints & { readonly type: "map"; readonly key: Shape; readonly of: Shape })
  | { readonly type: "reference"; readonly to: StructureName };

/** What an operation takes, gives and may fail with. */
export interface OperationShape {
  readonly input: StructureName;
  /** Null when the operation answers nothing. */
  readonly output: StructureName | null;
  /** AWS error names. */
  readonly errors: readonly string[];
}

type Value<Of> = Of extends { type: "string"; enum: readonly (infer Member)[] }
  ? Member
  : Of extends { type: "string" }
    ? string
    : Of extends { type: "integer" | "long" | "number" }
      ? number
      : Of extends { type: "boolean" }
        ? boolean
        : Of extends { type: "timestamp" }
          ? Date
          : Of extends { type: "blob" }
            ? Uint8Array
            : Of extends { type: "list"; of: infer Member }
              ? readonly Value<Member>[]
              : Of extends { type: "map"; of: infer Member }
                ? { readonly [key: string]: Value<Member> }
                : Of extends { type: "reference"; to: infer Name extends StructureName }
                  ? StructureOf<Name>
                  : never;

type Members<Of, Required extends PropertyKey> = {
  readonly [Name in keyof Of as Name extends Required ? Name : never]: Value<Of[Name]>;
} & {
  readonly [Name in keyof Of as Name extends Required ? never : Name]?: Value<Of[Name]> | undefined;
};

/** A structure of the model as a TypeScript type. */
export type StructureOf<Name extends StructureName> = (typeof STRUCTURES)[Name] extends {
  required: readonly (infer Required)[];
  members: infer Of;
}
  ? Members<Of, Required & PropertyKey>
  : never;

/** Input of an operation. */
export type InputOf<Name extends OperationName> = StructureOf<(typeof OPERATIONS)[Name]["input"]>;
/** Output of an operation; `undefined` when it answers nothing. */
export type OutputOf<Name extends OperationName> =
  (typeof OPERATIONS)[Name]["output"] extends infer Output extends StructureName
    ? StructureOf<Output>
    : undefined;

/** All operations by name. */
export const operations: Readonly<Record<OperationName, OperationShape>> = OPERATIONS;

/** A structure by name. */
export function structureShape(name: StructureName): StructureShape {
  return STRUCTURES[name];
}

/** Whether a text is the name of an operation. */
export function isOperationName(name: string): name is OperationName {
  return Object.hasOwn(OPERATIONS, name);
}
