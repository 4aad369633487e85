/** Events of the call trail: one JSON object per API call, with CloudTrail's member names. */
import { belongsToAccount, ROOT_PRINCIPAL } from "../access/principals.ts";
import { ACCOUNT_ID, toMillraceError } from "../errors/index.ts";
import { uuidOfBytes } from "../model/hex.ts";
import type { OperationName } from "../model/shapes.ts";
import type { Random } from "../platform/platform.ts";
import { REGION } from "../streams/arns.ts";
import {
  type CallFacts,
  camelCase,
  describeResource,
  describeText,
  type Facts,
} from "./call-facts.ts";

/** What came of a call: what was answered, or what was thrown. */
export type CallOutcome = { readonly answer: unknown } | { readonly thrown: unknown };

/** Version of the events' format. */
const EVENT_VERSION = "1.0";
/** Larger parameters and answers are left out of an event, as CloudTrail does; characters of JSON. */
const ELEMENTS_MAX = 102_400;

/** Operations on records, which CloudTrail calls data events. */
const DATA_OPERATIONS: ReadonlySet<OperationName> = new Set<OperationName>([
  "GetRecords",
  "GetShardIterator",
  "PutRecord",
  "PutRecords",
  "SubscribeToShard",
]);

/** Members of an answer that say which thing was made or found, and nothing of what it holds. */
const IDENTIFIERS = /(?:ARN|Id|Name|SequenceNumber|Count)$/;

/** Whether an operation changes nothing. */
function isReadOnly(operation: OperationName): boolean {
  return /^(?:Describe|Get|List|Subscribe)/.test(operation);
}

/** The identifiers of an answer, those one level down included; null without any. */
export function identifiersOf(answer: unknown, levels = 2): Facts | null {
  if (typeof answer !== "object" || answer === null || levels === 0) return null;
  const found: Record<string, unknown> = {};
  for (const [member, value] of Object.entries(answer)) {
    const plain = typeof value === "string" || typeof value === "number";
    if (plain && IDENTIFIERS.test(member)) found[camelCase(member)] = value;
    const inner = Array.isArray(value) ? null : identifiersOf(value, levels - 1);
    if (inner !== null) found[camelCase(member)] = inner;
  }
  return Object.keys(found).length === 0 ? null : found;
}

/** A random id in the usual form: 8-4-4-4-12 hexadecimal digits. */
export function randomId(random: Random): string {
  return uuidOfBytes(random.fill(new Uint8Array(16)));
}

/** Members of an event, or how large they are when that is too much. */
function limited(facts: Facts | null): Facts | null {
  const originalSize = JSON.stringify(facts).length;
  if (originalSize <= ELEMENTS_MAX) return facts;
  return { omitted: true, originalSize, reason: "Value too large" };
}

function identityOf(principal: string): Facts {
  const type =
    principal === ROOT_PRINCIPAL ? "Root" : belongsToAccount(principal) ? "IAMUser" : "AssumedRole";
  return { type, principal, arn: principal, accountId: ACCOUNT_ID };
}

function outcomeOf(operation: OperationName, outcome: CallOutcome): Facts {
  if ("answer" in outcome) {
    // As CloudTrail has it: what only reads has no response elements.
    return {
      responseElements: isReadOnly(operation) ? null : limited(identifiersOf(outcome.answer)),
    };
  }
  const { code, message } = toMillraceError(outcome.thrown);
  return { responseElements: null, errorCode: code, errorMessage: describeText(message) };
}

/** The event of one call. Times are ms since the Unix epoch. */
export function trailEvent(
  facts: CallFacts,
  outcome: CallOutcome,
  timeMs: number,
  random: Random,
): Facts {
  const { operation, caller, resources } = facts;
  const isData = DATA_OPERATIONS.has(operation);
  return {
    eventVersion: EVENT_VERSION,
    eventTime: new Date(timeMs).toISOString(),
    eventSource: "kinesis.amazonaws.com",
    eventName: operation,
    eventType: "AwsApiCall",
    eventCategory: isData ? "Data" : "Management",
    managementEvent: !isData,
    readOnly: isReadOnly(operation),
    awsRegion: REGION,
    recipientAccountId: ACCOUNT_ID,
    requestID: randomId(random),
    eventID: randomId(random),
    userIdentity: identityOf(caller.principal),
    resources: resources.map(describeResource),
    requestParameters: limited(facts.parameters()),
    ...outcomeOf(operation, outcome),
  };
}
