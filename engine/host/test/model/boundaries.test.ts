/** Every limit of the service model: the value at it passes, the one beyond is refused with AWS's text. */
import { assert } from "chai";
import { MillraceError } from "../../src/errors/index.ts";
import {
  type OperationName,
  operations,
  type Shape,
  type StructureName,
  structureShape,
} from "../../src/model/shapes.ts";
import { validateInput } from "../../src/model/validate.ts";
import { textOfLength, validStructure, validValue } from "../support/fuzz.ts";

/** One try: an input, and what must be said of it; nothing when it is right. */
interface Case {
  readonly what: string;
  readonly input: unknown;
  readonly code?: "ValidationException" | "SerializationException";
  /** Parts of the message. */
  readonly texts?: readonly string[];
}

type Build = (value: unknown) => unknown;

const wrongTypes: Record<Shape["type"], unknown> = {
  string: 5,
  integer: "5",
  long: "5",
  number: "5",
  boolean: "true",
  timestamp: "today",
  blob: "AAAA",
  list: "a",
  map: "a",
  reference: "a",
};

function pathOf(path: readonly string[]): string {
  return path.map((step) => step.charAt(0).toLowerCase() + step.slice(1)).join(".");
}

/** A value of exactly this size; undefined when the shape has none. */
function sized(shape: Shape, size: number): unknown {
  switch (shape.type) {
    case "string":
      return textOfLength(size, shape.pattern);
    case "blob":
      return new Uint8Array(size);
    case "list":
      return Array.from({ length: size }, () => validValue(shape.of));
    case "map":
      return Object.fromEntries(
        Array.from({ length: size }, (_, i) => [`key ${i}`, validValue(shape.of)]),
      );
    default:
      return size;
  }
}

/** How the text of a constraint stands in a message: elements' constraints are listed in one of the collection. */
interface Wording {
  readonly place: string;
  readonly listed: boolean;
}

function failing(what: string, input: unknown, { place, listed }: Wording, text: string): Case {
  const lead = `at '${place}' failed to satisfy constraint: `;
  return {
    what,
    input,
    code: "ValidationException",
    texts: listed ? [lead, text] : [lead + text],
  };
}

function* limitCases(shape: Shape, build: Build, wording: Wording): Generator<Case> {
  if (!("min" in shape) && !("max" in shape)) return;
  const { min, max } = shape;
  const isNumber = ["integer", "long", "number"].includes(shape.type);
  const measured = isNumber ? "value" : "length";
  const at = (limit: number, beyond: number, relation: string): Case[] => {
    const inside = sized(shape, limit);
    // Where the pattern fixes the length, nothing beyond the limit matches it.
    const outside = sized(shape, beyond) ?? "x".repeat(beyond);
    const text = `Member must have ${measured} ${relation} than or equal to ${limit}`;
    return [
      ...(inside === undefined
        ? []
        : [{ what: `${wording.place} of ${limit}`, input: build(inside) }]),
      failing(`${wording.place} of ${beyond}`, build(outside), wording, text),
    ];
  };
  if (min !== undefined && (min > 0 || isNumber)) yield* at(min, min - 1, "greater");
  if (max !== undefined) yield* at(max, max + 1, "less");
}

function* textCases(shape: Shape, build: Build, wording: Wording): Generator<Case> {
  if (shape.type !== "string") return;
  for (const value of shape.enum ?? [])
    yield { what: `${wording.place} ${value}`, input: build(value) };
  if (shape.enum !== undefined) {
    const text = `Member must satisfy enum value set: [${shape.enum.join(", ")}]`;
    yield failing(`${wording.place} out of its set`, build("no such value"), wording, text);
  }
  if (shape.pattern !== undefined) {
    const text = `Member must satisfy regular expression pattern: ${shape.pattern}`;
    const right = String(validValue(shape));
    yield { what: `${wording.place} ${right}`, input: build(right) };
    // A line break matches no pattern of the model, neither alone nor behind what does match.
    const wrong = shape.pattern === "[^:*]*" ? ":" : "\n";
    yield failing(
      `${wording.place} and more`,
      build(`${right.slice(0, -1)}${wrong}`),
      wording,
      text,
    );
  }
}

function* shapeCases(shape: Shape, build: Build, path: readonly string[]): Generator<Case> {
  const wording = { place: pathOf(path), listed: false };
  yield { what: `${wording.place}`, input: build(validValue(shape)) };
  yield {
    what: `${wording.place} of another type`,
    input: build(wrongTypes[shape.type]),
    code: "SerializationException",
  };
  yield* limitCases(shape, build, wording);
  yield* textCases(shape, build, wording);
  if (shape.type === "reference") yield* structureCases(shape.to, build, path);
  if (shape.type === "list") {
    if (shape.of.type === "reference") {
      yield* structureCases(shape.of.to, (value) => build([value]), [...path, "1.member"]);
    } else {
      const element: Build = (value) => build([value]);
      yield* limitCases(shape.of, element, { ...wording, listed: true });
      yield* textCases(shape.of, element, { ...wording, listed: true });
    }
  }
  if (shape.type === "map") {
    const value = validValue(shape.of);
    const listed = { ...wording, listed: true };
    yield* limitCases(shape.key, (key) => build({ [String(key)]: value }), listed);
    yield* limitCases(shape.of, (entry) => build({ key: entry }), listed);
  }
}

function* structureCases(
  name: StructureName,
  build: Build,
  path: readonly string[],
): Generator<Case> {
  const { members, required } = structureShape(name);
  const whole = validStructure(name);
  for (const [member, shape] of Object.entries(members)) {
    const memberPath = [...path, member];
    yield* shapeCases(shape, (value) => build({ ...whole, [member]: value }), memberPath);
    const { [member]: _left, ...rest } = whole;
    const wording = { place: pathOf(memberPath), listed: false };
    if (!required.includes(member)) yield { what: `no ${wording.place}`, input: build(rest) };
    else yield failing(`no ${wording.place}`, build(rest), wording, "Member must not be null");
  }
}

function refusalOf(operation: OperationName, input: unknown): MillraceError | undefined {
  try {
    validateInput(operation, input);
    return undefined;
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
}

const names = Object.keys(operations) as OperationName[];
const suites = names.map(
  (operation) =>
    [operation, [...structureCases(operations[operation].input, (value) => value, [])]] as const,
);
const refused = suites.flatMap(([, cases]) => cases).filter(({ code }) => code !== undefined);
const count = suites.reduce((sum, [, cases]) => sum + cases.length, 0);

describe(`the limits of the model (${count} cases, ${refused.length} of them refused)`, () => {
  it("are of all 45 operations, and 800 at least are about a refusal", () => {
    assert.lengthOf(names, 45);
    assert.isAbove(refused.length, 800);
  });

  for (const [operation, cases] of suites) {
    it(`hold for ${operation} (${cases.length} cases)`, () => {
      assert.isUndefined(refusalOf(operation, validStructure(operations[operation].input)));
      for (const { what, input, code, texts = [] } of cases) {
        const refusal = refusalOf(operation, input);
        assert.equal(refusal?.code, code, `${what}: ${refusal?.message}`);
        for (const text of texts) assert.include(refusal?.message, text, what);
      }
    });
  }
});
