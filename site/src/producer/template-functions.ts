/** What can stand in the braces of a template: how each is written, checked, made, and said in code. */

/** An argument: a number, or a text with or without quotes. */
export type Argument = number | string;

/** What one record is made of. */
export interface RecordContext {
  /** Records before this one. */
  readonly ordinal: number;
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number;
  /** A number from 0 up to 1, and not 1. */
  readonly random: () => number;
  readonly uuid: () => string;
}

/** One kind of placeholder. */
export interface TemplateFunction {
  /** As it is written. */
  readonly usage: string;
  readonly what: string;
  /** Why the arguments will not do; undefined when they will. */
  readonly refuse: (given: readonly Argument[]) => string | undefined;
  readonly make: (given: readonly Argument[], context: RecordContext) => string;
  /** The same as an expression of JavaScript, in which `i` is the ordinal. */
  readonly code: (given: readonly Argument[]) => string;
  /** A function that the expression calls. */
  readonly helper?: string;
}

const HEX_DIGITS_MAX = 4096;
const FRACTION_DIGITS_MAX = 12;

const quote = (value: Argument | undefined): string => JSON.stringify(value);

function numbers(given: readonly Argument[], min: number, max: number): string | undefined {
  if (given.length < min || given.length > max) {
    return min === max ? `it takes ${min}` : `it takes ${min} to ${max}`;
  }
  return given.every((one) => typeof one === "number" && Number.isFinite(one))
    ? undefined
    : "all must be numbers";
}

function numberAt(given: readonly Argument[], i: number, otherwise: number): number {
  const value = given[i];
  return typeof value === "number" ? value : otherwise;
}

function wholeNumbers(given: readonly Argument[], min: number, max: number): string | undefined {
  const refused = numbers(given, min, max);
  if (refused !== undefined) return refused;
  return given.every((one) => Number.isSafeInteger(one)) ? undefined : "all must be whole numbers";
}

function ascending(given: readonly Argument[]): string | undefined {
  return numberAt(given, 0, 0) <= numberAt(given, 1, 0)
    ? undefined
    : "the first must not be above the second";
}

function nothingGiven(given: readonly Argument[]): string | undefined {
  return given.length === 0 ? undefined : "it takes none";
}

function refuseHex(given: readonly Argument[]): string | undefined {
  const refused = wholeNumbers(given, 1, 1);
  if (refused !== undefined) return refused;
  const digits = numberAt(given, 0, 0);
  return digits >= 1 && digits <= HEX_DIGITS_MAX ? undefined : `it takes 1 to ${HEX_DIGITS_MAX}`;
}

function refuseFloat(given: readonly Argument[]): string | undefined {
  const refused = numbers(given, 2, 3) ?? ascending(given);
  if (refused !== undefined) return refused;
  const digits = numberAt(given, 2, 2);
  const fits = Number.isSafeInteger(digits) && digits >= 0 && digits <= FRACTION_DIGITS_MAX;
  return fits ? undefined : `the digits must be 0 to ${FRACTION_DIGITS_MAX}`;
}

function hexDigits(count: number, random: () => number): string {
  return Array.from({ length: count }, () => Math.floor(random() * 16).toString(16)).join("");
}

/** All kinds by their names. */
export const TEMPLATE_FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  counter: {
    usage: "counter(0)",
    what: "counts the records, from a number on",
    refuse: (given) => wholeNumbers(given, 0, 1),
    make: (given, { ordinal }) => String(numberAt(given, 0, 0) + ordinal),
    code: (given) => (numberAt(given, 0, 0) === 0 ? "i" : `${numberAt(given, 0, 0)} + i`),
  },
  int: {
    usage: "int(1, 6)",
    what: "a random whole number, both ends included",
    refuse: (given) => wholeNumbers(given, 2, 2) ?? ascending(given),
    make: (given, { random }) => {
      const [min, max] = [numberAt(given, 0, 0), numberAt(given, 1, 0)];
      return String(min + Math.floor(random() * (max - min + 1)));
    },
    code: (given) => `int(${given.join(", ")})`,
    helper: "const int = (min, max) => min + Math.floor(Math.random() * (max - min + 1));",
  },
  float: {
    usage: "float(0, 1, 2)",
    what: "a random number with so many digits after the point; 2 when absent",
    refuse: refuseFloat,
    make: (given, { random }) => {
      const [min, max] = [numberAt(given, 0, 0), numberAt(given, 1, 0)];
      return (min + random() * (max - min)).toFixed(numberAt(given, 2, 2));
    },
    code: (given) => {
      const [min, max] = [numberAt(given, 0, 0), numberAt(given, 1, 0)];
      return `(${min} + Math.random() * ${max - min}).toFixed(${numberAt(given, 2, 2)})`;
    },
  },
  choice: {
    usage: "choice(red, green)",
    what: "one of several, each as likely",
    refuse: (given) => (given.length > 0 ? undefined : "it takes one or more"),
    make: (given, { random }) => String(given[Math.floor(random() * given.length)] ?? ""),
    code: (given) => `pick(${given.map(quote).join(", ")})`,
    helper: "const pick = (...all) => all[Math.floor(Math.random() * all.length)];",
  },
  hex: {
    usage: "hex(32)",
    what: "so many random hexadecimal digits",
    refuse: refuseHex,
    make: (given, { random }) => hexDigits(numberAt(given, 0, 1), random),
    code: (given) => `hex(${numberAt(given, 0, 1)})`,
    helper:
      'const hex = (digits) => Array.from({ length: digits }, () => Math.floor(Math.random() * 16).toString(16)).join("");',
  },
  uuid: {
    usage: "uuid",
    what: "a random UUID",
    refuse: nothingGiven,
    make: (_, { uuid }) => uuid(),
    code: () => "crypto.randomUUID()",
  },
  time: {
    usage: "time",
    what: "the time now, as ISO 8601 in UTC",
    refuse: nothingGiven,
    make: (_, { nowMs }) => new Date(nowMs).toISOString(),
    code: () => "new Date().toISOString()",
  },
  epochMs: {
    usage: "epochMs",
    what: "the time now in milliseconds since 1970",
    refuse: nothingGiven,
    make: (_, { nowMs }) => String(nowMs),
    code: () => "Date.now()",
  },
};
