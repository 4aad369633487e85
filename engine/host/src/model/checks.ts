/**
 * Shapes made into objects that check values. A value that is right is answered as it is, without an
 * allocation; one that holds more than the model knows, as a copy that does not.
 */
import { type Constraint, constraintsOf, elementConstraint, NOT_NULL } from "./constraints.ts";
import type { Inspection } from "./inspection.ts";
import { mismatch } from "./mismatch.ts";
import { type Shape, type StructureName, structureShape } from "./shapes.ts";

/** Checks values of one shape. */
export interface Check {
  /**
   * Answers the value, or what is to be used in its place; what it breaks is reported.
   * @throws SerializationError when it is of another type.
   */
  inspect(value: unknown, at: Inspection): unknown;
}

/** Members or entries by name. */
type Members = Readonly<Record<string, unknown>>;
type CollectionShape<Type> = Extract<Shape, { type: Type }>;

const INTEGER_MAX = 2_147_483_647;

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function hasMembers(value: unknown): value is Members {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !ArrayBuffer.isView(value) &&
    !(value instanceof Date)
  );
}

function isOfType(type: Shape["type"], value: unknown): boolean {
  switch (type) {
    case "integer":
    case "long":
      return Number.isInteger(value);
    case "number":
      return Number.isFinite(value);
    case "blob":
      return value instanceof Uint8Array;
    case "timestamp":
      return value instanceof Date && !Number.isNaN(value.getTime());
    case "boolean":
      return typeof value === "boolean";
    default:
      return typeof value === "string";
  }
}

/** Reports the constraints that a value breaks. */
function reportBroken(value: unknown, constraints: readonly Constraint[], at: Inspection): void {
  for (const constraint of constraints) {
    if (constraint.isBroken(value)) at.report(value, constraint);
  }
}

/** Kinesis takes an integer that it cannot hold for the nearest one that it can. */
function clamp(value: number): number {
  return Math.max(-INTEGER_MAX - 1, Math.min(INTEGER_MAX, value));
}

/** Values without parts. */
class ScalarCheck implements Check {
  readonly #type: Shape["type"];
  readonly #constraints: readonly Constraint[];

  constructor(type: Shape["type"], constraints: readonly Constraint[]) {
    this.#type = type;
    this.#constraints = constraints;
  }

