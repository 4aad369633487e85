/** What there is to know of a service of AWS to call it: its client, its operations, and what its answers have. */
import type { InputOf, OperationName, OutputOf } from "@millrace/engine/model";

/** A service of AWS as `RemoteCalls` and the failure table know it. */
export interface AwsService {
  /** As errors call it: `Kinesis`. */
  readonly name: string;
  /** npm's name of the official client. */
  readonly packageName: string;
  /** The aggregated client in that package: `Kinesis`. */
  readonly className: string;
  /** Loads that package. */
  readonly load: () => Promise<object>;
  /** Operations of every one of its kind: what does not know one of them is another service. */
  readonly everywhere: ReadonlySet<string>;
  /** Names of the operations that change nothing, which may be made again without a thought. */
  readonly reads: RegExp;
  /** By operation, the member without which an answer is none of this service. */
  readonly needed: Readonly<Partial<Record<string, string>>>;
}

/** Operations by name, with what they take and give. */
export interface OperationTypes {
  readonly [name: string]: { readonly input: unknown; readonly output: unknown };
}

/** The operations of Kinesis. */
export type KinesisOperations = {
  readonly [Name in OperationName]: {
    readonly input: InputOf<Name>;
    readonly output: OutputOf<Name>;
  };
};

/** Kinesis Data Streams. */
export const KINESIS: AwsService = {
  name: "Kinesis",
  packageName: "@aws-sdk/client-kinesis",
  className: "Kinesis",
  load: () => import("@aws-sdk/client-kinesis"),
  everywhere: new Set<OperationName>([
    "CreateStream",
    "DeleteStream",
    "DescribeStreamSummary",
    "GetRecords",
    "GetShardIterator",
    "ListShards",
    "ListStreams",
    "PutRecords",
  ]),
  reads: /^(Describe|Get|List|Subscribe)/,
  needed: {
    DescribeStreamConsumer: "ConsumerDescription",
    DescribeStreamSummary: "StreamDescriptionSummary",
    GetRecords: "Records",
    GetShardIterator: "ShardIterator",
    ListShards: "Shards",
    ListStreams: "StreamNames",
    PutRecords: "Records",
    RegisterStreamConsumer: "Consumer",
    SubscribeToShard: "EventStream",
  } satisfies Partial<Record<OperationName, string>>,
};
