/** Judges calls by a policy's own JSON, the slow and obvious way; knows only what its generator makes. */

interface NaiveStatement {
  readonly Effect: string;
  readonly Principal?: "*" | { readonly AWS: readonly string[] };
  readonly NotPrincipal?: { readonly AWS: readonly string[] };
  readonly Action?: readonly string[];
  readonly NotAction?: readonly string[];
  readonly Resource?: readonly string[];
  readonly NotResource?: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
}

export interface NaivePolicy {
  readonly Statement: readonly NaiveStatement[];
}

export interface NaiveCall {
  readonly principal: string;
  readonly operation: string;
  readonly resource: string;
  readonly ofAccount: boolean;
}

export type Verdict = "denied" | "allowed" | "not allowed";

function glob(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*/g, ".*")
    .replace(/\?/g, ".");
  return new RegExp(`^${source}$`).test(text);
}

function named(list: readonly string[], call: NaiveCall): boolean {
  return list.some(
    (one) =>
      one === "*" ||
      one === call.principal ||
      (call.ofAccount && ["000000000000", "arn:aws:iam::000000000000:root"].includes(one)),
  );
}

function speaks(statement: NaiveStatement, call: NaiveCall): boolean {
  const { Principal, NotPrincipal, Action, NotAction, Resource, NotResource } = statement;
  const who =
    Principal === undefined
      ? !named(NotPrincipal?.AWS ?? [], call)
      : Principal === "*" || named(Principal.AWS, call);
  const action = (one: string): boolean =>
    glob(one.toLowerCase(), `kinesis:${call.operation.toLowerCase()}`);
  const what = Action === undefined ? !NotAction?.some(action) : Action.some(action);
  const which = Resource !== undefined || !NotResource?.some((one) => glob(one, call.resource));
  return who && what && which;
}

/** "yes", "no" or "unknown". */
function condition(statement: NaiveStatement, call: NaiveCall): string {
  const answers: string[] = [];
  for (const [operator, block] of Object.entries(statement.Condition ?? {})) {
    for (const [key, values] of Object.entries(block)) {
      if (key.toLowerCase() !== "aws:principalarn") {
        answers.push("unknown");
      } else if (operator === "StringEquals") {
        answers.push(values.includes(call.principal) ? "yes" : "no");
      } else if (operator === "StringNotEquals") {
        answers.push(values.includes(call.principal) ? "no" : "yes");
      } else if (operator === "StringLike") {
        answers.push(values.some((one) => glob(one, call.principal)) ? "yes" : "no");
      } else {
        answers.push("unknown");
      }
    }
  }
  if (answers.includes("no")) return "no";
  return answers.includes("unknown") ? "unknown" : "yes";
}

/** What becomes of a call, and by which statement it is denied. */
export function judge(
  policy: NaivePolicy,
  call: NaiveCall,
): { readonly verdict: Verdict; readonly statement: number } {
  let verdict: Verdict = call.ofAccount ? "allowed" : "not allowed";
  for (const [i, statement] of policy.Statement.entries()) {
    if (!speaks(statement, call)) continue;
    const holds = condition(statement, call);
    if (statement.Effect === "Deny" && holds !== "no")
      return { verdict: "denied", statement: i + 1 };
    if (statement.Effect === "Allow" && holds === "yes") verdict = "allowed";
  }
  return { verdict, statement: 0 };
}
