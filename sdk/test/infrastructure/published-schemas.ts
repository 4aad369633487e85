/**
 * What AWS publishes of the resource types of CloudFormation, and the provider of those of Terraform: names of
 * properties, their types and limits. For machines that have no validator, and beside it on those that have.
 */
import { assert } from "chai";
import { type HclBlock, type HclValue, parseHcl } from "./hcl-parser.ts";

type Check = (value: unknown) => boolean;
type Schema = Readonly<Record<string, { readonly check: Check; readonly required?: boolean }>>;
type Members = Readonly<Record<string, unknown>>;

const NAME = /^[a-zA-Z0-9_.-]{1,128}$/;
const METRICS = [
  ...["IncomingBytes", "IncomingRecords", "OutgoingBytes", "OutgoingRecords"],
  ...["WriteProvisionedThroughputExceeded", "ReadProvisionedThroughputExceeded"],
  "IteratorAgeMilliseconds",
];

const isMembers = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isName: Check = (value) => typeof value === "string" && NAME.test(value);
const isOneOf =
  (...allowed: string[]): Check =>
  (value) =>
    typeof value === "string" && allowed.includes(value);
const isBetween =
  (min: number, max: number): Check =>
  (value) =>
    Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
const areMetrics: Check = (value) =>
  Array.isArray(value) && value.length > 0 && value.every(isOneOf(...METRICS));

function checkMembers(what: string, members: Members, schema: Schema): void {
  for (const [member, value] of Object.entries(members)) {
    const rule = schema[member];
    assert.isDefined(rule, `${what} has no ${member}`);
    assert.isTrue(rule?.check(value), `${what}.${member} is ${JSON.stringify(value)}`);
  }
  for (const [member, { required }] of Object.entries(schema)) {
    if (required) assert.property(members, member, what);
  }
}

const isTag: Check = (tag) =>
  isMembers(tag) &&
  Object.keys(tag).sort().join() === "Key,Value" &&
  typeof tag["Key"] === "string" &&
  [...tag["Key"]].length >= 1 &&
  [...tag["Key"]].length <= 128 &&
  typeof tag["Value"] === "string" &&
  tag["Value"].length <= 255;
const areTags: Check = (tags) => Array.isArray(tags) && tags.length <= 50 && tags.every(isTag);
const isAttribute =
  (attribute: string): Check =>
  (value) => {
    if (!isMembers(value) || !Array.isArray(value["Fn::GetAtt"])) return false;
    return value["Fn::GetAtt"][1] === attribute;
  };
const isParameter: Check = (value) => isMembers(value) && typeof value["Ref"] === "string";

const CLOUDFORMATION: Readonly<Record<string, Schema>> = {
  "AWS::Kinesis::Stream": {
    Name: { check: isName },
    StreamModeDetails: {
      check: (value) =>
        isMembers(value) && isOneOf("PROVISIONED", "ON_DEMAND")(value["StreamMode"]),
    },
    ShardCount: { check: isBetween(1, 100_000) },
    WarmThroughputMiBps: { check: isBetween(0, 10_240) },
    RetentionPeriodHours: { check: isBetween(24, 8760) },
    MaxRecordSizeInKiB: { check: isBetween(1024, 10_240) },
    DesiredShardLevelMetrics: { check: areMetrics },
    StreamEncryption: {
      check: (value) =>
        isMembers(value) && value["EncryptionType"] === "KMS" && isParameter(value["KeyId"]),
    },
    Tags: { check: areTags },
  },
  "AWS::Kinesis::StreamConsumer": {
    ConsumerName: { check: isName, required: true },
    StreamARN: { check: isAttribute("Arn"), required: true },
    Tags: { check: areTags },
  },
  "AWS::Kinesis::ResourcePolicy": {
    ResourceArn: {
      check: (value) => isAttribute("Arn")(value) || isAttribute("ConsumerARN")(value),
      required: true,
    },
    ResourcePolicy: { check: isMembers, required: true },
  },
};

/** A template as JSON has it. */
export interface Template {
  readonly Metadata: { readonly Millrace: { readonly Notes: readonly string[] } };
  readonly Parameters?: Readonly<Record<string, Members>>;
  readonly Resources: Readonly<
    Record<
      string,
      {
        readonly Type: string;
        readonly Properties: Members;
        readonly Metadata?: { readonly Millrace: { readonly Notes: readonly string[] } };
      }
    >
  >;
}

