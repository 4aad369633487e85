/** What shapes demand besides their types, and how AWS words it. */
import type { Shape } from "./shapes.ts";

/** A constraint as AWS words it, with its limit. */
export interface ConstraintText {
  readonly text: string;
  readonly limit: string | number;
}

/** A constraint that values of the right type may break. */
export interface Constraint extends ConstraintText {
  isBroken(value: unknown): boolean;
}

/** What a required member that is absent breaks. */
export const NOT_NULL: ConstraintText = { text: "Member must not be null", limit: "not null" };

const NUMBERS: readonly Shape["type"][] = ["integer", "long", "number"];

/** Unicode characters, as the model counts them. */
function countCharacters(text: string): number {
  let count = 0;
  for (const _character of text) count++;
  return count;
}

/** A string of so many code units has at most as many characters, and at least half of them. */
function isShorter(text: string, min: number): boolean {
  return text.length < min || (text.length < 2 * min && countCharacters(text) < min);
}

function isLonger(text: string, max: number): boolean {
  return text.length > max && (text.length > 2 * max || countCharacters(text) > max);
}

/** How much a value that is no string has of what `min` and `max` limit. */
function amountOf(value: unknown): number {
  if (typeof value === "number") return value;
  if (value instanceof Uint8Array) return value.byteLength;
  if (Array.isArray(value)) return value.length;
  return typeof value === "object" && value !== null ? Object.keys(value).length : 0;
}

function minConstraint(measured: string, min: number): Constraint {
  return {
    text: `Member must have ${measured} greater than or equal to ${min}`,
    limit: min,
    isBroken: (value) =>
      typeof value === "string" ? isShorter(value, min) : amountOf(value) < min,
  };
}

function maxConstraint(measured: string, max: number): Constraint {
  return {
    text: `Member must have ${measured} less than or equal to ${max}`,
    limit: max,
    isBroken: (value) => (typeof value === "string" ? isLonger(value, max) : amountOf(value) > max),
  };
}

/**
 * A pattern is meant for the whole text. A text that is longer than its shape allows is not searched: it
 * is refused for its length, and some patterns take the cube of it in steps.
 */
function patternConstraint(pattern: string, max: number): Constraint {
  const whole = new RegExp(`^(?:${pattern})$`);
  return {
    text: `Member must satisfy regular expression pattern: ${pattern}`,
    limit: pattern,
    isBroken: (value) => typeof value === "string" && !isLonger(value, max) && !whole.test(value),
  };
}

function enumConstraint(values: readonly string[]): Constraint {
  const allowed = new Set<unknown>(values);
  const listed = values.join(", ");
  return {
    text: `Member must satisfy enum value set: [${listed}]`,
    limit: listed,
    isBroken: (value) => !allowed.has(value),
  };
}

interface Constraints {
  readonly ofText: readonly Constraint[];
  readonly min: Constraint | undefined;
  readonly max: Constraint | undefined;
}

function read(shape: Shape): Constraints {
  if (shape.type === "boolean" || shape.type === "timestamp" || shape.type === "reference") {
    return { ofText: [], min: undefined, max: undefined };
  }
  const { min, max } = shape;
  const measured = NUMBERS.includes(shape.type) ? "value" : "length";
  const ofText: Constraint[] = [];
  if (shape.type === "string") {
    const { pattern, enum: values } = shape;
    if (values !== undefined) ofText.push(enumConstraint(values));
    if (pattern !== undefined) ofText.push(patternConstraint(pattern, max ?? Infinity));
  }
  return {
    ofText,
    min: min === undefined ? undefined : minConstraint(measured, min),
    max: max === undefined ? undefined : maxConstraint(measured, max),
  };
}

function present<Value>(values: readonly (Value | undefined)[]): Value[] {
  return values.filter((value) => value !== undefined);
}

/** All constraints of a shape, in the order in which AWS reports them. */
export function constraintsOf(shape: Shape): readonly Constraint[] {
  const { ofText, min, max } = read(shape);
  return present([...ofText, min, max]);
}

/**
 * One constraint for the elements of a collection, which AWS reports of the collection: broken when an
 * element breaks any of its own. Undefined when elements have none.
 */
export function elementConstraint(lead: string, element: Shape): Constraint | undefined {
  const { ofText, min, max } = read(element);
  const constraints = present([max, min, ...ofText]);
  if (constraints.length === 0) return undefined;
  const listed = constraints.map(({ text }) => text).join(", ");
  return {
    text: `${lead} must satisfy constraint: [${listed}]`,
    limit: constraints.map(({ limit }) => limit).join(", "),
    isBroken: (value) => constraints.some((one) => one.isBroken(value)),
  };
}
