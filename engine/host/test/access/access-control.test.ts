import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AccessControl, type ProtectedResource } from "../../src/access/access-control.ts";
import {
  accessKeyPrincipal,
  belongsToAccount,
  framePrincipal,
  pluginPrincipal,
  ROOT_PRINCIPAL,
} from "../../src/access/principals.ts";
import { AccessDeniedError } from "../../src/errors/index.ts";
import type { OperationName } from "../../src/model/shapes.ts";
import { streamArn } from "../../src/streams/arns.ts";
import type { Documents } from "../../src/streams/documents.ts";
import { judge, type NaivePolicy } from "./naive-evaluator.ts";

const ARN = streamArn("clicks");
const RESOURCE: ProtectedResource = { arn: ARN, key: "stream/7/" };
const FRAME = framePrincipal("https://shop.example");
const PLUGIN = pluginPrincipal("transform");
const USER = accessKeyPrincipal("AKIA1");

/** Documents of which only reading is asked for. */
class FixedDocuments {
  readonly values = new Map<string, unknown>();

  get(key: string): unknown {
    return this.values.get(key);
  }
}

function controlWith(policy?: object): { control: AccessControl; documents: FixedDocuments } {
  const documents = new FixedDocuments();
  if (policy !== undefined) documents.values.set("stream/7/policy", JSON.stringify(policy));
  return {
    control: new AccessControl(documents as Pick<Documents, "get"> as Documents),
    documents,
  };
}

function denial(check: () => void): AccessDeniedError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof AccessDeniedError) return error;
    throw error;
  }
}

const allowFrame = {
  Sid: "Frames",
  Effect: "Allow",
  Principal: { AWS: FRAME },
  Action: "kinesis:Put*",
  Resource: ARN,
};

describe("access control", () => {
  it("lets the account in and strangers out while there is no policy", () => {
    const { control } = controlWith();
    for (const principal of [ROOT_PRINCIPAL, USER]) control.check(principal, "PutRecord", RESOURCE);
    for (const principal of [FRAME, PLUGIN]) {
      expect(denial(() => control.check(principal, "PutRecord", RESOURCE))?.message).toBe(
        `User: ${principal} is not authorized to perform: kinesis:PutRecord on resource: ${ARN} ` +
          "because no resource-based policy allows the kinesis:PutRecord action",
      );
    }
  });

  it("lets a stranger do what a policy allows, and nothing else", () => {
    const { control } = controlWith({ Statement: allowFrame });
    control.check(FRAME, "PutRecords", RESOURCE);
    expect(denial(() => control.check(FRAME, "GetRecords", RESOURCE))).toBeDefined();
    expect(denial(() => control.check(PLUGIN, "PutRecords", RESOURCE))).toBeDefined();
  });

  it("says which statement denies, by its Sid or its number", () => {
    const deny = { ...allowFrame, Effect: "Deny", Principal: "*", Sid: undefined };
    const { control } = controlWith({ Statement: [allowFrame, deny] });
    const { control: named } = controlWith({ Statement: [allowFrame, { ...deny, Sid: "Stop" }] });
    for (const principal of [FRAME, ROOT_PRINCIPAL]) {
      const text =
        `User: ${principal} is not authorized to perform: kinesis:PutRecord on resource: ${ARN} ` +
        "with an explicit deny in a resource-based policy";
      expect(denial(() => control.check(principal, "PutRecord", RESOURCE))?.message).toBe(
        `${text} (statement 2)`,
      );
      expect(denial(() => named.check(principal, "PutRecord", RESOURCE))?.message).toBe(
        `${text} (statement Stop)`,
      );
    }
  });

  it("never locks the application out of its policies", () => {
    const everything = { Effect: "Deny", Principal: "*", Action: "*", Resource: ARN };
    const { control } = controlWith({ Statement: everything });
    control.check(ROOT_PRINCIPAL, "DeleteResourcePolicy", RESOURCE);
    expect(denial(() => control.check(USER, "DeleteResourcePolicy", RESOURCE))).toBeDefined();
    expect(denial(() => control.check(ROOT_PRINCIPAL, "DeleteStream", RESOURCE))).toBeDefined();
  });

  it("takes what it cannot know the safe way round", () => {
    const unknown = { Condition: { IpAddress: { "aws:SourceIp": "10.0.0.0/8" } } };
    const { control } = controlWith({ Statement: { ...allowFrame, ...unknown } });
    expect(denial(() => control.check(FRAME, "PutRecord", RESOURCE))).toBeDefined();
    const deny = { ...allowFrame, Effect: "Deny", Principal: "*", ...unknown };
    const { control: denying } = controlWith({ Statement: deny });
    expect(denial(() => denying.check(USER, "PutRecord", RESOURCE))).toBeDefined();
    const excused = { StringEquals: { "aws:PrincipalArn": FRAME } };
    const { control: narrow } = controlWith({
      Statement: { ...deny, Condition: { ...unknown.Condition, ...excused } },
    });
    narrow.check(USER, "PutRecord", RESOURCE);
    expect(denial(() => narrow.check(FRAME, "PutRecord", RESOURCE))).toBeDefined();
  });

  it.each<[string, string, unknown, boolean]>([
    ["StringEquals", "aws:PrincipalAccount", "000000000000", true],
    ["StringEquals", "AWS:principalarn", FRAME, true],
    ["StringEqualsIgnoreCase", "aws:PrincipalArn", FRAME.toUpperCase(), true],
    ["StringNotEqualsIgnoreCase", "aws:PrincipalArn", FRAME.toUpperCase(), false],
    ["StringLike", "aws:PrincipalArn", "*frame/https://*.example", true],
    ["StringNotLike", "aws:PrincipalArn", ["*plugin*", "*frame*"], false],
    ["StringEqualsIfExists", "aws:PrincipalArn", [PLUGIN, FRAME], true],
    ["ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/frame/*", true],
    ["ArnLike", "aws:PrincipalArn", "arn:*:role/frame/*", false],
    ["ArnEquals", "aws:PrincipalArn", "arn:aws:iam::000000000000:role/frame/?ttps*", true],
    ["ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:user/*", true],
    ["ArnNotEquals", "aws:PrincipalArn", FRAME, false],
    ["Null", "aws:PrincipalArn", "false", true],
    ["Null", "aws:PrincipalArn", true, false],
    ["StringLike", "aws:PrincipalArn", "$" + "{aws:username}", false],
    ["StringNotLike", "aws:PrincipalArn", "$" + "{aws:username}", false],
    ["StringAlike", "aws:PrincipalArn", "*", false],
  ])("condition %s on %s %j allows: %s", (operator, key, value, allowed) => {
    const { control } = controlWith({
      Statement: { ...allowFrame, Condition: { [operator]: { [key]: value } } },
    });
    expect(denial(() => control.check(FRAME, "PutRecord", RESOURCE)) === undefined).toBe(allowed);
  });

  it("sees a policy that changed, and one that is gone", () => {
    const { control, documents } = controlWith({ Statement: allowFrame });
    control.check(FRAME, "PutRecord", RESOURCE);
    const other = { ...allowFrame, Principal: { AWS: PLUGIN } };
    documents.values.set("stream/7/policy", JSON.stringify({ Statement: other }));
    expect(denial(() => control.check(FRAME, "PutRecord", RESOURCE))).toBeDefined();
    control.check(PLUGIN, "PutRecord", RESOURCE);
    documents.values.clear();
    expect(denial(() => control.check(PLUGIN, "PutRecord", RESOURCE))).toBeDefined();
  });

  it("keeps strangers from calls about the account", () => {
    const { control } = controlWith();
    control.checkAccount(ROOT_PRINCIPAL, "ListStreams");
    control.checkAccount(USER, "ListStreams");
    expect(denial(() => control.checkAccount(FRAME, "ListStreams"))?.message).toBe(
      `User: ${FRAME} is not authorized to perform: kinesis:ListStreams because no identity-based ` +
        "policy allows the kinesis:ListStreams action",
    );
  });

  it("decides as a naive evaluator does", () => {
    const verdicts: Record<string, number> = {};
    const property = fc.property(policies, calls, (policy, [principal, operation]) => {
      const { control } = controlWith(policy);
      const expected = judge(policy as NaivePolicy, {
        principal,
        operation,
        resource: ARN,
        ofAccount: belongsToAccount(principal),
      });
      verdicts[expected.verdict] = (verdicts[expected.verdict] ?? 0) + 1;
      const error = denial(() => control.check(principal, operation, RESOURCE));
      expect(error === undefined).toBe(expected.verdict === "allowed");
      if (expected.verdict === "denied") {
        expect(error?.message).toContain(`(statement ${expected.statement})`);
      }
    });
    fc.assert(property, { numRuns: 5000, seed: 7 });
    for (const verdict of ["allowed", "denied", "not allowed"]) {
      expect(verdicts[verdict]).toBeGreaterThan(300);
    }
  });
});