/** Reads a template and holds it against the published schemas. */
export function checkTemplate(text: string): Template {
  const template = JSON.parse(text) as Template;
  const allowed = [
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Resources",
  ];
  assert.includeMembers(allowed, Object.keys(template));
  // A name that stood twice would be one here, and twice in the text.
  const ids = [...Object.keys(template.Parameters ?? {}), ...Object.keys(template.Resources)];
  assert.lengthOf(new Set(ids), ids.length);
  for (const id of ids) {
    assert.match(id, /^[a-zA-Z0-9]{1,255}$/);
    const at = text.split(`\n    ${JSON.stringify(id)}: {`).length - 1;
    assert.strictEqual(at, 1, `${id} stands ${at} times`);
  }
  for (const [id, { Type, Properties }] of Object.entries(template.Resources)) {
    const schema = CLOUDFORMATION[Type];
    assert.isDefined(schema, Type);
    checkMembers(id, Properties, schema ?? {});
    for (const named of referencesOf(Properties)) assert.include(["AWS", ...ids], named);
  }
  return template;
}

/** Logical ids that functions name; `AWS` for pseudo parameters. */
function referencesOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(referencesOf);
  if (!isMembers(value)) return [];
  const { Ref, "Fn::GetAtt": attribute, "Fn::Sub": text } = value;
  if (typeof Ref === "string") return [Ref.split("::")[0] ?? ""];
  if (Array.isArray(attribute)) return [String(attribute[0])];
  if (typeof text === "string") {
    return [...text.matchAll(/\$\{([^!}][^}]*)\}/g)].map(
      ([, name = ""]) => name.split(/[:.]/)[0] ?? "",
    );
  }
  return Object.values(value).flatMap(referencesOf);
}

const isReference: Check = (value) => isMembers(value) && typeof value["reference"] === "string";
const isTagMap: Check = (value) =>
  isMembers(value) &&
  Object.entries(value).length <= 50 &&
  Object.values(value).every((text) => typeof text === "string" && [...text].length <= 256);

const TERRAFORM: Readonly<Record<string, Schema>> = {
  aws_kinesis_stream: {
    name: { check: isName, required: true },
    shard_count: { check: isBetween(1, 100_000) },
    warm_throughput_mib_ps: { check: isBetween(0, 10_240) },
    retention_period: { check: isBetween(24, 8760) },
    max_record_size_in_kib: { check: isBetween(1024, 10_240) },
    shard_level_metrics: { check: areMetrics },
    encryption_type: { check: isOneOf("NONE", "KMS") },
    kms_key_id: { check: isReference },
    tags: { check: isTagMap },
  },
  aws_kinesis_stream_consumer: {
    name: { check: isName, required: true },
    stream_arn: { check: isReference, required: true },
    tags: { check: isTagMap },
  },
  aws_kinesis_resource_policy: {
    resource_arn: { check: isReference, required: true },
    policy: { check: (value) => isMembers(JSON.parse(String(value))), required: true },
  },
};

/** A resource of a configuration. */
export interface TerraformResource {
  readonly type: string;
  readonly name: string;
  readonly values: Readonly<Record<string, HclValue>>;
  readonly mode: HclValue | undefined;
  readonly comments: readonly string[];
}

/** A configuration that was read. */
export interface Configuration {
  readonly root: HclBlock;
  readonly resources: readonly TerraformResource[];
}

/** Reads a configuration and holds it against the published schemas. */
export function checkConfiguration(text: string): Configuration {
  const root = parseHcl(text);
  const addresses = root.blocks.map(({ type, labels }) => [type, ...labels].join("."));
  assert.lengthOf(new Set(addresses), addresses.length, "a name stands twice");
  const resources = root.blocks.filter(({ type }) => type === "resource").map(resourceOf);
  for (const { type, name, values } of resources) {
    assert.match(name, /^[a-zA-Z_][a-zA-Z0-9_-]*$/);
    checkMembers(`${type}.${name}`, values, TERRAFORM[type] ?? {});
    for (const named of namesIn(values)) {
      const [kind = "", ...rest] = named.split(".");
      const address =
        kind === "var"
          ? `variable.${rest[0]}`
          : kind === "data"
            ? `data.${rest[0]}.${rest[1]}`
            : `resource.${kind}.${rest[0]}`;
      assert.include(addresses, address);
    }
  }
  return { root, resources };
}

function resourceOf({ labels, attributes, blocks, comments }: HclBlock): TerraformResource {
  const [type = "", name = ""] = labels;
  assert.property(TERRAFORM, type);
  const values = Object.fromEntries(attributes);
  assert.deepEqual(
    blocks.map((one) => one.type),
    type === "aws_kinesis_stream" ? ["stream_mode_details"] : [],
  );
  return { type, name, values, comments, mode: blocks[0]?.attributes.get("stream_mode") };
}

/** Addresses that values refer to. */
function namesIn(value: unknown): string[] {
  if (typeof value === "string") {
    return [...value.matchAll(/\$\{((?:data\.)?aws_[^}]*)\}/g)].map(([, name = ""]) => name);
  }
  if (Array.isArray(value)) return value.flatMap(namesIn);
  if (!isMembers(value)) return [];
  const { reference } = value;
  return typeof reference === "string" ? [reference] : Object.values(value).flatMap(namesIn);
}
