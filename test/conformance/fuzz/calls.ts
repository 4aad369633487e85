/** Random calls that follow each other as an application's would: right names, adjacent shards, live iterators. */
import { type OperationName, operations, structureShape } from "@millrace/engine/model";
import type { SeededRandom } from "../../../engine/host/src/platform/seeded-random.ts";
import { type KnownValues, randomInput } from "../../../engine/host/test/support/fuzz.ts";
import { COLLEAGUE, type KnownNames, policyOf, STRANGER } from "./names.ts";

/** A call to be made. */
export interface FuzzCall {
  readonly operation: OperationName;
  readonly input: unknown;
  readonly principal: string | undefined;
}

/** An open shard, as the last listing of its stream showed it. */
export interface KnownShard {
  readonly shardId: string;
  readonly start: bigint;
  readonly end: bigint;
}

type Members = Record<string, unknown>;

const KEYS = ["ada", "bob", "\u{1f600}", "k".repeat(256), "1", "2", "3", "4", "5"];

/** How much more often than once in a round an operation is called. */
const WEIGHTS: Partial<Record<OperationName, number>> = {
  CreateStream: 4,
  CreateChannel: 3,
  PutResourcePolicy: 2,
  DescribeStream: 3,
  ListShards: 3,
  PutRecord: 10,
  PutRecords: 10,
  GetShardIterator: 10,
  GetRecords: 14,
  SplitShard: 4,
  MergeShards: 4,
  UpdateShardCount: 2,
  SubscribeToShard: 4,
  RegisterStreamConsumer: 3,
};

const NAMES = (Object.keys(operations) as OperationName[]).flatMap((name) =>
  Array.from({ length: WEIGHTS[name] ?? 1 }, () => name),
);

function without(input: Members, ...members: readonly string[]): Members {
  const left = { ...input };
  for (const member of members) delete left[member];
  return left;
}

/** What a channel needs to be created. */
function channelOf(StreamARN: unknown): Members {
  return {
    ServiceExecutionRoleARN: "arn:aws:iam::000000000000:role/delivery",
    StreamConfigurationList: [{ StreamARN, RecordConfiguration: { RecordFormatType: "JSON" } }],
    S3DestinationConfiguration: {
      DataFreshnessInSeconds: 300,
      StorageConfiguration: {
        BucketARN: "arn:aws:s3:::shop-lake",
        ExpectedBucketOwner: "000000000000",
        CompressionType: "GZIP",
      },
    },
    S3TablesDestinationConfiguration: undefined,
    EncryptionConfiguration: undefined,
  };
}

/** Makes the calls of one run. */
export class CallMaker {
  readonly #random: SeededRandom;
  readonly #names: KnownNames;
  readonly #openShards: ReadonlyMap<string, readonly KnownShard[]>;

  constructor(
    random: SeededRandom,
    names: KnownNames,
    openShards: ReadonlyMap<string, readonly KnownShard[]>,
  ) {
    this.#random = random;
    this.#names = names;
    this.#openShards = openShards;
  }

