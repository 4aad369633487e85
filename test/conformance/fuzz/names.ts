/** What a fuzz run has learned: names, tokens and numbers of earlier answers, to be used in later calls. */
import type { KnownValues } from "../../../engine/host/test/support/fuzz.ts";

/** How many values of one kind are remembered; older ones give way. */
const REMEMBERED_MAX = 24;

/** Streams that calls are about; small, so that calls meet. */
export const STREAM_NAMES = ["a", "b", "c", "d.with-signs_1"] as const;
/** A stranger's principal, whom only policies let in. */
export const STRANGER = "arn:aws:iam::000000000000:role/frame/https://shop.example";
/** An access key's principal, whom only policies keep out. */
export const COLLEAGUE = "arn:aws:iam::000000000000:user/AKIDCOLLEAGUE0000000";

const ARN = "arn:aws:kinesis:us-east-1:000000000000";

/** Input members that take what an output member held. */
const TAKEN_BY: Readonly<Record<string, readonly string[]>> = {
  StreamARN: ["StreamARN", "ResourceARN"],
  ConsumerARN: ["ConsumerARN", "ResourceARN"],
  ChannelARN: ["ChannelARN", "ResourceARN"],
  ShardId: [
    "ShardId",
    "ShardToSplit",
    "ShardToMerge",
    "AdjacentShardToMerge",
    "ExclusiveStartShardId",
  ],
  SequenceNumber: ["StartingSequenceNumber", "SequenceNumber", "SequenceNumberForOrdering"],
  StartingSequenceNumber: ["StartingSequenceNumber", "SequenceNumber"],
  EndingSequenceNumber: ["StartingSequenceNumber", "SequenceNumber"],
  ContinuationSequenceNumber: ["StartingSequenceNumber", "SequenceNumber"],
  ShardIterator: ["ShardIterator"],
  NextShardIterator: ["ShardIterator"],
  NextToken: ["NextToken"],
  StartingHashKey: ["NewStartingHashKey", "ExplicitHashKey"],
  EndingHashKey: ["NewStartingHashKey", "ExplicitHashKey"],
  StreamCreationTimestamp: ["StreamCreationTimestamp", "Timestamp"],
  ApproximateArrivalTimestamp: ["Timestamp"],
};

/** A policy of a resource that lets somebody in, or keeps somebody out. */
export function policyOf(resourceArn: unknown, effect: string, action: string): string {
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "Fuzzed",
        Effect: effect,
        Principal: { AWS: effect === "Deny" ? COLLEAGUE : STRANGER },
        Action: `kinesis:${action}`,
        Resource: resourceArn,
      },
    ],
  });
}

function fixed(): Record<string, unknown[]> {
  return {
    StreamName: [...STREAM_NAMES],
    ExclusiveStartStreamName: [...STREAM_NAMES],
    ConsumerName: ["first", "second"],
    ChannelName: ["lake", "tables"],
    DryRun: [false, false, false, true],
    ShardCount: [1, 2, 3, 5],
    TargetShardCount: [1, 2, 3, 4, 5, 6, 8],
    Limit: [1, 2, 10, 100],
    MaxResults: [1, 2, 10, 100],
    RetentionPeriodHours: [23, 24, 25, 48, 168, 8760, 8761],
    MaxRecordSizeInKiB: [1024, 2048, 10_240],
    WarmThroughputMiBps: [1, 10, 100, 10_240],
    StreamModeDetails: [{ StreamMode: "PROVISIONED" }, { StreamMode: "ON_DEMAND" }],
    PartitionKey: ["ada", "bob", "", "\u{1f600}", "k".repeat(256)],
    ShardId: ["shardId-000000000000", "0", "shardId-000000000001", "shardId-000000009999"],
    StreamARN: STREAM_NAMES.map((name) => `${ARN}:stream/${name}`),
    ResourceARN: STREAM_NAMES.map((name) => `${ARN}:stream/${name}`),
    TagKeys: [["a"], ["a", "b"], ["aws:reserved"]],
    Tags: [{ a: "1" }, { b: "2", c: "" }],
    NewStartingHashKey: ["1", "170141183460469231731687303715884105728", "0"],
    ExplicitHashKey: ["0", "340282366920938463463374607431768211455"],
    EncryptionType: ["KMS", "KMS", "NONE"],
    KeyId: ["alias/aws/kinesis", "alias/aws/kinesis", "alias/no-such-key"],
  };
}

/** Values that later calls may use, by input member. */
export class KnownNames {
  readonly #fixed = fixed();
  readonly #learned = new Map<string, unknown[]>();

  /** Remembers whatever an answer holds that some input takes. */
  learn(answer: unknown): void {
    if (Array.isArray(answer)) {
      for (const one of answer) this.learn(one);
      return;
    }
    if (typeof answer !== "object" || answer === null) return;
    if (answer instanceof Date || answer instanceof Uint8Array) return;
    for (const [member, value] of Object.entries(answer)) {
      for (const taker of TAKEN_BY[member] ?? []) this.#remember(taker, value);
      this.learn(value);
    }
  }

  /** What a call may be made of now. */
  values(nowMs: number): KnownValues {
    const values: Record<string, unknown[]> = { ...this.#fixed };
    for (const [member, learned] of this.#learned) {
      values[member] = [...(values[member] ?? []), ...learned];
    }
    const ages = [-1000, 0, 1, 60_000, 3_600_000, 86_400_000];
    const times = ages.map((ageMs) => new Date(nowMs - ageMs));
    values["Timestamp"] = [...(values["Timestamp"] ?? []), ...times];
    return values;
  }

  #remember(member: string, value: unknown): void {
    if (typeof value !== "string" && !(value instanceof Date)) return;
    const known = this.#learned.get(member) ?? [];
    if (known.includes(value)) return;
    known.push(value);
    if (known.length > REMEMBERED_MAX) known.shift();
    this.#learned.set(member, known);
  }
}
