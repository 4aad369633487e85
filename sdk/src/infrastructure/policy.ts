/**
 * Resource policies on their way to AWS. An engine has an account and a region of its own, and its consumers'
 * ARNs hold when they were registered: what names them becomes a reference that AWS resolves.
 */

/** What stands for a value that only AWS knows. */
export type Reference =
  | { readonly kind: "account" }
  | { readonly kind: "region" }
  | { readonly kind: "stream"; readonly streamName: string }
  | { readonly kind: "consumer"; readonly streamName: string; readonly consumerName: string };

/** A text of which parts are references; at least one of them is. */
export class ReferringText {
  readonly parts: readonly (string | Reference)[];

  constructor(parts: readonly (string | Reference)[]) {
    this.parts = parts;
  }
}

/** A part of a policy document. */
export type PolicyNode =
  | string
  | number
  | boolean
  | null
  | ReferringText
  | readonly PolicyNode[]
  | { readonly [member: string]: PolicyNode };

/** A plain object of a policy document. */
export type PolicyMembers = { readonly [member: string]: PolicyNode };

/** What a policy can name. */
export interface Named {
  /** The engine's own account and region. */
  readonly accountId: string;
  readonly region: string;
  readonly streamNames: ReadonlySet<string>;
  /** The consumers that are exported, by their ARNs from the stream's name on. */
  readonly consumers: ReadonlyMap<string, Extract<Reference, { kind: "consumer" }>>;
}

/** A policy with references, and what of it AWS would not take. */
export interface RewrittenPolicy {
  readonly document: PolicyNode;
  /** Principals that an engine has and AWS does not. */
  readonly strangers: readonly string[];
  /** ARNs of consumers that are not exported. */
  readonly lostConsumers: readonly string[];
}

const ARN = /^arn:aws[^:]*:kinesis:[^:]*:(\d{12}):stream\/([a-zA-Z0-9_.-]+)(\/consumer\/.+)?$/;
const WITH_RESOURCES = ["Resource", "NotResource"];
const WITH_PRINCIPALS = ["Principal", "NotPrincipal"];

/** Whether a part of a policy is a plain object. */
export function isMembers(node: PolicyNode): node is PolicyMembers {
  return typeof node === "object" && node !== null && !isList(node) && !isReferring(node);
}

/** Whether a part of a policy is a list. */
export function isList(node: PolicyNode): node is readonly PolicyNode[] {
  return Array.isArray(node);
}

/** Whether a part of a policy is a text with references. */
export function isReferring(node: PolicyNode): node is ReferringText {
  return node instanceof ReferringText;
}

/** Puts references into a policy that the engine accepted. */
export function rewritePolicy(policy: string, named: Named): RewrittenPolicy {
  const strangers = new Set<string>();
  const lostConsumers = new Set<string>();
  const account = `:${named.accountId}:`;
  const rewrite = (text: string, member: string): PolicyNode => {
    const isResource = WITH_RESOURCES.includes(member);
    const known = knownResource(text, named, isResource);
    if (known !== undefined) return new ReferringText([known]);
    const [, accountId, , consumerPart] = ARN.exec(text) ?? [];
    const isOwn = isResource || accountId === named.accountId;
    if (consumerPart !== undefined && isOwn) lostConsumers.add(text);
    const isPrincipal = WITH_PRINCIPALS.includes(member);
    if (isPrincipal && text.includes(account) && !text.endsWith(":root")) strangers.add(text);
    return withReferences(text, named);
  };
  // The engine has parsed the same text and keeps what is JSON only.
  const document = mapStatements(JSON.parse(policy) as PolicyNode, rewrite);
  return { document, strangers: [...strangers], lostConsumers: [...lostConsumers] };
}

/** The exported resource that an ARN names. The engine takes any account for its own where a policy names resources. */
function knownResource(text: string, named: Named, anyAccount: boolean): Reference | undefined {
  const [, accountId, streamName = "", consumerPart] = ARN.exec(text) ?? [];
  if (!anyAccount && accountId !== named.accountId) return undefined;
  if (consumerPart !== undefined) return named.consumers.get(`${streamName}${consumerPart}`);
  return named.streamNames.has(streamName) ? { kind: "stream", streamName } : undefined;
}

/** A text in which the engine's account, and its region where an ARN of Kinesis has it, are references. */
function withReferences(text: string, { accountId, region }: Named): PolicyNode {
  const own = new RegExp(
    `(arn:aws[a-z-]*:kinesis:)${region}:${accountId}(?!\\d)|(?<!\\d)${accountId}(?!\\d)`,
    "g",
  );
  const parts: (string | Reference)[] = [];
  let from = 0;
  for (const match of text.matchAll(own)) {
    const [whole, before] = match;
    parts.push(text.slice(from, match.index));
    if (before !== undefined) parts.push(before, { kind: "region" }, ":");
    parts.push({ kind: "account" });
    from = match.index + whole.length;
  }
  if (parts.length === 0) return text;
  return new ReferringText([...parts, text.slice(from)].filter((part) => part !== ""));
}

/** Rewrites the texts of a policy's statements that can name somebody or something. */
function mapStatements(
  policy: PolicyNode,
  rewrite: (text: string, member: string) => PolicyNode,
): PolicyNode {
  if (!isMembers(policy)) return policy;
  const speaking = [...WITH_RESOURCES, ...WITH_PRINCIPALS, "Condition"];
  const statement = (node: PolicyNode): PolicyNode =>
    !isMembers(node)
      ? node
      : mapMembers(node, (value, member) =>
          speaking.includes(member) ? mapTexts(value, (text) => rewrite(text, member)) : value,
        );
  return mapMembers(policy, (value, member) => {
    if (member !== "Statement") return value;
    return isList(value) ? value.map(statement) : statement(value);
  });
}

function mapMembers(
  members: PolicyMembers,
  change: (value: PolicyNode, member: string) => PolicyNode,
): PolicyMembers {
  return Object.fromEntries(
    Object.entries(members).map(([member, value]) => [member, change(value, member)]),
  );
}

function mapTexts(node: PolicyNode, change: (text: string) => PolicyNode): PolicyNode {
  if (typeof node === "string") return change(node);
  if (isList(node)) return node.map((one) => mapTexts(one, change));
  return isMembers(node) ? mapMembers(node, (value) => mapTexts(value, change)) : node;
}
