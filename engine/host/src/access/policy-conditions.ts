/**
 * Conditions of policy statements.
 *
 * What this engine cannot know is neither true nor false: an operator or a key that it does not have,
 * and policy variables. A statement that hangs on it is taken the safe way round: an Allow does not
 * apply, a Deny does.
 */
import { accountOf } from "./principals.ts";
import { matchesWildcard } from "./wildcards.ts";

/** One key of a condition block: all conditions of a statement must hold, of its values any one. */
export interface Condition {
  /** As in the document: `StringEquals`, `ArnLikeIfExists`. */
  readonly operator: string;
  /** In lower case; AWS compares keys without case. */
  readonly key: string;
  readonly values: readonly string[];
}

/** Whether a condition holds: undefined when this engine cannot tell. */
export type Truth = boolean | undefined;

type Comparison = (wanted: string, found: string) => boolean;

const same: Comparison = (wanted, found) => wanted === found;
const sameButCase: Comparison = (wanted, found) => wanted.toLowerCase() === found.toLowerCase();

/** Of an ARN every one of its six parts must follow the pattern's, so that no `*` reaches over a colon. */
const arnLike: Comparison = (wanted, found) => {
  const patterns = arnParts(wanted);
  const parts = arnParts(found);
  return (
    patterns.length === parts.length &&
    patterns.every((pattern, i) => matchesWildcard(pattern, parts[i] ?? ""))
  );
};

const COMPARISONS: ReadonlyMap<string, Comparison> = new Map([
  ["StringEquals", same],
  ["StringEqualsIgnoreCase", sameButCase],
  ["StringLike", matchesWildcard],
  ["ArnEquals", arnLike],
  ["ArnLike", arnLike],
]);

/** Operators that ask for the opposite of another one, which they hold for when no value matches. */
const OPPOSITES: ReadonlyMap<string, string> = new Map([
  ["StringNotEquals", "StringEquals"],
  ["StringNotEqualsIgnoreCase", "StringEqualsIgnoreCase"],
  ["StringNotLike", "StringLike"],
  ["ArnNotEquals", "ArnEquals"],
  ["ArnNotLike", "ArnLike"],
]);

/** What this engine knows of a call. Every call has all of these, so that `…IfExists` adds nothing. */
const KEYS: ReadonlyMap<string, (principal: string) => string> = new Map([
  ["aws:principalarn", (principal: string) => principal],
  ["aws:principalaccount", accountOf],
]);

const IF_EXISTS = "IfExists";

/** Whether all conditions hold for a principal. One that does not decides, whatever the others are. */
export function conditionsHold(conditions: readonly Condition[], principal: string): Truth {
  const truths = conditions.map((condition) => holds(condition, principal));
  if (truths.includes(false)) return false;
  return truths.includes(undefined) ? undefined : true;
}

function holds(condition: Condition, principal: string): Truth {
  const found = KEYS.get(condition.key)?.(principal);
  if (found === undefined) return undefined;
  if (condition.operator === "Null") return anyOf(condition.values, (value) => value === "false");
  const operator = condition.operator.endsWith(IF_EXISTS)
    ? condition.operator.slice(0, -IF_EXISTS.length)
    : condition.operator;
  const opposite = OPPOSITES.get(operator);
  const compare = COMPARISONS.get(opposite ?? operator);
  if (compare === undefined) return undefined;
  const matches = anyOf(condition.values, (value) => compare(value, found));
  return opposite === undefined || matches === undefined ? matches : !matches;
}

function anyOf(values: readonly string[], matches: (value: string) => boolean): Truth {
  if (values.some((value) => !hasVariable(value) && matches(value))) return true;
  return values.some(hasVariable) ? undefined : false;
}

/** Whether a value names a policy variable, as in `${aws:username}`; these are not filled in. */
function hasVariable(value: string): boolean {
  return value.includes("${");
}

/** The six parts of an ARN; the last one may hold colons of its own. */
function arnParts(arn: string): string[] {
  const parts = arn.split(":");
  return [...parts.slice(0, 5), parts.slice(5).join(":")];
}
