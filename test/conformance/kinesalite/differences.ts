/** The cases of the table that do not apply to kinesalite 3.3.3, and why. */
import type { OperationName } from "@millrace/engine/model";
import type { Case } from "../world.ts";

/** What was tried. */
export const KINESALITE = "kinesalite 3.3.3";

/** What kinesalite does otherwise than AWS, or does not do. */
export interface Difference {
  readonly why: string;
  /** Whether a case comes upon it. */
  readonly meets: (one: Case) => boolean;
  /** What such a case ends with: the error that it is told, or what it finds instead of its own. */
  readonly ends: RegExp;
}

/** kinesalite's operations. */
export const OPERATIONS: ReadonlySet<OperationName> = new Set([
  "AddTagsToStream",
  "CreateStream",
  "DecreaseStreamRetentionPeriod",
  "DeleteStream",
  "DescribeStream",
  "DescribeStreamSummary",
  "GetRecords",
  "GetShardIterator",
  "IncreaseStreamRetentionPeriod",
  "ListShards",
  "ListStreams",
  "ListTagsForStream",
  "MergeShards",
  "PutRecord",
  "PutRecords",
  "RemoveTagsFromStream",
  "SplitShard",
] as const);

const titled =
  (...titles: string[]) =>
  ({ title }: Case): boolean =>
    titles.includes(title);

const of =
  (operation: OperationName, ...titles: string[]) =>
  (one: Case): boolean =>
    one.operation === operation && titles.includes(one.title);

/** The first that a case meets is the case's. Each is needed, and each of its cases ends as told. */
export const differences: readonly Difference[] = [
  {
    why: "it does not have the operation",
    meets: ({ operation }) => !OPERATIONS.has(operation),
    ends: /^NoWordsError: kinesalite has no /,
  },
  {
    why: "it has no resource policies, by which the case denies",
    meets: ({ error }) => error === "AccessDeniedException",
    ends: /^NoWordsError: kinesalite has no PutResourcePolicy$/,
  },
  {
    why: "it encrypts nothing",
    meets: ({ error, title }) => /^KMS/.test(error ?? "") || /encrypted/.test(title),
    ends: /^NoWordsError: kinesalite has no (keys|StartStreamEncryption)$/,
  },
  {
    why: "it registers no consumers",
    meets: titled("with consumers, not enforced"),
    ends: /^NoWordsError: kinesalite has no RegisterStreamConsumer$/,
  },
  {
    why: "it has no enhanced monitoring, which the case switches on",
    meets: titled("shows all of the stream, page by page"),
    ends: /^NoWordsError: kinesalite has no EnableEnhancedMonitoring$/,
  },
  {
    why: "it knows streams by their names only",
    meets: ({ title }) => /\bARN$/.test(title) && title !== "neither name nor ARN",
    ends: /^NoWordsError: kinesalite has no StreamARN in /,
  },
  {
    why: "it demands the name that AWS's model no longer does",
    meets: titled("neither name nor ARN"),
    ends: /ValidationException: .*Value null at 'streamName'/,
  },
  {
    why: "it does not know StreamId",
    meets: titled("the reserved StreamId"),
    ends: /^NoWordsError: kinesalite has no StreamId in /,
  },
  {
    why: "it has no dry runs",
    meets: titled("a dry run"),
    ends: /^NoWordsError: kinesalite has no DryRun in /,
  },
  {
    why: "it has no on-demand streams",
    meets: titled(
      "on demand with four shards",
      "on-demand streams scale by themselves",
      "counts shards, consumers and channels",
    ),
    ends: /^NoWordsError: kinesalite has no StreamModeDetails in CreateStream$/,
  },
  {
    why: "it creates streams without tags and record sizes",
    meets: of("CreateStream", "with tags and a record size", "a tag that AWS keeps to itself"),
    ends: /^NoWordsError: kinesalite has no (Tags|MaxRecordSizeInKiB) in CreateStream$/,
  },
  {
    why: "it limits no rates",
    meets: ({ error, operation, options }) =>
      options.controlQuotas === true ||
      (error === "ProvisionedThroughputExceededException" && operation !== "PutRecords"),
    ends: /^AssertionError: .*\(no error\)$/,
  },
  {
    why: "it takes no request of more than 7 MiB",
    meets: of(
      "PutRecords",
      "what is over a quota fails alone",
      "a request over 10 MiB",
      "every record is over a quota",
    ),
    ends: /Unknown: UnknownError/,
  },
  {
    why: "it does not count the partition key into a record's size",
    meets: of("PutRecord", "a record over the stream's maximum"),
    ends: /\(no error\)$/,
  },
  {
    why: "it refuses an iterator in quotation marks, which AWS takes",
    meets: of("GetRecords", "takes an iterator in quotation marks"),
    ends: /^InvalidArgumentException: Invalid ShardIterator/,
  },
  {
    why: "it is never behind",
    meets: of("GetRecords", "says how far behind it is"),
    ends: /expected false to be true/,
  },
  {
    why: "it names no children, and ends a shard one read later",
    meets: of("GetRecords", "ends with the children of a closed shard"),
    ends: /to equal undefined/,
  },
  {
    why: "it lists all shards at once, unfiltered",
    meets: ({ operation, title }) =>
      operation === "ListShards" && /page by page|token|filter|AFTER_SHARD_ID/.test(title),
    ends: /no ShardFilter|expected \[ '0', '1', '2' \]|\(no error\)$|Either NextToken or StreamName/,
  },
  {
    why: "it lists streams without tokens and summaries",
    meets: ({ operation, title }) =>
      operation === "ListStreams" && /token|with what each stream is/.test(title),
    ends: /no NextToken|expected undefined to be a string|\(no error\)$/,
  },
  {
    why: "it splits and merges closed shards again",
    meets: titled("a shard that was split already"),
    ends: /\(no error\)$/,
  },
  {
    why: "it takes ten tags in a call, where AWS's model takes 200",
    meets: of("AddTagsToStream", "more than fifty"),
    ends: /ValidationException: .*less than or equal to 10/,
  },
  {
    why: "it changes the retention period in every state",
    meets: ({ operation, error }) =>
      operation.endsWith("RetentionPeriod") && error === "ResourceInUseException",
    ends: /\(no error\)$|can not be longer than existing/,
  },
];

/** Why a case does not apply to kinesalite, or undefined when it does. */
export function differenceOf(one: Case): Difference | undefined {
  return differences.find(({ meets }) => meets(one));
}
