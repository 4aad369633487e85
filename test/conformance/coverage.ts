/** What the cases of the table must cover: every output member, and every declared error that can be reached. */
import {
  type OperationName,
  operations,
  type Shape,
  type StructureName,
  structureShape,
} from "@millrace/engine/model";
import type { Case } from "./world.ts";

/** Errors that no call can be made to fail with, and why. */
const UNREACHABLE: readonly { readonly error: RegExp; readonly why: string }[] = [
  { error: /^KMS(OptInRequired|ThrottlingException)$/, why: "given by injected faults only" },
  { error: /^InternalFailureException$/, why: "a defect; the fuzz run shows that none is known" },
];

/** Operations for which AWS documents no rate of calls and no other limit. */
const WITHOUT_LIMIT: ReadonlySet<OperationName> = new Set([
  "DeleteResourcePolicy",
  "DisableEnhancedMonitoring",
  "EnableEnhancedMonitoring",
  "GetResourcePolicy",
  "ListTagsForResource",
  "PutResourcePolicy",
  "StartStreamEncryption",
  "StopStreamEncryption",
  "TagResource",
  "UntagResource",
  "UpdateMaxRecordSize",
  "UpdateStreamRecordDistributionStrategy",
] as const);

const NO_CHANNEL_KEY = "a channel encrypts nothing, for delivery is not built";
const KEY_STAYS = "keys that were made are destroyed, and never forgotten";

const NO_CHANNEL_DENIAL =
  "given to strangers only, who are frames and plugins: see the access tests";

/** Errors that an operation declares and that this engine never gives, and why. */
const NOT_GIVEN: Partial<Record<OperationName, Readonly<Record<string, string>>>> = {
  AddTagsToStream: { ResourceInUseException: "tags can be changed in every state" },
  RemoveTagsFromStream: { ResourceInUseException: "tags can be changed in every state" },
  TagResource: { ResourceInUseException: "tags can be changed in every state" },
  UntagResource: { ResourceInUseException: "tags can be changed in every state" },
  ListTagsForResource: { ResourceInUseException: "tags can be read in every state" },
  ListShards: { ResourceInUseException: "shards can be listed in every state" },
  ListStreamConsumers: { ResourceInUseException: "consumers can be listed in every state" },
  GetResourcePolicy: { ResourceInUseException: "policies can be read in every state" },
  GetRecords: { KMSNotFoundException: KEY_STAYS },
  PutRecord: { KMSNotFoundException: KEY_STAYS },
  PutRecords: { KMSNotFoundException: KEY_STAYS },
  CreateChannel: {
    AccessDeniedException: NO_CHANNEL_DENIAL,
    KMSAccessDeniedException: NO_CHANNEL_KEY,
    KMSDisabledException: NO_CHANNEL_KEY,
    KMSInvalidStateException: NO_CHANNEL_KEY,
    KMSNotFoundException: NO_CHANNEL_KEY,
  },
  UpdateChannel: { AccessDeniedException: NO_CHANNEL_DENIAL },
  DeleteChannel: {
    InvalidArgumentException: "the model checks the one argument",
    AccessDeniedException: NO_CHANNEL_DENIAL,
  },
  DescribeChannel: {
    InvalidArgumentException: "the model checks the one argument",
    AccessDeniedException: NO_CHANNEL_DENIAL,
  },
  ListChannels: { AccessDeniedException: "it lists what the caller may see" },
  UpdateAccountSettings: { InvalidArgumentException: "the model checks the one argument" },
};

/** Why an error of an operation has no case, or undefined when it needs one. */
export function excuse(operation: OperationName, error: string): string | undefined {
  if (error === "LimitExceededException" && WITHOUT_LIMIT.has(operation)) {
    return "AWS documents no limit for it";
  }
  const general = UNREACHABLE.find((one) => one.error.test(error));
  return general?.why ?? NOT_GIVEN[operation]?.[error];
}

/** Declared errors of all operations that have neither a case nor an excuse, as `Operation: error`. */
export function missingErrors(cases: readonly Case[]): string[] {
  return (Object.keys(operations) as OperationName[]).flatMap((operation) => {
    const covered = new Set(
      cases.filter((one) => one.operation === operation).map((one) => one.error),
    );
    return operations[operation].errors
      .filter((error) => !covered.has(error) && excuse(operation, error) === undefined)
      .map((error) => `${operation}: ${error}`);
  });
}

function visit(shape: Shape, path: string, value: unknown, found: Set<string>): void {
  if (value === undefined || value === null) return;
  if (shape.type === "reference") visitStructure(shape.to, path, value, found);
  else if (shape.type === "list") {
    for (const one of value as readonly unknown[]) visit(shape.of, `${path}[]`, one, found);
  }
}

function visitStructure(
  name: StructureName,
  path: string,
  value: unknown,
  found: Set<string>,
): void {
  const structure = structureShape(name);
  if (structure.type === "events") return;
  for (const [member, shape] of Object.entries(structure.members)) {
    const of = (value as Record<string, unknown>)[member];
    if (of === undefined || of === null) continue;
    const at = `${path}.${member}`;
    found.add(at);
    visit(shape, at, of, found);
  }
}

/** Members of an output that have a value, as paths. */
export function membersOf(operation: OperationName, output: unknown): Set<string> {
  const found = new Set<string>();
  const name = operations[operation].output;
  if (name !== null && output !== undefined) visitStructure(name, operation, output, found);
  return found;
}

function listPaths(shape: Shape, path: string): string[] {
  if (shape.type === "list") return listPaths(shape.of, `${path}[]`);
  if (shape.type !== "reference") return [];
  const structure = structureShape(shape.to);
  if (structure.type === "events") return [];
  return Object.entries(structure.members).flatMap(([member, of]) => [
    `${path}.${member}`,
    ...listPaths(of, `${path}.${member}`),
  ]);
}

/** Members that no output of this build has, and why. */
const NEVER_GIVEN: readonly { readonly path: RegExp; readonly why: string }[] = [
  { path: /EncryptionConfiguration/, why: "a channel encrypts nothing, for delivery is not built" },
  { path: /\.StreamId$/, why: "reserved by AWS" },
  { path: /\.ChannelStatusReason$/, why: "a channel fails only in delivery, which is not built" },
  {
    path: /MinimumThroughputBillingCommitment\.(EndedAt|EarliestAllowedEndAt)$/,
    why: "see the case",
  },
];

/** Members of an operation's output that some case has to show. */
export function membersToShow(operation: OperationName): string[] {
  const name = operations[operation].output;
  if (name === null) return [];
  return listPaths({ type: "reference", to: name }, operation).filter(
    (path) => !NEVER_GIVEN.some((one) => one.path.test(path)),
  );
}
