/** A deployment as a configuration of Terraform, for hashicorp/aws. */
import {
  type ConsumerPlan,
  type Deployment,
  type InfrastructureCode,
  type KeyPlan,
  noteOf,
  type StreamPlan,
} from "./deployment.ts";
import {
  attributes,
  block,
  comment,
  escapeTemplate,
  escapeTrailingSigns,
  hclAsciiText,
  hclList,
  hclText,
  indent,
} from "./hcl.ts";
import { Identifiers, terraformName } from "./identifiers.ts";
import { isList, isMembers, isReferring, type PolicyNode, type Reference } from "./policy.ts";

/** The provider knows the largest record since 6.20.0, and warm throughput since 6.48.0. */
const PROVIDER = { usual: "6.20.0", warm: "6.48.0" } as const;
/** No line of JSON is this one. */
const POLICY_END = "POLICY";

/** Names of everything that a configuration makes. */
interface Names {
  /** By stream. */
  readonly streams: ReadonlyMap<string, string>;
  /** By stream and consumer. */
  readonly consumers: ReadonlyMap<string, string>;
  /** Of variables, by key id. */
  readonly keys: ReadonlyMap<string, string>;
}

/** Writes a configuration. */
export function writeTerraform(deployment: Deployment): InfrastructureCode {
  const { engineName, streams, keys, notes } = deployment;
  const names = giveNames(deployment);
  const resources = streams.flatMap((stream) => streamBlocks(stream, names));
  const used = (source: string): boolean =>
    resources.some((lines) => lines.some((line) => line.includes(source)));
  const sources = [
    ["data.aws_caller_identity.current", 'data "aws_caller_identity" "current" {}'],
    ["data.aws_region.current", 'data "aws_region" "current" {}'],
  ] as const;
  const head = [comment(`Streams of the Millrace engine ${engineName}.`), ...notes.map(comment)];
  const pieces = [
    head,
    requirements(streams.some(({ warmMibps }) => warmMibps > 0)),
    ...sources.filter(([source]) => used(source)).map(([, line]) => [line]),
    ...keys.map((key) => variableBlock(key, names)),
    ...resources,
  ];
  return {
    text: `${pieces.map((lines) => lines.join("\n")).join("\n\n")}\n`,
    notes: [
      ...notes,
      ...streams.flatMap((stream) => notesOf(stream).map((note) => noteOf(stream, note))),
    ],
  };
}

function giveNames({ streams, keys }: Deployment): Names {
  const names = {
    streams: new Map<string, string>(),
    consumers: new Map<string, string>(),
    keys: new Map<string, string>(),
  };
  // Policies bear the names of streams and consumers alike; variables do not get in their way.
  const ofResources = new Identifiers();
  const ofKeys = new Identifiers();
  for (const { keyId, label } of keys) {
    names.keys.set(keyId, ofKeys.take(`key_${terraformName(label)}`));
  }
  for (const { name, consumers } of streams) {
    names.streams.set(name, ofResources.take(terraformName(name)));
    for (const consumer of consumers) {
      const identifier = ofResources.take(terraformName(name, consumer.name));
      names.consumers.set(consumerKey(name, consumer.name), identifier);
    }
  }
  return names;
}

function consumerKey(streamName: string, consumerName: string): string {
  return `${streamName}/${consumerName}`;
}

function requirements(warm: boolean): string[] {
  const source = attributes([
    ["source", hclText("hashicorp/aws")],
    ["version", hclText(`>= ${warm ? PROVIDER.warm : PROVIDER.usual}`)],
  ]);
  return block("terraform", block("required_providers", block("aws =", source)));
}

function variableBlock({ keyId, label, defaultName }: KeyPlan, names: Names): string[] {
  return block(
    `variable ${hclText(names.keys.get(keyId) ?? "")}`,
    attributes([
      ["description", hclText(`Key of KMS in the place of ${label}: its id, its ARN or an alias`)],
      ["type", "string"],
      ...(defaultName === undefined ? [] : [["default", hclText(defaultName)] as const]),
    ]),
  );
}

function streamBlocks(stream: StreamPlan, names: Names): string[][] {
  const { name, policy, consumers } = stream;
  const blocks = [[...notesOf(stream).map(comment), ...streamBlock(stream, names)]];
  const add = (identifier: string, owner: Reference, node: PolicyNode | undefined): void => {
    if (node !== undefined) blocks.push(policyBlock({ identifier, owner, node, names }));
  };
  add(names.streams.get(name) ?? "", { kind: "stream", streamName: name }, policy);
  for (const consumer of consumers) {
    const { name: consumerName } = consumer;
    const identifier = names.consumers.get(consumerKey(name, consumerName)) ?? "";
    blocks.push(consumerBlock(consumer, identifier, name, names));
    add(identifier, { kind: "consumer", streamName: name, consumerName }, consumer.policy);
  }
  return blocks;
}

