/** The comparisons of event patterns: what may stand in the array of a field. All of it is checked at once. */
import { refuse, show } from "../check.ts";
import { parseAddressRange } from "./address-range.ts";

/** A value that is no object and no array. */
type Leaf = string | number | boolean | null;

/** One rule for a field: of a value that is there, or of a field that is not. */
export type LeafRule =
  | { readonly absent: true }
  | { readonly absent: false; readonly test: (value: Leaf) => boolean };

const NUMERIC: Readonly<Record<string, (left: number, right: number) => boolean>> = {
  "=": (left, right) => left === right,
  "<": (left, right) => left < right,
  "<=": (left, right) => left <= right,
  ">": (left, right) => left > right,
  ">=": (left, right) => left >= right,
};

const OPERATORS: Readonly<Record<string, (place: string, operand: unknown) => LeafRule>> = {
  prefix: (place, operand) => affix(place, operand, (text, part) => text.startsWith(part)),
  suffix: (place, operand) => affix(place, operand, (text, part) => text.endsWith(part)),
  "equals-ignore-case": (place, operand) => {
    const wanted = textOf(place, operand).toLowerCase();
    return ofText((text) => text.toLowerCase() === wanted);
  },
  wildcard: (place, operand) => {
    const expression = wildcardOf(place, textOf(place, operand));
    return ofText((text) => expression.test(text));
  },
  cidr: (place, operand) => {
    const limit = "a range of addresses as 10.0.0.0/24 or 2001:db8::/32";
    const holds = parseAddressRange(textOf(place, operand)) ?? refuse(place, limit, operand, limit);
    return ofText(holds);
  },
  numeric: numericRule,
  exists: (place, operand) => {
    if (typeof operand !== "boolean") return refuse(place, "true or false", operand, "boolean");
    return operand ? { absent: false, test: () => true } : { absent: true };
  },
  "anything-but": anythingBut,
};

/** @throws InvalidArgumentError, which names the place in the pattern. */
export function compileRule(place: string, rule: unknown): LeafRule {
  if (isLeaf(rule)) return { absent: false, test: (value) => value === rule };
  const entries =
    typeof rule === "object" && !Array.isArray(rule) ? Object.entries(rule ?? {}) : [];
  const [entry, another] = entries;
  const known = Object.keys(OPERATORS).join(", ");
  if (entry === undefined || another !== undefined) {
    return refuse(place, "a value or an object with one comparison", shown(rule), known);
  }
  const [name, operand] = entry;
  const compile = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
  if (compile === undefined) return refuse(place, `a comparison (${known})`, name, known);
  return compile(`${place}.${name}`, operand);
}

/** Whether a value is no object and no array. */
export function isLeaf(value: unknown): value is Leaf {
  if (value === null) return true;
  return typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
}

/** A value of a pattern as an error shows it. */
export function shown(value: unknown): string {
  return show(typeof value === "object" ? JSON.stringify(value) : value);
}

function ofText(test: (text: string) => boolean): LeafRule {
  return { absent: false, test: (value) => typeof value === "string" && test(value) };
}

function textOf(place: string, operand: unknown): string {
  if (typeof operand === "string" && operand !== "") return operand;
  return refuse(place, "a text that is not empty", shown(operand), "string");
}

/** A beginning or an end, as a text or without regard to case. */
function affix(
  place: string,
  operand: unknown,
  has: (text: string, part: string) => boolean,
): LeafRule {
  if (typeof operand === "string") {
    const part = textOf(place, operand);
    return ofText((text) => has(text, part));
  }
  const folded = textOf(`${place}.equals-ignore-case`, onlyMember(operand, "equals-ignore-case"));
  const part = folded.toLowerCase();
  return ofText((text) => has(text.toLowerCase(), part));
}

/** The member of an object that has no other; undefined for everything else. */
function onlyMember(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  const entries = Object.entries(value);
  return entries.length === 1 && entries[0]?.[0] === name ? entries[0][1] : undefined;
}

/** `*` stands for any characters; a backslash takes its meaning, and that of a backslash. */
function wildcardOf(place: string, text: string): RegExp {
  const limit = "no ** and a backslash only before * or another one";
  let source = "";
  let afterStar = false;
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    const star = character === "*";
    if (star && afterStar) refuse(place, limit, text, limit);
    if (star) source += "[^]*";
    else if (character === "\\") {
      i += 1;
      const escaped = text.charAt(i);
      if (escaped !== "*" && escaped !== "\\") refuse(place, limit, text, limit);
      source += `\\${escaped}`;
    } else source += character.replace(/[$()+./?[\]^{|}]/, "\\$&");
    afterStar = star;
  }
  return new RegExp(`^${source}$`, "u");
}

function numericRule(place: string, operand: unknown): LeafRule {
  const limit = '[comparison, number] or a range as [">", 0, "<=", 5]';
  const parts: readonly unknown[] = Array.isArray(operand) ? operand : [];
  if (parts.length !== 2 && parts.length !== 4) refuse(place, limit, shown(operand), limit);
  const tests = parts.flatMap((name, i) => {
    if (i % 2 === 1) return [];
    const bound = parts[i + 1];
    const compare = typeof name === "string" ? NUMERIC[name] : undefined;
    if (compare === undefined) {
      return refuse(`${place}[${i}]`, Object.keys(NUMERIC).join(", "), shown(name), limit);
    }
    if (typeof bound !== "number" || !Number.isFinite(bound)) {
      return refuse(`${place}[${i + 1}]`, "a number", shown(bound), "number");
    }
    return [(value: number) => compare(value, bound)];
  });
  if (parts.length === 4) checkRange(place, parts, limit);
  return {
    absent: false,
    test: (value) => typeof value === "number" && tests.every((test) => test(value)),
  };
}

function checkRange(place: string, parts: readonly unknown[], limit: string): void {
  const [lower, low, upper, high] = parts;
  const range = String(lower).startsWith(">") && String(upper).startsWith("<");
  if (!range || Number(low) >= Number(high)) refuse(place, limit, shown(parts), limit);
}

/** Any value but some; a field that is not there does not match. */
function anythingBut(place: string, operand: unknown): LeafRule {
  const listed: readonly unknown[] = Array.isArray(operand) ? operand : [operand];
  if (listed.length === 0) refuse(place, "a value, a list or a comparison", "[]", "one or more");
  if (listed.every(isLeaf)) {
    return { absent: false, test: (value) => !listed.includes(value) };
  }
  const rules = exclusions(place, operand);
  const excluded = (value: Leaf): boolean => rules.some((rule) => !rule.absent && rule.test(value));
  return { absent: false, test: (value) => !excluded(value) };
}

/** What `anything-but` takes as a comparison: its operand may be a list there. */
function exclusions(place: string, operand: unknown): LeafRule[] {
  for (const name of ["prefix", "suffix", "equals-ignore-case", "wildcard"]) {
    const member = onlyMember(operand, name);
    if (member === undefined) continue;
    const operands: readonly unknown[] = Array.isArray(member) ? member : [member];
    return operands.map((one) => compileRule(place, { [name]: one }));
  }
  const limit = "values, prefix, suffix, equals-ignore-case or wildcard";
  return refuse(place, limit, shown(operand), limit);
}