const principals = [ROOT_PRINCIPAL, USER, FRAME, PLUGIN];
const operationNames: OperationName[] = ["PutRecord", "PutRecords", "GetRecords", "ListShards"];
const calls = fc.tuple(fc.constantFrom(...principals), fc.constantFrom(...operationNames));
const someOf = (...values: string[]) =>
  fc.uniqueArray(fc.constantFrom(...values), { minLength: 1 });
const named = fc.record({ AWS: someOf(...principals, "000000000000", "111122223333", "*") });
const actions = someOf(
  "*",
  "kinesis:*",
  "kinesis:put*",
  "Kinesis:PutRecord",
  "kinesis:?utRecords",
  "kinesis:GetRecords",
  "kinesis:List*",
);
const values = someOf(...principals, "*", "*:role/*", "*frame*", "?rn:*user*");
const operators = ["StringEquals", "StringNotEquals", "StringLike", "DateLessThan"];
const blocks = fc.dictionary(
  fc.constantFrom("aws:PrincipalArn", "aws:principalarn", "aws:SourceIp"),
  values,
  { maxKeys: 2, noNullPrototype: true },
);
const conditions = fc.dictionary(fc.constantFrom(...operators), blocks, {
  maxKeys: 2,
  noNullPrototype: true,
});
const statements = fc
  .tuple(
    fc.constantFrom("Allow", "Allow", "Deny"),
    fc.oneof(
      fc.record({ Principal: fc.oneof(named, fc.constant("*")) }),
      fc.record({ NotPrincipal: named }),
    ),
    fc.oneof(fc.record({ Action: actions }), fc.record({ NotAction: actions })),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant({ Resource: [ARN] }) },
      { weight: 1, arbitrary: fc.record({ NotResource: someOf(ARN, streamArn("b"), "*click?") }) },
    ),
    fc.oneof(fc.constant({}), fc.record({ Condition: conditions })),
  )
  .map(([Effect, ...parts]) => Object.assign({ Effect }, ...parts) as object);
const policies = fc.record({ Statement: fc.array(statements, { minLength: 1, maxLength: 4 }) });
