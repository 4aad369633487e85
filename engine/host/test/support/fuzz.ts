/** Values of the service model for tests: exact ones at every limit, and random ones, right and wrong. */
import fc from "fast-check";
import {
  type OperationName,
  operations,
  type Shape,
  type StructureName,
  structureShape,
} from "../../src/model/shapes.ts";
import type { SeededRandom } from "../../src/platform/seeded-random.ts";

type Members = Record<string, unknown>;

/** Texts that match a pattern, without regard to lengths; drawn once per pattern. */
const matchingTexts = new Map<string, readonly string[]>();

function textsMatching(pattern: string): readonly string[] {
  let texts = matchingTexts.get(pattern);
  if (texts === undefined) {
    const whole = new RegExp(`^(?:${pattern})$`);
    const drawn = fc.sample(fc.stringMatching(whole), { seed: 7, numRuns: 60 });
    texts = [...new Set(drawn)].sort((a, b) => a.length - b.length);
    matchingTexts.set(pattern, texts);
  }
  return texts;
}

/** A text of exactly this length that matches the pattern; undefined when none was found. */
export function textOfLength(length: number, pattern: string | undefined): string | undefined {
  if (pattern === undefined) return "x".repeat(length);
  const whole = new RegExp(`^(?:${pattern})$`);
  for (const text of ["", ...textsMatching(pattern)]) {
    const missing = length - text.length;
    if (missing < 0) break;
    // Somewhere in the text there is room for more of the same letter or digit.
    for (let at = text.length; at >= 0; at--) {
      for (const filler of ["a", "1"]) {
        const grown = text.slice(0, at) + filler.repeat(missing) + text.slice(at);
        if (whole.test(grown)) return grown;
      }
    }
  }
  return undefined;
}

type TextShape = Extract<Shape, { type: "string" }>;

/** A short text that a shape allows. */
function textOf(shape: TextShape): string {
  const { min = 0, max = Number.POSITIVE_INFINITY, pattern } = shape;
  const [first] = shape.enum ?? [];
  if (first !== undefined) return first;
  if (pattern === undefined) return "x".repeat(Math.max(1, min));
  const fits = ({ length }: string): boolean => length >= min && length <= max;
  const text = textsMatching(pattern).find(fits) ?? textOfLength(min, pattern);
  if (text === undefined) throw new Error(`no text matches ${pattern}`);
  return text;
}

/** A value that a shape allows, with every member of its structures. */
export function validValue(shape: Shape): unknown {
  switch (shape.type) {
    case "string":
      return textOf(shape);
    case "integer":
    case "long":
    case "number":
      return Math.max(shape.min ?? 1, 1);
    case "blob":
      return new Uint8Array(Math.max(shape.min ?? 0, 3));
    case "boolean":
      return true;
    case "timestamp":
      return new Date(1_700_000_000_123);
    case "list":
      return Array.from({ length: Math.max(shape.min ?? 1, 1) }, () => validValue(shape.of));
    case "map":
      return { [String(validValue(shape.key))]: validValue(shape.of) };
    case "reference":
      return validStructure(shape.to);
  }
}

/** A structure that the model allows, with every member. */
export function validStructure(name: StructureName): Members {
  const entries = Object.entries(structureShape(name).members);
  return Object.fromEntries(entries.map(([member, shape]) => [member, validValue(shape)]));
}

/** Values that a test wants to see often, by the member that they are drawn for. */
export type KnownValues = Readonly<Record<string, readonly unknown[]>>;

/** An input, and whether it follows the model. */
export interface RandomInput {
  readonly input: Members;
  readonly valid: boolean;
}

const STRANGE: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e300,
  Number.NaN,
  "",
  "no such thing",
  "\u0000\ud83d\ude00",
  "x".repeat(3000),
  new Uint8Array(2),
  new Date(0),
  new Date(Number.NaN),
  [],
  [null],
  {},
  { __proto__: null, constructor: 1 },
  [[[[]]]],
];

function pick<Value>(random: SeededRandom, values: readonly Value[]): Value {
  const value = values[random.below(values.length)];
  if (value === undefined) throw new Error("nothing to pick from");
  return value;
}