  next(nowMs: number): FuzzCall {
    const operation = this.#pick(NAMES) ?? "ListStreams";
    const known = this.#names.values(nowMs);
    const { input } = randomInput(operation, this.#random, { validShare: 0.8, known });
    const directed = this.#chance(0.8) ? this.#direct(operation, input, known) : input;
    return { operation, input: directed, principal: this.#principal() };
  }

  #principal(): string | undefined {
    const roll = this.#random.below(20);
    return roll === 0 ? STRANGER : roll === 1 ? COLLEAGUE : undefined;
  }

  /** Takes out what contradicts itself, and puts in what fits together. */
  #direct(
    operation: OperationName,
    { StreamId: _, ...input }: Members,
    known: KnownValues,
  ): Members {
    if (!this.#chance(0.1)) delete input["DryRun"];
    this.#name(operation, input, known);
    switch (operation) {
      case "SplitShard":
      case "MergeShards":
        return { ...input, ...this.#reshard(operation) };
      case "CreateStream":
        return this.#newStream(input, known);
      case "UpdateStreamMode":
        delete input["WarmThroughputMiBps"];
        return input;
      case "PutRecord":
        return { ...input, PartitionKey: this.#pick(KEYS) };
      case "PutRecords":
        return { ...input, Records: this.#records() };
      case "GetShardIterator":
        return this.#place(input, known);
      case "SubscribeToShard":
        return { ...input, StartingPosition: { Type: this.#pick(["LATEST", "TRIM_HORIZON"]) } };
      case "ListShards":
        return "NextToken" in input && this.#chance(0.3)
          ? { NextToken: input["NextToken"] }
          : without(input, "NextToken", "StreamCreationTimestamp");
      case "ListStreams":
      case "ListChannels":
      case "ListStreamConsumers":
        return this.#chance(0.3) ? input : without(input, "NextToken", "StreamCreationTimestamp");
      case "CreateChannel":
        return { ...input, ...channelOf(input["StreamARN"] ?? this.#pick(known["StreamARN"])) };
      case "PutResourcePolicy":
        return { ...input, Policy: this.#policy(input["ResourceARN"]) };
      case "GetRecords":
        return { ...without(input, "StreamARN"), ...this.#iterator(known) };
      default:
        return input;
    }
  }

  /** One name for what the call is about, and only one. */
  #name(operation: OperationName, input: Members, known: KnownValues): void {
    const { members } = structureShape(operations[operation].input);
    if (members["ConsumerARN"] !== undefined && members["ConsumerName"] !== undefined) {
      for (const member of ["StreamARN", "ConsumerName"]) input[member] = this.#pick(known[member]);
      delete input["ConsumerARN"];
    } else if (members["StreamName"] !== undefined) {
      input["StreamName"] = this.#pick(known["StreamName"]);
      delete input["StreamARN"];
    } else if (members["StreamARN"] !== undefined) {
      input["StreamARN"] = this.#pick(known["StreamARN"]);
    }
  }

  #policy(resourceArn: unknown): string {
    const effect = this.#pick(["Allow", "Deny"]) ?? "Allow";
    return policyOf(resourceArn, effect, this.#pick(["*", "Get*", "PutRecord"]) ?? "*");
  }

  #newStream(given: Members, known: KnownValues): Members {
    const input = without(given, "WarmThroughputMiBps", "RecordDistributionStrategy");
    if (!this.#chance(0.2)) delete input["StreamModeDetails"];
    return { ...input, ShardCount: this.#pick(known["ShardCount"]) };
  }

  #records(): Members[] {
    const data = (): Uint8Array => {
      const bytes = this.#chance(0.02) ? 300_000 : this.#random.below(200);
      return this.#random.fill(new Uint8Array(bytes));
    };
    const count = 1 + this.#random.below(this.#chance(0.1) ? 500 : 5);
    return Array.from({ length: count }, () => ({ PartitionKey: this.#pick(KEYS), Data: data() }));
  }

  /** An iterator with the members that its type wants, and no others. */
  #place(given: Members, known: KnownValues): Members {
    const { StartingSequenceNumber: _, Timestamp: __, ...input } = given;
    const type = input["ShardIteratorType"];
    const found = this.#pick([...this.#openShards]);
    if (found !== undefined && this.#chance(0.8)) {
      input["StreamName"] = found[0];
      input["ShardId"] = this.#pick(found[1])?.shardId ?? "0";
    }
    if (type === "AT_TIMESTAMP") return { ...input, Timestamp: this.#pick(known["Timestamp"]) };
    if (type === "TRIM_HORIZON" || type === "LATEST") return input;
    const StartingSequenceNumber = this.#pick(known["StartingSequenceNumber"]);
    return StartingSequenceNumber === undefined ? input : { ...input, StartingSequenceNumber };
  }

  /** One of the newest iterators, which are rarely expired. */
  #iterator(known: KnownValues): Members {
    const ShardIterator = this.#pick((known["ShardIterator"] ?? []).slice(-6));
    return ShardIterator === undefined ? {} : { ShardIterator };
  }

  #reshard(operation: "SplitShard" | "MergeShards"): Members {
    const found = this.#pick([...this.#openShards]);
    if (found === undefined) return {};
    const [StreamName, shards] = found;
    const at = this.#random.below(shards.length);
    const [one, next] = [shards[at], shards[at + 1]];
    if (one === undefined) return {};
    if (operation === "SplitShard") {
      const NewStartingHashKey = ((one.start + one.end + 1n) / 2n).toString();
      return { StreamName, ShardToSplit: one.shardId, NewStartingHashKey };
    }
    if (next === undefined) return { StreamName };
    return { StreamName, ShardToMerge: one.shardId, AdjacentShardToMerge: next.shardId };
  }

  #pick<Value>(values: readonly Value[] = []): Value | undefined {
    return values[this.#random.below(values.length)];
  }

  #chance(probability: number): boolean {
    return this.#random.below(1_000_000) < probability * 1_000_000;
  }
}
