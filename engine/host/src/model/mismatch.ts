/** Values that are not of the type that the model states, as AWS words it. */
import { SerializationError } from "../errors/index.ts";
import type { Shape } from "./shapes.ts";

/** AWS's name of a type, with the article that AWS gives it. */
const TARGETS: Readonly<Record<string, string>> = {
  string: "an String",
  integer: "an Integer",
  long: "an Long",
  number: "an Double",
  boolean: "an Boolean",
  blob: "a Blob",
  timestamp: "milliseconds since epoch",
};

/** What collections answer to a value that has no parts. */
const COLLECTIONS: Readonly<Record<string, string>> = {
  list: "Expected list or null",
  map: "Expected map or null",
  reference: "Expected null",
};

/** Name that AWS's own implementation gives to the type of a value without parts; undefined for others. */
function sourceOf(value: unknown): string | undefined {
  if (typeof value === "boolean") return "class java.lang.Boolean";
  if (typeof value === "string") return "class java.lang.String";
  if (typeof value === "number") {
    return Number.isInteger(value)
      ? "class com.amazon.coral.value.json.numbers.TruncatingBigNumber"
      : "class java.lang.Double";
  }
  if (typeof value === "bigint") return "class java.math.BigInteger";
  if (value instanceof Uint8Array) return "class java.nio.HeapByteBuffer";
  if (value instanceof Date) return "class java.util.Date";
  if (value === undefined || value === null) return "null";
  if (typeof value === "object") return undefined;
  return `class ${typeof value}`;
}

function textFor(type: Shape["type"], value: unknown): string {
  const source = sourceOf(value);
  if (source !== undefined) {
    return COLLECTIONS[type] ?? `${source} can not be converted to ${TARGETS[type] ?? type}`;
  }
  return Array.isArray(value)
    ? "Start of list found where not expected"
    : "Start of structure or map found where not expected.";
}

/** The error for a value that is not of a shape's type. `argument` is its path, as in `Records[3].Data`. */
export function mismatch(
  type: Shape["type"],
  value: unknown,
  argument: string,
): SerializationError {
  return new SerializationError(textFor(type, value), { argument, limit: type });
}
