/**
 * Policy documents: from the JSON that PutResourcePolicy takes to statements that can be evaluated.
 *
 * Whatever this engine would not understand when it evaluates a statement is refused here, but for
 * conditions: their operators and keys are too many to know, and `policy-conditions.ts` says what
 * becomes of the unknown ones.
 */
import { InvalidArgumentError } from "../errors/index.ts";
import { isOperationName } from "../model/shapes.ts";
import { parseArn } from "../streams/arns.ts";
import { type Condition, conditionsHold, type Truth } from "./policy-conditions.ts";
import { accountOf, belongsToAccount } from "./principals.ts";
import { matchesWildcard } from "./wildcards.ts";

/** Largest policy document in bytes of UTF-8: 20 KiB. */
export const POLICY_BYTES_MAX = 20_480;

/** Whose actions policies speak of. */
export interface PolicyService {
  readonly name: string;
  /** As in `kinesis:`. */
  readonly actionPrefix: string;
  isAction(name: string): boolean;
  /** Whether "*" may stand for the resource that a policy is attached to. */
  readonly anyResource: boolean;
}

/** Policies of streams, consumers and channels. */
export const KINESIS: PolicyService = {
  name: "Kinesis",
  actionPrefix: "kinesis:",
  isAction: isOperationName,
  anyResource: false,
};

/** A list of a statement, or with `Not…` everything but the list. */
interface Selection {
  readonly excluding: boolean;
  readonly patterns: readonly string[];
}

/** One statement of a policy. */
export interface Statement {
  /** Its Sid, or its number from 1 when it has none. */
  readonly label: string;
  readonly effect: "Allow" | "Deny";
  readonly principals: Selection;
  readonly actions: Selection;
  readonly resources: Selection;
  readonly conditions: readonly Condition[];
}

/** A policy as it is evaluated. */
export type Policy = readonly Statement[];

type Members = Readonly<Record<string, unknown>>;

const VERSIONS: readonly unknown[] = [undefined, "2012-10-17", "2008-10-17"];
const POLICY_MEMBERS = ["Version", "Id", "Statement"];
const STATEMENT_MEMBERS = [
  "Sid",
  "Effect",
  "Principal",
  "NotPrincipal",
  "Action",
  "NotAction",
  "Resource",
  "NotResource",
  "Condition",
];
const SID = /^[a-zA-Z0-9]*$/;
const PRINCIPAL_ARN =
  /^arn:aws[a-z-]*:(?:iam|sts)::\d{12}:(?:root|(?:user|role|assumed-role|federated-user)\/[^*?]+)$/;
const ACCOUNT_ARN = /^arn:aws[a-z-]*:iam::(\d{12}):root$/;
const ACCOUNT = /^\d{12}$/;
/** Kinds of principal that exist at AWS and never make a call here. */
const ABSENT_PRINCIPALS = ["Service", "Federated", "CanonicalUser"];

/**
 * Reads a policy for a resource.
 *
 * @throws InvalidArgumentError that names the part that is not as a policy has it.
 */
export function parsePolicy(
  text: string,
  resourceArn: string,
  service: PolicyService = KINESIS,
): Policy {
  const byteLength = new TextEncoder().encode(text).length;
  if (byteLength > POLICY_BYTES_MAX) {
    throw malformed("Policy", `it has ${byteLength} bytes, and ${POLICY_BYTES_MAX} are allowed`);
  }
  const document = membersOf(parseJson(text), "Policy", POLICY_MEMBERS);
  if (!VERSIONS.includes(document["Version"])) {
    throw malformed("Version", 'it must be "2012-10-17" or "2008-10-17"');
  }
  if (document["Id"] !== undefined) textOf(document["Id"], "Id");
  const given = document["Statement"];
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (list.length === 0) throw malformed("Statement", "there must be at least one");
  const statements = list.map((one, i) => parseStatement(one, i, resourceArn, service));
  checkSids(list);
  return statements;
}

/** Whether a statement speaks of a call: undefined when that hangs on what this engine cannot know. */
export function applies(
  statement: Statement,
  principal: string,
  operation: string,
  resourceArn: string,
  { actionPrefix }: PolicyService = KINESIS,
): Truth {
  const { principals, actions, resources, conditions } = statement;
  const action = `${actionPrefix}${operation}`.toLowerCase();
  const speaks =
    selects(principals, (pattern) => namesPrincipal(pattern, principal)) &&
    selects(actions, (pattern) => matchesWildcard(pattern.toLowerCase(), action)) &&
    selects(resources, (pattern) => namesResource(pattern, resourceArn));
  return speaks ? conditionsHold(conditions, principal) : false;
}

function selects(selection: Selection, matches: (pattern: string) => boolean): boolean {
  return selection.patterns.some(matches) !== selection.excluding;
}

/** An account stands for everyone who belongs to it; strangers of the same number do not. */
function namesPrincipal(pattern: string, principal: string): boolean {
  if (pattern === "*" || pattern === principal) return true;
  const account = ACCOUNT.test(pattern) ? pattern : ACCOUNT_ARN.exec(pattern)?.[1];
  return account !== undefined && belongsToAccount(principal) && accountOf(principal) === account;
}

/** Any ARN that names the resource stands for it, whatever its account and region. */
function namesResource(pattern: string, resourceArn: string): boolean {
  if (matchesWildcard(pattern, resourceArn)) return true;
  const named = parseArn(pattern);
  return named !== undefined && JSON.stringify(named) === JSON.stringify(parseArn(resourceArn));
}