  inspect(value: unknown, at: Inspection): unknown {
    if (!isOfType(this.#type, value)) throw mismatch(this.#type, value, at.argument);
    const kept = this.#type === "integer" ? clamp(Number(value)) : value;
    reportBroken(kept, this.#constraints, at);
    return kept;
  }
}

class ListCheck implements Check {
  readonly #constraints: readonly Constraint[];
  readonly #element: Check;
  /** What elements without parts must be; AWS reports it once, of the whole list. */
  readonly #ofElements: Constraint | undefined;

  constructor(shape: CollectionShape<"list">) {
    this.#constraints = constraintsOf(shape);
    this.#element = elementCheckOf(shape.of);
    this.#ofElements = elementConstraint("Member", shape.of);
  }

  inspect(value: unknown, at: Inspection): unknown {
    if (!Array.isArray(value)) throw mismatch("list", value, at.argument);
    reportBroken(value, this.#constraints, at);
    let kept: unknown[] | undefined;
    let broken: Constraint | undefined;
    for (let i = 0; i < value.length; i++) {
      const given: unknown = value[i];
      at.enter(i);
      const element = this.#inspectElement(given, at);
      at.leave();
      if (this.#ofElements?.isBroken(element) === true) broken = this.#ofElements;
      if (element === given) continue;
      kept ??= [...value];
      kept[i] = element;
    }
    if (broken !== undefined) at.report(value, broken);
    return kept ?? value;
  }

  #inspectElement(element: unknown, at: Inspection): unknown {
    if (!isAbsent(element)) return this.#element.inspect(element, at);
    at.report(null, NOT_NULL);
    return element;
  }
}

/** Maps of texts to values without parts: the model has no others in its inputs. */
class MapCheck implements Check {
  readonly #constraints: readonly Constraint[];
  readonly #value: Check;
  readonly #ofKeys: Constraint | undefined;
  readonly #ofValues: Constraint | undefined;

  constructor(shape: CollectionShape<"map">) {
    this.#constraints = constraintsOf(shape);
    this.#value = elementCheckOf(shape.of);
    this.#ofKeys = elementConstraint("Map keys", shape.key);
    this.#ofValues = elementConstraint("Map value", shape.of);
  }

  inspect(value: unknown, at: Inspection): unknown {
    if (!hasMembers(value)) throw mismatch("map", value, at.argument);
    reportBroken(value, this.#constraints, at);
    const broken = new Set<Constraint>();
    for (const [key, given] of Object.entries(value)) {
      if (this.#ofKeys?.isBroken(key) === true) broken.add(this.#ofKeys);
      at.enter({ key });
      if (isAbsent(given)) at.report(null, NOT_NULL);
      else if (this.#ofValues?.isBroken(this.#value.inspect(given, at)) === true) {
        broken.add(this.#ofValues);
      }
      at.leave();
    }
    for (const constraint of broken) at.report(value, constraint);
    return value;
  }
}

interface MemberCheck {
  readonly name: string;
  readonly required: boolean;
  readonly check: Check;
}

class StructureCheck implements Check {
  readonly #members: readonly MemberCheck[];
  readonly #names: ReadonlySet<string>;

  constructor(name: StructureName) {
    const { members, required } = structureShape(name);
    this.#names = new Set(Object.keys(members));
    this.#members = Object.entries(members).map(([member, shape]) => ({
      name: member,
      required: required.includes(member),
      check: checkOf(shape),
    }));
  }

  inspect(value: unknown, at: Inspection): unknown {
    if (!hasMembers(value)) throw mismatch("reference", value, at.argument);
    let kept: Record<string, unknown> | undefined;
    for (const { name, required, check } of this.#members) {
      const given = value[name];
      const absent = isAbsent(given);
      if (absent && !required) continue;
      at.enter(name);
      if (absent) at.report(null, NOT_NULL);
      else {
        const member = check.inspect(given, at);
        if (member !== given) {
          kept ??= this.#copy(value);
          kept[name] = member;
        }
      }
      at.leave();
    }
    return kept ?? (this.#isClean(value) ? value : this.#copy(value));
  }

  /** Whether there is no member that the model does not know, and none that is null. */
  #isClean(value: Members): boolean {
    for (const name in value) {
      if (!this.#names.has(name) || value[name] === null) return false;
    }
    return true;
  }

  /** The members that the model knows and that are there. */
  #copy(value: Members): Record<string, unknown> {
    const copy: Record<string, unknown> = {};
    for (const { name } of this.#members) {
      if (!isAbsent(value[name])) copy[name] = value[name];
    }
    return copy;
  }
}

const structureChecks = new Map<StructureName, StructureCheck>();

/** The check of a structure; made when it is first asked for. */
export function structureCheckOf(name: StructureName): Check {
  let check = structureChecks.get(name);
  if (check === undefined) {
    check = new StructureCheck(name);
    structureChecks.set(name, check);
  }
  return check;
}

function checkOf(shape: Shape): Check {
  if (shape.type === "reference") return structureCheckOf(shape.to);
  if (shape.type === "list") return new ListCheck(shape);
  if (shape.type === "map") return new MapCheck(shape);
  return new ScalarCheck(shape.type, constraintsOf(shape));
}

/** As {@link checkOf}, but of a value without parts it checks the type only: see {@link elementConstraint}. */
function elementCheckOf(shape: Shape): Check {
  const hasParts = shape.type === "reference" || shape.type === "list" || shape.type === "map";
  return hasParts ? checkOf(shape) : new ScalarCheck(shape.type, []);
}
