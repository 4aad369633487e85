/** Infrastructure code of engines: what it says is what they are, whatever they are called and tagged. */
import { type Millrace, open, type StreamDescription } from "millrace";
import { exportInfrastructure } from "millrace/infrastructure";
import { beforeAll, describe, expect, it } from "vitest";
import { clientOf } from "../../src/client-of.ts";
import { infrastructureOf } from "../../src/infrastructure/infrastructure-of.ts";
import { failureOf, openEngine } from "../support.ts";
import { checkConfiguration, checkTemplate, type Template } from "./published-schemas.ts";
import { arnOf, callerOf, fillAtRandom, policyOf } from "./support.ts";
import { Judge, nameValidators } from "./validators.ts";

/** Engines of the property test; the seeds are their numbers. */
const ENGINES = 12;
const TIMEOUT_MS = 240_000;

const judge = new Judge();

beforeAll(nameValidators);

/** Everything of an engine that both formats say, by AWS's own descriptions. */
async function describeAll(millrace: Millrace) {
  const call = callerOf(millrace);
  const streams = await millrace.streams.list();
  return await Promise.all(
    streams.map(async (stream) => {
      const { Consumers } = (await call("ListStreamConsumers", { StreamARN: stream.arn })) as {
        Consumers: { ConsumerName: string; ConsumerARN: string }[];
      };
      const { StreamDescriptionSummary: summary } = (await call("DescribeStreamSummary", {
        StreamName: stream.name,
      })) as {
        StreamDescriptionSummary: { EnhancedMonitoring: { ShardLevelMetrics: string[] }[] };
      };
      return {
        stream,
        metrics: summary.EnhancedMonitoring[0]?.ShardLevelMetrics ?? [],
        tags: await tagsOf(millrace, stream.arn),
        consumers: await Promise.all(
          Consumers.map(async ({ ConsumerName, ConsumerARN }) => ({
            name: ConsumerName,
            tags: await tagsOf(millrace, ConsumerARN),
          })),
        ),
      };
    }),
  );
}

async function tagsOf(millrace: Millrace, ResourceARN: string): Promise<Record<string, string>> {
  const { Tags } = (await callerOf(millrace)("ListTagsForResource", { ResourceARN })) as {
    Tags: { Key: string; Value?: string }[];
  };
  return Object.fromEntries(Tags.map(({ Key, Value = "" }) => [Key, Value]));
}

type Described = Awaited<ReturnType<typeof describeAll>>;

function shardsOf({ mode, shards }: StreamDescription): number | undefined {
  return mode === "PROVISIONED" ? shards : undefined;
}

/** What a template says, in the shape of the descriptions. */
function readTemplate(template: Template) {
  const resources = Object.entries(template.Resources);
  const asTags = (tags: unknown) =>
    Object.fromEntries(
      ((tags ?? []) as { Key: string; Value: string }[]).map(({ Key, Value }) => [Key, Value]),
    );
  return resources
    .filter(([, { Type }]) => Type === "AWS::Kinesis::Stream")
    .map(([id, { Properties }]) => ({
      ...Properties,
      Tags: asTags(Properties["Tags"]),
      consumers: resources
        .filter(([, { Properties: own }]) => {
          const arn = own["StreamARN"] as { "Fn::GetAtt": string[] } | undefined;
          return arn?.["Fn::GetAtt"][0] === id;
        })
        .map(([, { Properties: own }]) => ({
          name: own["ConsumerName"],
          tags: asTags(own["Tags"]),
        })),
    }));
}

function expectTemplate(template: Template, described: Described): void {
  expect(readTemplate(template)).toEqual(
    described.map(({ stream, metrics, tags, consumers }) => ({
      Name: stream.name,
      StreamModeDetails: { StreamMode: stream.mode },
      ...(stream.mode === "PROVISIONED" ? { ShardCount: stream.shards } : {}),
      RetentionPeriodHours: stream.retentionHours,
      MaxRecordSizeInKiB: stream.recordKibMax,
      ...(metrics.length === 0 ? {} : { DesiredShardLevelMetrics: metrics }),
      ...(stream.encryption === null
        ? {}
        : { StreamEncryption: { EncryptionType: "KMS", KeyId: { Ref: expect.any(String) } } }),
      Tags: tags,
      consumers,
    })),
  );
  const keyIds = described.flatMap(({ stream }) => stream.encryption?.masterKeyId ?? []);
  expect(Object.keys(template.Parameters ?? {})).toHaveLength(new Set(keyIds).size);
}