function parseStatement(
  value: unknown,
  index: number,
  resourceArn: string,
  service: PolicyService,
): Statement {
  const path = `Statement[${index}]`;
  const statement = membersOf(value, path, STATEMENT_MEMBERS);
  const effect = statement["Effect"];
  if (effect !== "Allow" && effect !== "Deny") {
    throw malformed(`${path}.Effect`, 'it must be "Allow" or "Deny"');
  }
  const sid = statement["Sid"] === undefined ? "" : textOf(statement["Sid"], `${path}.Sid`);
  if (!SID.test(sid)) throw malformed(`${path}.Sid`, "it may hold letters and digits only");
  return {
    label: sid === "" ? String(index + 1) : sid,
    effect,
    principals: selectionOf(statement, "Principal", path, principalsOf),
    actions: selectionOf(statement, "Action", path, (given, at) => actionsOf(given, at, service)),
    resources: selectionOf(statement, "Resource", path, (given, at) =>
      resourcesOf(given, at, resourceArn, service),
    ),
    conditions: conditionsOf(statement["Condition"], `${path}.Condition`),
  };
}

/** `name` or `Not<name>`, of which a statement has exactly one. */
function selectionOf(
  statement: Members,
  name: string,
  path: string,
  read: (value: unknown, path: string) => string[],
): Selection {
  const excluding = statement[`Not${name}`] !== undefined;
  if (excluding === (statement[name] !== undefined)) {
    throw malformed(path, `it must have either ${name} or Not${name}`);
  }
  const member = excluding ? `Not${name}` : name;
  return { excluding, patterns: read(statement[member], `${path}.${member}`) };
}

function principalsOf(value: unknown, path: string): string[] {
  if (value === "*") return ["*"];
  const kinds = membersOf(value, path, ["AWS", ...ABSENT_PRINCIPALS]);
  if (Object.keys(kinds).length === 0) throw malformed(path, "it names nobody");
  for (const kind of ABSENT_PRINCIPALS) {
    if (kinds[kind] !== undefined) textsOf(kinds[kind], `${path}.${kind}`);
  }
  const named = kinds["AWS"] === undefined ? [] : textsOf(kinds["AWS"], `${path}.AWS`);
  for (const principal of named) {
    if (principal === "*" || ACCOUNT.test(principal) || PRINCIPAL_ARN.test(principal)) continue;
    throw malformed(
      `${path}.AWS`,
      `"${principal}" is no account, no ARN of a principal and not "*"`,
    );
  }
  return named;
}

function actionsOf(
  value: unknown,
  path: string,
  { name: serviceName, actionPrefix, isAction }: PolicyService,
): string[] {
  const actions = textsOf(value, path);
  for (const action of actions) {
    if (action === "*") continue;
    if (!action.toLowerCase().startsWith(actionPrefix)) {
      throw malformed(
        path,
        `"${action}" is no action of ${serviceName}: they begin with "${actionPrefix}"`,
      );
    }
    const name = action.slice(actionPrefix.length);
    if (name === "" || (!/[*?]/.test(name) && !isAction(name))) {
      throw malformed(path, `there is no action "${action}"`);
    }
  }
  return actions;
}

/** A policy may speak of the resource that it is attached to only; what it leaves out may be anything. */
function resourcesOf(
  value: unknown,
  path: string,
  resourceArn: string,
  { anyResource }: PolicyService,
): string[] {
  const resources = textsOf(value, path);
  if (path.endsWith(".NotResource")) return resources;
  for (const resource of resources) {
    if (anyResource && resource === "*") continue;
    if (/[*?]/.test(resource) || !namesResource(resource, resourceArn)) {
      throw malformed(path, `"${resource}" is not the resource of the policy, ${resourceArn}`);
    }
  }
  return resources;
}

function conditionsOf(value: unknown, path: string): Condition[] {
  if (value === undefined) return [];
  return Object.entries(membersOf(value, path)).flatMap(([operator, block]) =>
    Object.entries(membersOf(block, `${path}.${operator}`)).map(([key, values]) => ({
      operator,
      key: key.toLowerCase(),
      values: textsOf(values, `${path}.${operator}.${key}`, true),
    })),
  );
}

function checkSids(statements: readonly unknown[]): void {
  const met = new Set<unknown>();
  for (const [i, statement] of statements.entries()) {
    const sid = membersOf(statement, `Statement[${i}]`)["Sid"];
    if (sid === undefined || sid === "") continue;
    if (met.has(sid)) throw malformed(`Statement[${i}].Sid`, `"${String(sid)}" is used twice`);
    met.add(sid);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed("Policy", `it is no JSON (${cause instanceof Error ? cause.message : ""})`);
  }
}

function membersOf(value: unknown, path: string, known?: readonly string[]): Members {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw malformed(path, "it must be an object");
  }
  const unknown = Object.keys(value).find((name) => known?.includes(name) === false);
  if (unknown !== undefined) throw malformed(`${path}.${unknown}`, "policies have no such element");
  return value as Members;
}

function textOf(value: unknown, path: string): string {
  if (typeof value !== "string") throw malformed(path, "it must be a string");
  return value;
}

/** A string or a list of strings; in conditions numbers and booleans count as their texts. */
function textsOf(value: unknown, path: string, scalars = false): string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw malformed(path, "it must not be empty");
  return list.map((one) => {
    const scalar = scalars && (typeof one === "number" || typeof one === "boolean");
    return textOf(scalar ? String(one) : one, path);
  });
}

function malformed(path: string, reason: string): InvalidArgumentError {
  return new InvalidArgumentError(`The policy is malformed: ${path}: ${reason}.`, {
    argument: path === "Policy" ? "policy" : `policy.${path}`,
  });
}
