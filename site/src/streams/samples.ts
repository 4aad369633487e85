/** The calls behind a view of a stream, three ways: the SDK, the AWS SDK, the AWS command line. */
import type { CodeSample } from "../live/code-samples.ts";
import type { RecordsAddress } from "../places/address.ts";

const ENDPOINT = "--endpoint-url http://localhost:4567";

/** One act on streams, with what it takes. */
export type Act =
  | { readonly kind: "list" }
  | {
      readonly kind: "create";
      readonly stream: string;
      readonly mode: "PROVISIONED" | "ON_DEMAND";
      readonly shards: number;
      readonly retentionHours: number;
    }
  | { readonly kind: "delete"; readonly stream: string }
  | {
      readonly kind: "split";
      readonly stream: string;
      readonly shardId: string;
      readonly hashKey: string;
    }
  | {
      readonly kind: "merge";
      readonly stream: string;
      readonly shardId: string;
      readonly adjacent: string;
    }
  | { readonly kind: "scale"; readonly stream: string; readonly shards: number }
  | {
      readonly kind: "retain";
      readonly stream: string;
      readonly hours: number;
      readonly increase: boolean;
    }
  | { readonly kind: "shards"; readonly stream: string }
  | { readonly kind: "put"; readonly stream: string; readonly key: string; readonly data: string }
  | { readonly kind: "records"; readonly view: RecordsAddress };

/** `shardId-000000000007` of a shard's index. */
export function shardIdOf(shardIndex: number): string {
  return `shardId-${String(shardIndex).padStart(12, "0")}`;
}

function quote(text: string): string {
  return JSON.stringify(text);
}

