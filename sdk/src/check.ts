/** Checks of what callers hand to the SDK; every refusal names the argument, the value and the limit. */
import { InvalidArgumentError } from "@millrace/engine";

const NAME = /^[a-zA-Z0-9_.-]{1,128}$/;
const VALUE_CHARACTERS_MAX = 80;

/** A value as an error message shows it. */
export function show(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length <= VALUE_CHARACTERS_MAX ? text : `${text.slice(0, VALUE_CHARACTERS_MAX)}…`;
}

/** Refuses a value. @throws InvalidArgumentError always. */
export function refuse(argument: string, must: string, value: unknown, limit: string): never {
  throw new InvalidArgumentError(`${argument} must be ${must}, but it is ${show(value)}`, {
    argument,
    value: show(value),
    limit,
  });
}

/** @throws InvalidArgumentError unless the value is a name as AWS allows for streams. */
export function checkName(argument: string, value: unknown): string {
  if (typeof value === "string" && NAME.test(value)) return value;
  const limit = "1 to 128 characters of a-z, A-Z, 0-9, _, . and -";
  return refuse(argument, limit, value, limit);
}

/** @throws InvalidArgumentError unless the value is an integer from `min` to `max`. */
export function checkInteger(argument: string, value: unknown, min: number, max: number): number {
  const fits = typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
  if (fits) return value;
  const limit = `${min} to ${max}`;
  return refuse(argument, `an integer from ${limit}`, value, limit);
}

/** @throws InvalidArgumentError unless the value is true or false. */
export function checkBoolean(argument: string, value: unknown): boolean {
  return typeof value === "boolean" ? value : refuse(argument, "true or false", value, "boolean");
}

/** @throws InvalidArgumentError unless the value is one of the list. */
export function checkOneOf<Value extends string>(
  argument: string,
  value: unknown,
  allowed: readonly Value[],
): Value {
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  const limit = allowed.map((one) => `"${one}"`).join(" or ");
  return refuse(argument, limit, value, limit);
}

/** @throws InvalidArgumentError unless the value is absent or an AbortSignal. */
export function checkSignal(argument: string, value: unknown): AbortSignal | undefined {
  if (value === undefined || value instanceof AbortSignal) return value;
  return refuse(argument, "an AbortSignal", value, "AbortSignal");
}

/** @throws InvalidArgumentError unless the value is an object with no members but those allowed. */
export function checkMembers(argument: string, value: unknown, allowed: readonly string[]): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    refuse(argument, "an object", value, allowed.join(", "));
  }
  for (const member of Object.keys(value)) {
    if (allowed.includes(member)) continue;
    throw new InvalidArgumentError(
      `${argument} has an unknown member "${member.slice(0, VALUE_CHARACTERS_MAX)}"; known are ` +
        allowed.join(", "),
      { argument: `${argument}.${member}`, value: show(member), limit: allowed.join(", ") },
    );
  }
}
