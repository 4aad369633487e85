/** Holds answers against the service model: members, types, and what they are required to have. */
import {
  type OperationName,
  operations,
  type Shape,
  type StructureName,
  structureShape,
} from "@millrace/engine/model";

function offenceOfText(shape: Extract<Shape, { type: "string" }>, value: unknown): string[] {
  if (typeof value !== "string") return ["is no text"];
  if (shape.enum !== undefined && !shape.enum.includes(value)) return [`is ${value}`];
  const { pattern, max = Number.POSITIVE_INFINITY, min = 0 } = shape;
  if (value.length < min || value.length > max) return [`has ${value.length} characters`];
  return pattern === undefined || new RegExp(`^(?:${pattern})$`).test(value)
    ? []
    : [`does not match ${pattern}: ${value}`];
}

function offencesOf(shape: Shape, value: unknown, path: string): string[] {
  const at = (problems: readonly string[]): string[] => problems.map((one) => `${path} ${one}`);
  switch (shape.type) {
    case "string":
      return at(offenceOfText(shape, value));
    case "integer":
    case "long":
    case "number":
      return at(typeof value === "number" && Number.isSafeInteger(value) ? [] : ["is no integer"]);
    case "boolean":
      return at(typeof value === "boolean" ? [] : ["is no boolean"]);
    case "timestamp":
      return at(value instanceof Date && Number.isFinite(value.getTime()) ? [] : ["is no time"]);
    case "blob":
      return at(value instanceof Uint8Array ? [] : ["is no blob"]);
    case "list":
      if (!Array.isArray(value)) return at(["is no list"]);
      return value.flatMap((one, i) => offencesOf(shape.of, one, `${path}[${i}]`));
    case "map":
      if (typeof value !== "object" || value === null) return at(["is no map"]);
      return Object.entries(value).flatMap(([key, one]) =>
        offencesOf(shape.of, one, `${path}.${key}`),
      );
    case "reference":
      return offencesOfStructure(shape.to, value, path);
  }
}

/** Where a structure differs from its shape; empty when it does not. */
export function offencesOfStructure(name: StructureName, value: unknown, path: string): string[] {
  if (typeof value !== "object" || value === null) return [`${path} is no structure`];
  const { members, required } = structureShape(name);
  const offences = required
    .filter((member) => Reflect.get(value, member) === undefined)
    .map((member) => `${path}.${member} is missing`);
  for (const [member, one] of Object.entries(value)) {
    const shape = members[member];
    if (shape === undefined) offences.push(`${path}.${member} is no member`);
    else if (one !== undefined) offences.push(...offencesOf(shape, one, `${path}.${member}`));
  }
  return offences;
}

/** Where an answer differs from the model of its operation. */
export function offencesOfOutput(operation: OperationName, output: unknown): string[] {
  const { output: name } = operations[operation];
  if (operation === "SubscribeToShard") return [];
  if (name !== null) return offencesOfStructure(name, output, operation);
  const empty = output === undefined || output === null || Object.keys(output).length === 0;
  return empty ? [] : [`${operation} answers nothing, but it answered`];
}

/** Errors that every operation may answer besides those that it declares. */
const COMMON = ["ValidationException", "SerializationException", "AccessDeniedException"];

/** Why an error is none that an operation may answer; undefined when it is one. */
export function offenceOfError(operation: OperationName, error: unknown): string | undefined {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const text = `${operation}: ${String(code)}: ${String(message)}`;
  if (typeof code !== "string" || typeof message !== "string" || message === "") return text;
  if (code === "InternalFailureException") return text;
  const allowed = [...operations[operation].errors, ...COMMON];
  return allowed.includes(code) ? undefined : text;
}