function expectConfiguration(text: string, described: Described): void {
  const { resources } = checkConfiguration(text);
  const streams = resources.filter(({ type }) => type === "aws_kinesis_stream");
  const consumers = resources.filter(({ type }) => type === "aws_kinesis_stream_consumer");
  expect(
    streams.map(({ name, values, mode }) => ({
      ...{ name: values["name"], shards: values["shard_count"], mode },
      ...{ retention: values["retention_period"], size: values["max_record_size_in_kib"] },
      metrics: values["shard_level_metrics"] ?? [],
      encryption: values["encryption_type"],
      tags: values["tags"] ?? {},
      consumers: consumers
        .filter(({ values: own }) => {
          const arn = own["stream_arn"] as { reference: string };
          return arn.reference === `aws_kinesis_stream.${name}.arn`;
        })
        .map(({ values: own }) => ({ name: own["name"], tags: own["tags"] ?? {} })),
    })),
  ).toEqual(
    described.map(({ stream, metrics, tags, consumers: own }) => ({
      ...{ name: stream.name, shards: shardsOf(stream), mode: stream.mode },
      ...{ retention: stream.retentionHours, size: stream.recordKibMax },
      encryption: stream.encryption === null ? undefined : "KMS",
      ...{ metrics, tags, consumers: own },
    })),
  );
}

describe("infrastructure code of random engines", () => {
  it(
    "parses, names everything once and says what the engines say",
    async () => {
      for (let seed = 0; seed < ENGINES; seed += 1) {
        const millrace = await open({ name: `random-${seed}`, storage: "memory" });
        await fillAtRandom(millrace, seed);
        const described = await describeAll(millrace);
        const template = await exportInfrastructure(millrace, { format: "cloudformation" });
        const configuration = await exportInfrastructure(millrace, { format: "terraform" });
        await millrace.close();
        expectTemplate(checkTemplate(template), described);
        expectConfiguration(configuration, described);
        judge.note(template, configuration);
      }
    },
    TIMEOUT_MS,
  );

  it("tells the same of the same engine, and every note in the text", async () => {
    const millrace = await openEngine();
    await fillAtRandom(millrace, 5);
    for (const format of ["cloudformation", "terraform"] as const) {
      const { text, notes } = await infrastructureOf(clientOf(millrace), format);
      expect(await exportInfrastructure(millrace, { format })).toBe(text);
      expect(notes.length).toBeGreaterThan(2);
      for (const note of notes) {
        const told = note.replace(/^stream [a-zA-Z0-9_.-]+: /, "");
        expect(text).toContain(format === "terraform" ? `# ${told}` : JSON.stringify(told));
      }
    }
  });
});

describe("names", () => {
  it("that identifiers cannot hold stay apart, and do not depend on each other", async () => {
    const names = [
      "a.b",
      "a-b",
      "a_b",
      "aB",
      "AB",
      "ab",
      "a--b",
      "a",
      "1",
      "-",
      "_",
      "..",
      "--",
      "H",
    ];
    const long = ["x".repeat(128), `${"x".repeat(127)}y`, "-".repeat(128), "-".repeat(127)];
    const consumers = ["a", "b", "-b", "b-", "a.b", "1"];
    const millrace = await openEngine();
    const call = callerOf(millrace);
    for (const name of [...names, ...long]) {
      await millrace.streams.create(name);
      for (const ConsumerName of consumers) {
        await call("RegisterStreamConsumer", { StreamARN: arnOf(name), ConsumerName });
      }
    }
    const before = await millrace.streams.list();
    const idsOf = (template: Template) =>
      new Map(Object.entries(template.Resources).map(([id, { Properties }]) => [id, Properties]));
    const template = await exportInfrastructure(millrace, { format: "cloudformation" });
    const configuration = await exportInfrastructure(millrace, { format: "terraform" });
    const ids = idsOf(checkTemplate(template));
    expect(ids.size).toBe(before.length * (1 + consumers.length));
    expect(checkConfiguration(configuration).resources).toHaveLength(ids.size);
    judge.note(template, configuration);
    // Whoever deploys again must not get another stream in the place of one that is full of records.
    for (const name of ["a.b", "ab", long[0] ?? ""]) await millrace.streams.delete(name);
    const fewer = idsOf(
      checkTemplate(await exportInfrastructure(millrace, { format: "cloudformation" })),
    );
    for (const [id, properties] of fewer) expect(ids.get(id)).toEqual(properties);
  });
});