/** A word of a shell's command line, whatever it holds. */
function word(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function aws(command: string, input: readonly (readonly [string, string])[]): string {
  const members = input.map(([name, value]) => `${name}: ${value}`).join(", ");
  return `import { KinesisClient, ${command}Command } from "@aws-sdk/client-kinesis";

const client = new KinesisClient(millrace.aws());
await client.send(new ${command}Command({${members === "" ? "" : ` ${members} `}}));`;
}

function cli(command: string, options: readonly string[]): string {
  const lines = [`aws kinesis ${command}`, ...options, ENDPOINT];
  return `# after: npx millrace serve\n${lines.join(" \\\n  ")}`;
}

function three(
  sdk: string,
  [command, input]: readonly [string, readonly (readonly [string, string])[]],
  [subcommand, options]: readonly [string, readonly string[]],
): CodeSample[] {
  return [
    { heading: "Millrace SDK", code: sdk },
    { heading: "AWS SDK for JavaScript", code: aws(command, input) },
    { heading: "AWS command line", code: cli(subcommand, options) },
  ];
}

function createSamples(act: Extract<Act, { kind: "create" }>): CodeSample[] {
  const { stream, mode, shards, retentionHours } = act;
  const onDemand = mode === "ON_DEMAND";
  const spec = onDemand ? `mode: "ON_DEMAND"` : `shards: ${shards}`;
  return three(
    `const stream = await millrace.streams.create(${quote(stream)}, {\n  ${spec},\n  retentionHours: ${retentionHours},\n});`,
    [
      "CreateStream",
      onDemand
        ? [
            ["StreamName", quote(stream)],
            ["StreamModeDetails", `{ StreamMode: "ON_DEMAND" }`],
          ]
        : [
            ["StreamName", quote(stream)],
            ["ShardCount", String(shards)],
          ],
    ],
    [
      "create-stream",
      [
        `--stream-name ${stream}`,
        onDemand ? "--stream-mode-details StreamMode=ON_DEMAND" : `--shard-count ${shards}`,
      ],
    ],
  );
}

function retainSamples({ stream, hours, increase }: Extract<Act, { kind: "retain" }>) {
  const command = increase ? "Increase" : "Decrease";
  return three(
    `await stream.retain(${hours}); // hours`,
    [
      `${command}StreamRetentionPeriod`,
      [
        ["StreamName", quote(stream)],
        ["RetentionPeriodHours", String(hours)],
      ],
    ],
    [
      `${command.toLowerCase()}-stream-retention-period`,
      [`--stream-name ${stream}`, `--retention-period-hours ${hours}`],
    ],
  );
}

function positionOf(view: RecordsAddress): {
  sdk: string;
  aws: readonly (readonly [string, string])[];
  cli: readonly string[];
} {
  const { from, atMs, sequence = "" } = view;
  if (from === "AT_TIMESTAMP") {
    const time = new Date(atMs ?? 0).toISOString();
    return {
      sdk: `new Date("${time}")`,
      aws: [["Timestamp", `new Date("${time}")`]],
      cli: [`--timestamp ${time}`],
    };
  }
  if (from === "TRIM_HORIZON" || from === "LATEST") return { sdk: quote(from), aws: [], cli: [] };
  const after = from === "AFTER_SEQUENCE_NUMBER" ? ", after: true" : "";
  return {
    sdk: `{ sequenceNumber: "${sequence}"${after} }`,
    aws: [["StartingSequenceNumber", quote(sequence)]],
    cli: [`--starting-sequence-number ${sequence}`],
  };
}

/** Records are read in two calls on AWS: an iterator, and with it the records of one shard. */
function recordsSamples(view: RecordsAddress): CodeSample[] {
  const { stream, shardIndex, from } = view;
  const position = positionOf(view);
  const shard = shardIndex === undefined ? "" : `, shard: "${shardIdOf(shardIndex)}"`;
  const shardId = shardIdOf(shardIndex ?? 0);
  const input = [
    ["StreamName", quote(stream)],
    ["ShardId", quote(shardId)],
    ["ShardIteratorType", quote(from)],
    ...position.aws,
  ] as const;
  const members = input.map(([name, value]) => `  ${name}: ${value},`).join("\n");
  return [
    {
      heading: "Millrace SDK",
      code: `const stream = await millrace.streams.get(${quote(stream)});
const options = { from: ${position.sdk}, until: "live"${shard} };
for await (const record of stream.read(options)) {
  console.log(record.arrivalMs, record.shardId, record.partitionKey, record.text());
}`,
    },
    {
      heading: "AWS SDK for JavaScript",
      code: `import { GetRecordsCommand, GetShardIteratorCommand, KinesisClient } from "@aws-sdk/client-kinesis";

const client = new KinesisClient(millrace.aws());
const { ShardIterator } = await client.send(new GetShardIteratorCommand({
${members}
}));
const { Records, NextShardIterator } = await client.send(
  new GetRecordsCommand({ ShardIterator, Limit: 500 }),
);`,
    },
    {
      heading: "AWS command line",
      code: `# after: npx millrace serve
iterator=$(aws kinesis get-shard-iterator \\
  --stream-name ${stream} --shard-id ${shardId} --shard-iterator-type ${from} \\
  ${[...position.cli, "--query ShardIterator --output text", ENDPOINT].join(" \\\n  ")})
aws kinesis get-records --shard-iterator "$iterator" --limit 500 ${ENDPOINT}`,
    },
  ];
}

function splitSamples({ stream, shardId, hashKey }: Extract<Act, { kind: "split" }>) {
  return three(
    `const [lower, upper] = await stream.split("${shardId}", "${hashKey}");`,
    [
      "SplitShard",
      [
        ["StreamName", quote(stream)],
        ["ShardToSplit", quote(shardId)],
        ["NewStartingHashKey", quote(hashKey)],
      ],
    ],
    [
      "split-shard",
      [`--stream-name ${stream} --shard-to-split ${shardId}`, `--new-starting-hash-key ${hashKey}`],
    ],
  );
}

function mergeSamples({ stream, shardId, adjacent }: Extract<Act, { kind: "merge" }>) {
  return three(
    `const merged = await stream.merge("${shardId}", "${adjacent}");`,
    [
      "MergeShards",
      [
        ["StreamName", quote(stream)],
        ["ShardToMerge", quote(shardId)],
        ["AdjacentShardToMerge", quote(adjacent)],
      ],
    ],
    [
      "merge-shards",
      [
        `--stream-name ${stream} --shard-to-merge ${shardId}`,
        `--adjacent-shard-to-merge ${adjacent}`,
      ],
    ],
  );
}

function scaleSamples({ stream, shards }: Extract<Act, { kind: "scale" }>) {
  return three(
    `await stream.scale(${shards});`,
    [
      "UpdateShardCount",
      [
        ["StreamName", quote(stream)],
        ["TargetShardCount", String(shards)],
        ["ScalingType", `"UNIFORM_SCALING"`],
      ],
    ],
    [
      "update-shard-count",
      [`--stream-name ${stream} --target-shard-count ${shards}`, "--scaling-type UNIFORM_SCALING"],
    ],
  );
}

function putSamples({ stream, key, data }: Extract<Act, { kind: "put" }>) {
  return three(
    `await stream.putRecord({ partitionKey: ${quote(key)}, data: ${quote(data)} });`,
    [
      "PutRecord",
      [
        ["StreamName", quote(stream)],
        ["PartitionKey", quote(key)],
        ["Data", `new TextEncoder().encode(${quote(data)})`],
      ],
    ],
    [
      "put-record",
      [
        `--stream-name ${stream} --partition-key ${word(key)}`,
        `--cli-binary-format raw-in-base64-out --data ${word(data)}`,
      ],
    ],
  );
}

/** Samples of one act. */
export function samplesOf(act: Act): CodeSample[] {
  switch (act.kind) {
    case "list":
      return three(
        "const streams = await millrace.streams.list();",
        ["ListStreams", []],
        ["list-streams", []],
      );
    case "create":
      return createSamples(act);
    case "delete":
      return three(
        `await millrace.streams.delete(${quote(act.stream)});`,
        ["DeleteStream", [["StreamName", quote(act.stream)]]],
        ["delete-stream", [`--stream-name ${act.stream}`]],
      );
    case "split":
      return splitSamples(act);
    case "merge":
      return mergeSamples(act);
    case "scale":
      return scaleSamples(act);
    case "retain":
      return retainSamples(act);
    case "shards":
      return three(
        `const stream = await millrace.streams.get(${quote(act.stream)});\nconst shards = await stream.shards(); // open and closed, with their parents`,
        ["ListShards", [["StreamName", quote(act.stream)]]],
        ["list-shards", [`--stream-name ${act.stream}`]],
      );
    case "put":
      return putSamples(act);
    case "records":
      return recordsSamples(act.view);
  }
}