function streamBlock(stream: StreamPlan, names: Names): string[] {
  const { name, mode, shards, retentionHours, recordKibMax, warmMibps, shardMetrics, key } = stream;
  const pairs: [string, string][] = [["name", hclText(name)]];
  if (mode === "PROVISIONED") pairs.push(["shard_count", String(shards)]);
  if (warmMibps > 0) pairs.push(["warm_throughput_mib_ps", String(warmMibps)]);
  pairs.push(["retention_period", String(retentionHours)]);
  pairs.push(["max_record_size_in_kib", String(recordKibMax)]);
  if (shardMetrics.length > 0) pairs.push(["shard_level_metrics", hclList(shardMetrics)]);
  if (key !== undefined) {
    pairs.push(["encryption_type", hclText("KMS")]);
    pairs.push(["kms_key_id", `var.${names.keys.get(key.keyId) ?? ""}`]);
  }
  const modeBlock = block("stream_mode_details", attributes([["stream_mode", hclText(mode)]]));
  return block(`resource "aws_kinesis_stream" ${hclText(names.streams.get(name) ?? "")}`, [
    ...attributes(pairs),
    "",
    ...modeBlock,
    ...tagLines(stream.tags),
  ]);
}

function consumerBlock(
  { name, tags }: ConsumerPlan,
  identifier: string,
  streamName: string,
  names: Names,
): string[] {
  return block(`resource "aws_kinesis_stream_consumer" ${hclText(identifier)}`, [
    ...attributes([
      ["name", hclText(name)],
      ["stream_arn", expressionOf({ kind: "stream", streamName }, names)],
    ]),
    ...tagLines(tags),
  ]);
}

function policyBlock(policy: {
  readonly identifier: string;
  readonly owner: Reference;
  readonly node: PolicyNode;
  readonly names: Names;
}): string[] {
  const { identifier, owner, node, names } = policy;
  const open = `resource "aws_kinesis_resource_policy" ${hclText(identifier)} {`;
  return [
    open,
    `  resource_arn = ${expressionOf(owner, names)}`,
    "",
    `  policy = <<${POLICY_END}`,
    ...jsonOf(node, names).split("\n"),
    POLICY_END,
    "}",
  ];
}

function tagLines(tags: Readonly<Record<string, string>>): string[] {
  const pairs = Object.entries(tags).map(
    ([key, value]) => [hclAsciiText(key), hclText(value)] as const,
  );
  return pairs.length === 0 ? [] : ["", ...block("tags =", attributes(pairs))];
}

/** A policy document as lines of JSON in a template. What a reference stands for needs no escape in JSON. */
function jsonOf(node: PolicyNode, names: Names): string {
  if (isReferring(node)) {
    const texts = node.parts.map((part, i) => {
      if (typeof part !== "string") return `\${${expressionOf(part, names)}}`;
      const text = literalJson(part).slice(1, -1);
      const next = node.parts[i + 1];
      return next === undefined || typeof next === "string" ? text : escapeTrailingSigns(text);
    });
    return `"${texts.join("")}"`;
  }
  if (isList(node))
    return enclosed(
      "[",
      node.map((one) => jsonOf(one, names)),
      "]",
    );
  if (!isMembers(node)) return literalJson(node);
  const members = Object.entries(node).map(
    ([member, value]) => `${literalJson(member)}: ${jsonOf(value, names)}`,
  );
  return enclosed("{", members, "}");
}

function literalJson(value: string | number | boolean | null): string {
  return escapeTemplate(JSON.stringify(value));
}

function enclosed(open: string, items: readonly string[], close: string): string {
  if (items.length === 0) return `${open}${close}`;
  return [open, ...indent(items.join(",\n").split("\n")), close].join("\n");
}

function expressionOf(reference: Reference, names: Names): string {
  switch (reference.kind) {
    case "account":
      return "data.aws_caller_identity.current.account_id";
    case "region":
      return "data.aws_region.current.region";
    case "stream":
      return `aws_kinesis_stream.${names.streams.get(reference.streamName) ?? ""}.arn`;
    case "consumer": {
      const key = consumerKey(reference.streamName, reference.consumerName);
      return `aws_kinesis_stream_consumer.${names.consumers.get(key) ?? ""}.arn`;
    }
  }
}

/** What is told of a stream in a configuration. Terraform keeps texts in their composed form. */
function notesOf({ notes, tags, consumers }: StreamPlan): string[] {
  const texts = [tags, ...consumers.map((consumer) => consumer.tags)]
    .flatMap(Object.entries)
    .flat();
  const decomposed = texts.filter((text) => text.normalize("NFC") !== text);
  if (decomposed.length === 0) return [...notes];
  const listed = decomposed.map((text) => JSON.stringify(text)).join(", ");
  return [...notes, `Terraform changes texts of tags to their composed form: ${listed}.`];
}
