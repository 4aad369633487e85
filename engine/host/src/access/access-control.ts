/**
 * Decides whether a principal may make a call, by the policies that are stored with resources.
 *
 * An explicit deny wins over everything. Principals of the account need no allow; strangers do. The
 * application itself can always read, replace and delete a policy, whatever that policy says, because
 * nobody else could undo one that locks everyone out.
 */
import { AccessDeniedError } from "../errors/index.ts";
import type { OperationName } from "../model/shapes.ts";
import type { Documents } from "../streams/documents.ts";
import { applies, type Policy, parsePolicy } from "./policy-document.ts";
import { belongsToAccount, ROOT_PRINCIPAL } from "./principals.ts";

/** Key of a resource's policy document. `resourceKey` is the stream's, consumer's or channel's own document prefix. */
export function policyKey(resourceKey: string): string {
  return `${resourceKey}policy`;
}

/** What a call is about. */
export interface ProtectedResource {
  readonly arn: string;
  /** Document prefix of the resource, as in `stream/7/` or `stream/7/consumer/app/`. */
  readonly key: string;
}

/** A policy with the text it was read from. */
interface ParsedPolicy {
  readonly text: string;
  readonly policy: Policy;
}

const ROOT_ALWAYS_MAY: readonly OperationName[] = [
  "PutResourcePolicy",
  "GetResourcePolicy",
  "DeleteResourcePolicy",
];
/** Policies that are kept parsed. */
const PARSED_MAX = 1024;

/** Policies of one engine. */
export class AccessControl {
  readonly #documents: Documents;
  readonly #parsed = new Map<string, ParsedPolicy>();

  constructor(documents: Documents) {
    this.#documents = documents;
  }

  /**
   * Lets a call about a resource pass or throws. An explicit deny wins; principals of the account need
   * no allow.
   *
   * @throws AccessDeniedError that names the principal, the action, the resource and the statement.
   */
  check(principal: string, operation: OperationName, resource: ProtectedResource): void {
    if (principal === ROOT_PRINCIPAL && ROOT_ALWAYS_MAY.includes(operation)) return;
    const text = this.#documents.get<string>(policyKey(resource.key));
    const policy = text === undefined ? [] : this.#policyOf(resource, text);
    const { arn } = resource;
    const deny = policy.find(
      // What cannot be known counts against the caller, here and below.
      (one) => one.effect === "Deny" && applies(one, principal, operation, arn) !== false,
    );
    if (deny !== undefined) {
      throw denied(
        principal,
        operation,
        ` on resource: ${arn} with an explicit deny in a resource-based policy ` +
          `(statement ${deny.label})`,
      );
    }
    if (belongsToAccount(principal)) return;
    const allowed = policy.some(
      (one) => one.effect === "Allow" && applies(one, principal, operation, arn) === true,
    );
    if (allowed) return;
    throw denied(
      principal,
      operation,
      ` on resource: ${arn} because no resource-based policy allows the kinesis:${operation} action`,
    );
  }

  /**
   * Lets a call pass that is about the account and no resource, as ListStreams is. No policy can allow
   * it to a stranger.
   *
   * @throws AccessDeniedError that names the principal and the action.
   */
  checkAccount(principal: string, operation: OperationName): void {
    if (belongsToAccount(principal)) return;
    throw denied(
      principal,
      operation,
      ` because no identity-based policy allows the kinesis:${operation} action`,
    );
  }

  #policyOf(resource: ProtectedResource, text: string): Policy {
    const known = this.#parsed.get(resource.key);
    if (known?.text === text) return known.policy;
    const policy = parsePolicy(text, resource.arn);
    // Keys of resources that are gone stay behind; few enough that one sweep now and then will do.
    if (this.#parsed.size >= PARSED_MAX) this.#parsed.clear();
    this.#parsed.set(resource.key, { text, policy });
    return policy;
  }
}

function denied(principal: string, operation: OperationName, why: string): AccessDeniedError {
  return new AccessDeniedError(
    `User: ${principal} is not authorized to perform: kinesis:${operation}${why}`,
    { argument: "principal", value: principal },
  );
}