describe("what is exported", () => {
  it("has keys as parameters, with their aliases", async () => {
    const millrace = await openEngine();
    const key = await millrace.keys.create({ alias: "alias/shop/orders" });
    const bare = await millrace.keys.create();
    const keyIds = ["alias/aws/kinesis", "alias/shop/orders", key.keyId, bare.keyId];
    for (const [i, keyId] of keyIds.entries()) {
      await (await millrace.streams.create(`stream${i}`)).startEncryption({ keyId });
    }
    const { Parameters, Resources } = checkTemplate(
      await exportInfrastructure(millrace, { format: "cloudformation" }),
    );
    const refs = Object.values(Resources).map(({ Properties }) => {
      const { KeyId } = Properties["StreamEncryption"] as { KeyId: { Ref: string } };
      return Parameters?.[KeyId.Ref]?.["Default"];
    });
    expect(refs).toEqual([
      "alias/aws/kinesis",
      "alias/shop/orders",
      "alias/shop/orders",
      undefined,
    ]);
    expect(Object.keys(Parameters ?? {})).toHaveLength(3);
    const { root } = checkConfiguration(
      await exportInfrastructure(millrace, { format: "terraform" }),
    );
    const defaults = root.blocks
      .filter(({ type }) => type === "variable")
      .map(({ attributes }) => attributes.get("default"));
    expect(new Set(defaults)).toEqual(
      new Set(["alias/aws/kinesis", "alias/shop/orders", undefined]),
    );
  });

  it("has on-demand streams with warm throughput, and a provider that knows it", async () => {
    const millrace = await openEngine();
    const call = callerOf(millrace);
    await call("UpdateAccountSettings", {
      MinimumThroughputBillingCommitment: { Status: "ENABLED" },
    });
    await call("CreateStream", {
      StreamName: "clicks",
      StreamModeDetails: { StreamMode: "ON_DEMAND" },
      WarmThroughputMiBps: 100,
      RecordDistributionStrategy: "AUTO",
    });
    const text = await exportInfrastructure(millrace, { format: "cloudformation" });
    const { Resources, Metadata } = checkTemplate(text);
    const { Properties, Metadata: own } = Resources["StreamClicks"] ?? expect.fail("no stream");
    expect(Properties).toMatchObject({ WarmThroughputMiBps: 100 });
    expect(Properties).not.toHaveProperty("ShardCount");
    expect(own?.Millrace.Notes.join("\n")).toMatch(/AUTO.*\n.*Advantage.*\n.*100 open shards/);
    expect(Metadata.Millrace.Notes.join("\n")).toMatch(/On-demand Advantage is a setting/);
    const configuration = await exportInfrastructure(millrace, { format: "terraform" });
    judge.note(text, configuration);
    expect(configuration).toMatch(/version = ">= 6\.48\.0"/);
    const { resources } = checkConfiguration(configuration);
    expect(resources[0]?.values).toMatchObject({ warm_throughput_mib_ps: 100 });
    expect(resources[0]?.values).not.toHaveProperty("shard_count");
  });

  it("tells what has no counterpart, and nothing where there is nothing to tell", async () => {
    const millrace = await openEngine();
    await millrace.streams.create("plain", { shards: 3 });
    const odd = await millrace.streams.create("odd", {
      ...{ shards: 2, durability: "relaxed", whenFull: "drop-oldest" },
    });
    await odd.split("shardId-000000000000");
    await odd.group("dashboard");
    const scaled = await millrace.streams.create("scaled", { shards: 3 });
    await scaled.scale(6);
    const { Resources, Metadata } = checkTemplate(
      await exportInfrastructure(millrace, { format: "cloudformation" }),
    );
    expect(Resources["StreamPlain"]).not.toHaveProperty("Metadata");
    // Halves of thirds are sixths, but for a hash key here and there.
    expect(Resources["StreamScaled"]).not.toHaveProperty("Metadata");
    const notes = Resources["StreamOdd"]?.Metadata?.Millrace.Notes ?? [];
    expect(notes).toHaveLength(3);
    const { openShards } = await odd.describe();
    for (const { startingHashKey, endingHashKey } of openShards) {
      expect(notes[2]).toContain(`${startingHashKey} to ${endingHashKey}`);
    }
    expect(Metadata.Millrace.Notes.at(-1)).toMatch(/^consumer group dashboard of stream odd/);
  });

  it("leaves out tags that CloudFormation cannot hold, and says which", async () => {
    const millrace = await openEngine();
    await millrace.streams.create("clicks");
    const Tags = { long: "x".repeat(256), short: "y".repeat(255), accent: "\u212b" };
    await callerOf(millrace)("TagResource", { ResourceARN: arnOf("clicks"), Tags });
    const text = await exportInfrastructure(millrace, { format: "cloudformation" });
    const { Properties, Metadata } =
      checkTemplate(text).Resources["StreamClicks"] ?? expect.fail("no stream");
    expect(Properties["Tags"]).toHaveLength(2);
    expect(Metadata?.Millrace.Notes.join()).toMatch(/tag "long" is not exported/);
    const configuration = await exportInfrastructure(millrace, { format: "terraform" });
    const { resources } = checkConfiguration(configuration);
    judge.note(text, configuration);
    expect(resources[0]?.values["tags"]).toEqual(Tags);
    expect(resources[0]?.comments.join()).toMatch(/composed form: "\u212b"/);
  });

  it("says when one template cannot take it all", async () => {
    const millrace = await openEngine();
    const call = callerOf(millrace);
    for (let i = 0; i < 26; i += 1) {
      await millrace.streams.create(`stream${i}`);
      for (let j = 0; j < 20; j += 1) {
        const StreamARN = arnOf(`stream${i}`);
        await call("RegisterStreamConsumer", { StreamARN, ConsumerName: `consumer${j}` });
      }
    }
    const { Metadata } = checkTemplate(
      await exportInfrastructure(millrace, { format: "cloudformation" }),
    );
    const notes = Metadata.Millrace.Notes.join("\n");
    expect(notes).toMatch(/has 546 resources, and a stack takes 500/);
    expect(notes).toMatch(/larger than 51200 bytes/);
  });

  it("is refused for other formats, other options, and engines without streams", async () => {
    const millrace = await openEngine();
    const wish: { format: string } = { format: "pulumi" };
    expect(await failureOf(exportInfrastructure(millrace, wish as never))).toMatchObject({
      argument: "options.format",
    });
    const more = { format: "terraform", region: "eu" } as { format: "terraform" };
    expect(await failureOf(exportInfrastructure(millrace, more))).toMatchObject({
      argument: "options.region",
    });
    const failure = await failureOf(exportInfrastructure(millrace, { format: "terraform" }));
    expect(failure).toMatchObject({ code: "ResourceNotFoundException", argument: "name" });
  });

  it("does not ask whoever a policy keeps out", async () => {
    const millrace = await openEngine();
    await millrace.streams.create("clicks");
    const Policy = policyOf(arnOf("clicks"), {
      Effect: "Deny",
      Principal: "*",
      Action: "kinesis:*",
    });
    await callerOf(millrace)("PutResourcePolicy", { ResourceARN: arnOf("clicks"), Policy });
    const text = await exportInfrastructure(millrace, { format: "cloudformation" });
    expect(checkTemplate(text).Resources).toHaveProperty("StreamClicksPolicy");
  });
});

describe("the tools' own validators, where the machine has them", () => {
  it("take every template above", () => judge.lintTemplates(), TIMEOUT_MS);
  it("take every configuration above", () => judge.loadConfigurations(), TIMEOUT_MS);
});
