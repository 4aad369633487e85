/** Checks rules of faults member by member: a rule that never matches by a typing mistake helps nobody. */
import { InvalidArgumentError } from "../errors/index.ts";
import { isOperationName } from "../model/shapes.ts";
import { shardIndexOf } from "../sequence/sequence-number.ts";
import type { FaultRule } from "./fault-rules.ts";

/** Rules in force at once. */
export const FAULT_RULES_MAX = 100;
/** Longest delay: 24 hours. */
const DELAY_MS_MAX = 86_400_000;

const RULE_MEMBERS = ["operation", "stream", "shardId", "probability", "times", "effect"];
const EFFECT_MEMBERS: ReadonlyMap<string, readonly string[]> = new Map([
  ["delay", ["kind", "delayMs"]],
  ["error", ["kind", "code", "message"]],
  ["partial-failure", ["kind", "recordProbability", "code"]],
  ["dropped-connection", ["kind", "when"]],
]);
const RECORD_CODES = ["ProvisionedThroughputExceededException", "InternalFailure"];

/** Whether a value is a whole number from 1. */
function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}

function shown(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length <= 80 ? text : `${text.slice(0, 80)}…`;
}

function refuse(argument: string, value: unknown, limit: string): never {
  throw new InvalidArgumentError(`${argument} must be ${limit}, but it is ${shown(value)}`, {
    argument,
    value: shown(value),
    limit,
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Refuses anything but an object with known members only. */
function checkObject(
  argument: string,
  value: unknown,
  members: readonly string[],
): asserts value is Readonly<Record<string, unknown>> {
  if (!isObject(value)) refuse(argument, value, "an object");
  for (const name of Object.keys(value)) {
    if (!members.includes(name)) refuse(`${argument}.${name}`, value[name], "absent: unknown");
  }
}

function checkNumber(argument: string, value: unknown, min: number, max: number): void {
  if (typeof value === "number" && value >= min && value <= max) return;
  refuse(argument, value, `a number from ${min} to ${max}`);
}

function checkText(argument: string, value: unknown, pattern: RegExp): void {
  if (typeof value !== "string" || !pattern.test(value)) {
    refuse(argument, value, `a text that matches ${pattern.source}`);
  }
}

function checkChoice(argument: string, value: unknown, choices: readonly string[]): void {
  if (typeof value === "string" && choices.includes(value)) return;
  refuse(argument, value, choices.map((choice) => JSON.stringify(choice)).join(" or "));
}

function checkShardId(argument: string, value: unknown): void {
  if (typeof value !== "string") refuse(argument, value, "a shard id");
  try {
    shardIndexOf(value);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    refuse(argument, value, "a shard id");
  }
}

/** Checks the members of one kind of effect each. */
const EFFECT_CHECKS: Readonly<
  Record<string, (argument: string, effect: Readonly<Record<string, unknown>>) => void>
> = {
  delay: (argument, effect) => {
    checkNumber(`${argument}.delayMs`, effect["delayMs"], 0, DELAY_MS_MAX);
  },
  error: (argument, effect) => {
    checkText(`${argument}.code`, effect["code"], /^[A-Za-z][A-Za-z0-9]{0,127}$/);
    if (effect["message"] === undefined) return;
    checkText(`${argument}.message`, effect["message"], /^[\s\S]{0,2048}$/);
  },
  "dropped-connection": (argument, effect) => {
    checkChoice(`${argument}.when`, effect["when"], ["before", "after"]);
  },
  "partial-failure": (argument, effect) => {
    checkNumber(`${argument}.recordProbability`, effect["recordProbability"], 0, 1);
    if (effect["code"] !== undefined) checkChoice(`${argument}.code`, effect["code"], RECORD_CODES);
  },
};

function checkEffect(argument: string, effect: unknown, operation: unknown): void {
  if (!isObject(effect)) refuse(argument, effect, "an object");
  const kind = effect["kind"];
  checkChoice(`${argument}.kind`, kind, [...EFFECT_MEMBERS.keys()]);
  const name = String(kind);
  checkObject(argument, effect, EFFECT_MEMBERS.get(name) ?? []);
  EFFECT_CHECKS[name]?.(argument, effect);
  if (name === "partial-failure" && operation !== undefined && operation !== "PutRecords") {
    refuse(`${argument}.kind`, kind, "another effect: only PutRecords fails in part");
  }
}

/** Refuses rules that are none. @throws InvalidArgumentError that names the member, as in `rules[2].effect.delayMs`. */
export function checkFaultRules(rules: readonly FaultRule[]): void {
  if (!Array.isArray(rules)) refuse("rules", rules, "a list of rules");
  if (rules.length > FAULT_RULES_MAX) {
    refuse("rules.length", rules.length, `at most ${FAULT_RULES_MAX}`);
  }
  for (const [i, rule] of rules.entries()) {
    const argument = `rules[${i}]`;
    checkObject(argument, rule, RULE_MEMBERS);
    const { operation, stream, shardId, probability, times, effect } = rule;
    if (operation !== undefined && !(typeof operation === "string" && isOperationName(operation))) {
      refuse(`${argument}.operation`, operation, "the name of an operation");
    }
    if (stream !== undefined) checkText(`${argument}.stream`, stream, /^[a-zA-Z0-9_.-]{1,128}$/);
    if (shardId !== undefined) checkShardId(`${argument}.shardId`, shardId);
    if (probability !== undefined) checkNumber(`${argument}.probability`, probability, 0, 1);
    if (times !== undefined && !isCount(times)) {
      refuse(`${argument}.times`, times, "a whole number from 1");
    }
    checkEffect(`${argument}.effect`, effect, operation);
  }
}
