/** Which records a trigger hands over: Lambda's filter criteria with EventBridge's patterns. */
import { checkMembers, refuse } from "../check.ts";
import type { UserRecord } from "../groups/group-types.ts";
import { compileRule, isLeaf, shown } from "./filter-rules.ts";

const FILTERS_MAX = 10;
const PATTERN_CHARACTERS_MAX = 4096;
/** Alternatives of one `$or` at least. */
const ALTERNATIVES_MIN = 2;
const DECODER = new TextDecoder("utf-8", { fatal: true });

/** AWS: FilterCriteria. A record is taken when one of the filters matches; none at all take every record. */
export interface FilterCriteria {
  readonly Filters: readonly {
    /** An event pattern as JSON: `{"partitionKey": ["a"], "data": {"price": [{"numeric": [">", 5]}]}}`. */
    readonly Pattern: string;
  }[];
}

/** Whether a record is taken. */
export type RecordFilter = (record: UserRecord) => boolean;

type ValueTest = (value: unknown) => boolean;

/** @throws InvalidArgumentError, whose argument names the place in the pattern. */
export function compileFilter(argument: string, criteria: FilterCriteria): RecordFilter {
  checkMembers(argument, criteria, ["Filters"]);
  const { Filters: filters } = criteria;
  const limit = `an array of at most ${FILTERS_MAX} {Pattern}`;
  if (!Array.isArray(filters) || filters.length > FILTERS_MAX) {
    refuse(`${argument}.Filters`, limit, filters, limit);
  }
  const tests = filters.map((filter, i) => {
    const place = `${argument}.Filters[${i}]`;
    checkMembers(place, filter, ["Pattern"]);
    return compilePattern(`${place}.Pattern`, filter.Pattern);
  });
  if (tests.length === 0) return () => true;
  return (record) => {
    const event = new FilteredEvent(record);
    return tests.some((test) => test(event));
  };
}

/** What patterns see of a record; data are decoded when one of them asks. */
class FilteredEvent {
  readonly kinesisSchemaVersion = "1.0";
  readonly #record: UserRecord;
  #data: { readonly value: unknown } | undefined;

  constructor(record: UserRecord) {
    this.#record = record;
  }

  get partitionKey(): string {
    return this.#record.partitionKey;
  }

  get sequenceNumber(): string {
    return this.#record.sequenceNumber;
  }

  get approximateArrivalTimestamp(): number {
    return this.#record.arrivalMs / 1000;
  }

  /** Parsed when they are a JSON object or array, else their text; undefined when they are no text. */
  get data(): unknown {
    this.#data ??= { value: readData(this.#record.data) };
    return this.#data.value;
  }
}

function readData(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = DECODER.decode(bytes);
  } catch {
    return undefined;
  }
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function compilePattern(place: string, pattern: unknown): ValueTest {
  if (typeof pattern !== "string" || pattern.length > PATTERN_CHARACTERS_MAX) {
    const limit = `JSON of at most ${PATTERN_CHARACTERS_MAX} characters`;
    return refuse(place, limit, pattern, limit);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(pattern);
  } catch (error) {
    const limit = `JSON (${error instanceof Error ? error.message : error})`;
    return refuse(place, limit, pattern, "JSON");
  }
  return compileObject(place, parsed, true);
}

/** All fields of an object must match. */
function compileObject(place: string, pattern: unknown, top: boolean): ValueTest {
  if (!isObject(pattern)) return refuse(place, "an object", shown(pattern), "object");
  const fields = Object.entries(pattern);
  if (fields.length === 0) return refuse(place, "an object with a field", "{}", "one or more");
  const tests = fields.map(([name, field]) => compileField(`${place}.${name}`, name, field, top));
  const all = (value: unknown): boolean => tests.every((test) => test(value));
  // Of an array one element must match as a whole.
  return (value) => (Array.isArray(value) ? value.some(all) : all(value));
}

function compileField(place: string, name: string, field: unknown, top: boolean): ValueTest {
  if (name === "$or") return compileAlternatives(place, field, top);
  if (Array.isArray(field)) {
    const test = compileLeaf(place, field);
    return (value) => test(memberOf(value, name));
  }
  if (!isObject(field)) {
    return refuse(place, "an array of values, or an object", shown(field), "array or object");
  }
  const test = compileObject(place, field, false);
  if (!top || name !== "data") return (value) => test(memberOf(value, name));
  // Data that are no JSON match no pattern for JSON, not even one for what is not there.
  return (value) => {
    const data = memberOf(value, name);
    return typeof data === "object" && data !== null && test(data);
  };
}

function compileAlternatives(place: string, field: unknown, top: boolean): ValueTest {
  if (!Array.isArray(field) || field.length < ALTERNATIVES_MIN) {
    const limit = `an array of ${ALTERNATIVES_MIN} patterns or more`;
    return refuse(place, limit, shown(field), limit);
  }
  const tests = field.map((one, i) => compileObject(`${place}[${i}]`, one, top));
  return (value) => tests.some((test) => test(value));
}

/** One of the rules must match one of the field's values, or its absence. */
function compileLeaf(place: string, rules: readonly unknown[]): ValueTest {
  if (rules.length === 0) return refuse(place, "an array with a value", "[]", "one or more");
  const compiled = rules.map((rule, i) => compileRule(`${place}[${i}]`, rule));
  return (value) => {
    const values = leavesOf(value);
    return compiled.some((rule) =>
      rule.absent ? values.length === 0 : values.some((one) => isLeaf(one) && rule.test(one)),
    );
  };
}

/** The values that a field has: none when it is absent, or holds other fields. */
function leavesOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value.flatMap(leavesOf);
  return isLeaf(value) ? [value] : [];
}

function memberOf(value: unknown, name: string): unknown {
  if (!isObject(value)) return undefined;
  const own = value instanceof FilteredEvent ? name in value : Object.hasOwn(value, name);
  return own ? value[name] : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
