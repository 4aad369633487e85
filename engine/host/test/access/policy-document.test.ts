import { describe, expect, it } from "vitest";
import { POLICY_BYTES_MAX, parsePolicy } from "../../src/access/policy-document.ts";
import { InvalidArgumentError } from "../../src/errors/index.ts";
import { consumerArn, streamArn } from "../../src/streams/arns.ts";

const ARN = streamArn("clicks");
const USER = "arn:aws:iam::111122223333:user/ada";

const statement = {
  Sid: "Write",
  Effect: "Allow",
  Principal: { AWS: USER },
  Action: "kinesis:PutRecord",
  Resource: ARN,
};

function policy(change: object = {}, around: object = {}): string {
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ ...statement, ...change }],
    ...around,
  });
}

function refusal(text: string): InvalidArgumentError {
  try {
    parsePolicy(text, ARN);
  } catch (error) {
    if (error instanceof InvalidArgumentError) return error;
    throw error;
  }
  throw new Error(`taken: ${text}`);
}

describe("policy documents", () => {
  it.each<[string, string]>([
    ["the whole of it", policy()],
    ["the older version", policy({}, { Version: "2008-10-17" })],
    ["no version, an id", policy({}, { Version: undefined, Id: "mine" })],
    ["a statement that is no list", policy({}, { Statement: statement })],
    ["everybody", policy({ Principal: "*" })],
    ["everybody by kind", policy({ Principal: { AWS: "*" } })],
    [
      "an account",
      policy({ Principal: { AWS: ["111122223333", "arn:aws:iam::111122223333:root"] } }),
    ],
    [
      "a frame",
      policy({ Principal: { AWS: "arn:aws:iam::000000000000:role/frame/https://a.example:8" } }),
    ],
    ["services, which never call", policy({ Principal: { Service: "lambda.amazonaws.com" } })],
    ["nobody but", policy({ Principal: undefined, NotPrincipal: { AWS: [USER] } })],
    ["actions by pattern", policy({ Action: ["kinesis:Get*", "Kinesis:?utRecords", "*"] })],
    ["no action but", policy({ Action: undefined, NotAction: "kinesis:*" })],
    [
      "the resource in another region",
      policy({ Resource: ["arn:aws:kinesis:eu-west-1:111122223333:stream/clicks"] }),
    ],
    [
      "no resource but",
      policy({ Resource: undefined, NotResource: "arn:aws:kinesis:*:*:stream/b*" }),
    ],
    ["no sid", policy({ Sid: undefined })],
    [
      "conditions with scalars",
      policy({
        Condition: { Bool: { "aws:SecureTransport": true }, NumericLessThan: { "a:b": [1, "2"] } },
      }),
    ],
  ])("take %s", (_, text) => {
    expect(parsePolicy(text, ARN)).toHaveLength(1);
  });

  it.each<[string, string, string]>([
    ["no JSON", "{", "Policy: it is no JSON"],
    ["no object", "[]", "Policy: it must be an object"],
    ["an unknown version", policy({}, { Version: "2020-01-01" }), 'Version: it must be "2012'],
    ["an unknown element", policy({}, { Statements: [] }), "Policy.Statements: policies have no"],
    ["no statements", policy({}, { Statement: [] }), "Statement: there must be at least one"],
    ["a missing statement", policy({}, { Statement: undefined }), "Statement[0]: it must be an"],
    [
      "a statement that is a text",
      policy({}, { Statement: ["Allow"] }),
      "Statement[0]: it must be",
    ],
    ["an unknown part", policy({ Actions: [] }), "Statement[0].Actions: policies have no"],
    ["no effect", policy({ Effect: undefined }), "Statement[0].Effect: it must be"],
    ["another effect", policy({ Effect: "allow" }), "Statement[0].Effect: it must be"],
    ["a bad sid", policy({ Sid: "a b" }), "Statement[0].Sid: it may hold letters"],
    ["a sid that is a number", policy({ Sid: 1 }), "Statement[0].Sid: it must be a string"],
    ["no principal", policy({ Principal: undefined }), "either Principal or NotPrincipal"],
    ["two principals", policy({ NotPrincipal: "*" }), "either Principal or NotPrincipal"],
    [
      "a principal that is a text",
      policy({ Principal: USER }),
      "Statement[0].Principal: it must be",
    ],
    ["an empty principal", policy({ Principal: {} }), "Statement[0].Principal: it names nobody"],
    [
      "an unknown kind of principal",
      policy({ Principal: { IAM: USER } }),
      "Statement[0].Principal.IAM",
    ],
    [
      "part of a principal",
      policy({ Principal: { AWS: "arn:aws:iam::111122223333:user/*" } }),
      'user/*" is no account',
    ],
    ["a short account", policy({ Principal: { AWS: "1234" } }), '"1234" is no account'],
    ["no action", policy({ Action: undefined }), "either Action or NotAction"],
    ["an empty list", policy({ Action: [] }), "Statement[0].Action: it must not be empty"],
    ["another service's action", policy({ Action: "s3:GetObject" }), '"s3:GetObject" is no action'],
    ["a misspelt action", policy({ Action: "kinesis:PutRecrd" }), 'no action "kinesis:PutRecrd"'],
    ["an action without a name", policy({ Action: "kinesis:" }), 'no action "kinesis:"'],
    [
      "another stream",
      policy({ Resource: streamArn("clacks") }),
      "is not the resource of the policy",
    ],
    ["every stream", policy({ Resource: "*" }), '"*" is not the resource of the policy'],
    ["its consumer", policy({ Resource: consumerArn("clicks", "app", 1) }), "is not the resource"],
    [
      "a condition that is a text",
      policy({ Condition: "x" }),
      "Statement[0].Condition: it must be",
    ],
    [
      "a block that is a list",
      policy({ Condition: { StringLike: [] } }),
      "Condition.StringLike: it",
    ],
    ["no value", policy({ Condition: { StringLike: { k: [] } } }), "StringLike.k: it must not be"],
    [
      "a value that is null",
      policy({ Condition: { StringLike: { k: null } } }),
      "StringLike.k: it must",
    ],
  ])("refuse %s and name it", (_, text, reason) => {
    expect(refusal(text).message).toContain("The policy is malformed: ");
    expect(refusal(text).message).toContain(reason);
    expect(refusal(text).argument).toMatch(/^policy/);
  });

  it("refuse a sid that is used twice", () => {
    const text = JSON.stringify({ Statement: [statement, { ...statement, Sid: "B" }, statement] });
    expect(refusal(text).message).toContain('Statement[2].Sid: "Write" is used twice');
  });

  it("have 20 KiB at most, in bytes and not in characters", () => {
    const spare = POLICY_BYTES_MAX - policy({}, { Id: "" }).length;
    expect(parsePolicy(policy({}, { Id: "x".repeat(spare) }), ARN)).toHaveLength(1);
    expect(refusal(policy({}, { Id: "x".repeat(spare + 1) })).message).toContain("it has 20481");
    expect(refusal(policy({}, { Id: "ä".repeat(spare) })).message).toContain("20480 are allowed");
  });
});