function chance(random: SeededRandom, probability: number): boolean {
  return random.below(1_000_000) < probability * 1_000_000;
}

const ALPHABET = [...'abcXYZ019 _-./:{}"\\\n\u00e4\u20ac\u{1f600}'];

function randomText(shape: TextShape, random: SeededRandom): string {
  const { min = 0, max = 40, pattern } = shape;
  if (shape.enum !== undefined) return pick(random, shape.enum);
  if (pattern !== undefined) {
    const fitting = textsMatching(pattern).filter(
      ({ length }) => length >= min && length <= (shape.max ?? length),
    );
    return fitting.length === 0 ? textOf(shape) : pick(random, fitting);
  }
  const length = min + random.below(Math.min(max, 40) - min + 1);
  return Array.from({ length }, () => pick(random, ALPHABET)).join("");
}

function randomNumber(shape: { min?: number; max?: number }, random: SeededRandom): number {
  const { min = 0, max = 100_000 } = shape;
  if (shape.max === undefined && chance(random, 0.2)) return 2 ** 31 - 1 - random.below(3);
  return min + random.below(max - min + 1);
}

/** A random value that a shape allows. Absent members are left out as often as not. */
export function randomValue(shape: Shape, random: SeededRandom, known: KnownValues = {}): unknown {
  switch (shape.type) {
    case "string":
      return randomText(shape, random);
    case "integer":
    case "long":
    case "number":
      return randomNumber(shape, random);
    case "blob":
      return random.fill(new Uint8Array(random.below(70)));
    case "boolean":
      return chance(random, 0.5);
    case "timestamp":
      return new Date(random.below(2 ** 32) * 600 + random.below(1000));
    case "list": {
      const length = (shape.min ?? 0) + random.below(4);
      return Array.from({ length }, () => randomValue(shape.of, random, known));
    }
    case "map": {
      const entries = Array.from({ length: (shape.min ?? 0) + random.below(4) }, () => [
        randomValue(shape.key, random),
        randomValue(shape.of, random),
      ]);
      return Object.fromEntries(entries) as Members;
    }
    case "reference":
      return randomStructure(shape.to, random, known);
  }
}

/** A random structure that the model allows. */
export function randomStructure(
  name: StructureName,
  random: SeededRandom,
  known: KnownValues = {},
): Members {
  const { members, required } = structureShape(name);
  const value: Members = {};
  for (const [member, shape] of Object.entries(members)) {
    if (!required.includes(member) && chance(random, 0.5)) continue;
    const candidates = known[member];
    const useKnown = candidates !== undefined && chance(random, 0.8);
    value[member] = useKnown ? pick(random, candidates) : randomValue(shape, random, known);
  }
  return value;
}

/** Breaks one value somewhere in a structure: another type, a broken limit, or nothing at all. */
function spoil(value: unknown, random: SeededRandom): unknown {
  const isContainer =
    typeof value === "object" &&
    value !== null &&
    !(value instanceof Uint8Array) &&
    !(value instanceof Date);
  if (!isContainer || chance(random, 0.2)) return pick(random, STRANGE);
  const keys = Object.keys(value);
  if (keys.length === 0) return pick(random, STRANGE);
  const key = pick(random, keys);
  const copy = Array.isArray(value) ? [...value] : { ...value };
  Reflect.set(copy, key, spoil(Reflect.get(copy, key), random));
  return copy;
}

/**
 * A random input of an operation. `validShare` of them follow the model; the rest had one value spoilt,
 * which may leave them right by accident. `known` values are drawn four times out of five, so that calls
 * meet what the test has created; the caller vouches for them.
 */
export function randomInput(
  operation: OperationName,
  random: SeededRandom,
  { validShare = 0.5, known = {} }: { validShare?: number; known?: KnownValues } = {},
): RandomInput {
  const input = randomStructure(operations[operation].input, random, known);
  if (chance(random, validShare)) return { input, valid: true };
  const members = Object.keys(structureShape(operations[operation].input).members);
  if (members.length === 0) return { input: { unknown: pick(random, STRANGE) }, valid: false };
  const member = pick(random, members);
  return { input: { ...input, [member]: spoil(input[member], random) }, valid: false };
}
