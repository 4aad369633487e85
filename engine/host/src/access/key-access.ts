/**
 * Decides who may use a master key, by the key's own policy. Unlike the policy of a stream it is the only
 * word: whoever it does not allow may not, except that the application itself can always replace it.
 */
import { KmsAccessDeniedError } from "../errors/index.ts";
import { applies, type Policy, type PolicyService, parsePolicy } from "./policy-document.ts";
import { belongsToAccount } from "./principals.ts";

/** What streams ask of a key: a data key to put with, or the decryption of what is read. */
export type KeyUse = "GenerateDataKey" | "Decrypt";

/** Actions of KMS that a policy may name, though most of them are never asked about here. */
const KMS_ACTION = /^[A-Z][A-Za-z]+$/;

const KMS: PolicyService = {
  name: "KMS",
  actionPrefix: "kms:",
  isAction: (name) => KMS_ACTION.test(name),
  anyResource: true,
};

/** A key as its policy is asked about it. */
export interface ProtectedKey {
  readonly arn: string;
  /** The policy document; null for the default one, by which the account may do everything. */
  readonly policy: string | null;
}

/** Policies that are kept parsed. */
const PARSED_MAX = 256;

/** Reads a key policy. @throws InvalidArgumentError that names the part that is not as a policy has it. */
export function parseKeyPolicy(text: string, arn: string): Policy {
  return parsePolicy(text, arn, KMS);
}

/** Key policies of one engine. */
export class KeyAccess {
  readonly #parsed = new Map<string, Policy>();

  /** Lets a use of a key pass. @throws KmsAccessDeniedError that names the principal, the action and the key. */
  check(principal: string, use: KeyUse, { arn, policy }: ProtectedKey): void {
    if (policy === null) {
      if (belongsToAccount(principal)) return;
      throw denied(principal, use, arn, `because no key policy allows the kms:${use} action`);
    }
    const statements = this.#policyOf(arn, policy);
    const deny = statements.find(
      // What cannot be known counts against the caller, here and below.
      (one) => one.effect === "Deny" && applies(one, principal, use, arn, KMS) !== false,
    );
    if (deny !== undefined) {
      throw denied(principal, use, arn, "with an explicit deny in a resource-based policy");
    }
    const allowed = statements.some(
      (one) => one.effect === "Allow" && applies(one, principal, use, arn, KMS) === true,
    );
    if (allowed) return;
    throw denied(
      principal,
      use,
      arn,
      `because no resource-based policy allows the kms:${use} action`,
    );
  }

  #policyOf(arn: string, text: string): Policy {
    const known = this.#parsed.get(`${arn} ${text}`);
    if (known !== undefined) return known;
    const policy = parseKeyPolicy(text, arn);
    if (this.#parsed.size >= PARSED_MAX) this.#parsed.clear();
    this.#parsed.set(`${arn} ${text}`, policy);
    return policy;
  }
}

function denied(principal: string, use: KeyUse, arn: string, reason: string): KmsAccessDeniedError {
  return new KmsAccessDeniedError(
    `User: ${principal} is not authorized to perform: kms:${use} on resource: ${arn} ${reason}`,
    { argument: "principal", value: principal, limit: `kms:${use}` },
  );
}
