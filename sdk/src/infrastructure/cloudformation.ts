/** A deployment as a template of CloudFormation, in JSON. */
import {
  type ConsumerPlan,
  type Deployment,
  type InfrastructureCode,
  type KeyPlan,
  noteOf,
  type StreamPlan,
} from "./deployment.ts";
import { Identifiers, logicalPart } from "./identifiers.ts";
import { isList, isMembers, isReferring, type PolicyNode, type Reference } from "./policy.ts";

/** What JSON can hold. */
type Json =
  | string
  | number
  | boolean
  | readonly Json[]
  | { readonly [member: string]: Json }
  | null;
type Members = { readonly [member: string]: Json };

const RESOURCES_MAX = 500;
const PARAMETERS_MAX = 200;
/** A template that is given with the call; a larger one is uploaded before. */
const DIRECT_BYTES_MAX = 51_200;
const TEMPLATE_BYTES_MAX = 1_048_576;
/** Characters; Kinesis itself takes one more. */
const TAG_VALUE_MAX = 255;

/** Logical ids of everything that a template makes. */
interface Ids {
  /** By stream. */
  readonly streams: ReadonlyMap<string, string>;
  /** By stream and consumer. */
  readonly consumers: ReadonlyMap<string, string>;
  /** By key id. */
  readonly keys: ReadonlyMap<string, string>;
  readonly identifiers: Identifiers;
}

/** Writes a template. */
export function writeCloudFormation(deployment: Deployment): InfrastructureCode {
  const ids = giveIds(deployment);
  const { engineName, streams, keys } = deployment;
  const resources = streams.flatMap((stream) => resourcesOf(stream, ids));
  const parameters = keys.map((key): [string, Json] => [
    idOf(ids.keys, key.keyId),
    parameterOf(key),
  ]);
  const template = (notes: readonly string[]): string => {
    const text = {
      AWSTemplateFormatVersion: "2010-09-09",
      Description: `Streams of the Millrace engine ${engineName}`,
      Metadata: { Millrace: { Engine: engineName, Notes: notes } },
      ...(parameters.length === 0 ? {} : { Parameters: Object.fromEntries(parameters) }),
      Resources: Object.fromEntries(resources),
    } satisfies Members;
    return `${JSON.stringify(text, undefined, 2)}\n`;
  };
  const notes = [...deployment.notes];
  const { length: bytes } = new TextEncoder().encode(template(notes));
  notes.push(...limitNotes(resources.length, parameters.length, bytes));
  return {
    text: template(notes),
    notes: [
      ...notes,
      ...streams.flatMap((stream) => notesOf(stream).map((note) => noteOf(stream, note))),
    ],
  };
}

function giveIds({ streams, keys }: Deployment): Ids {
  const identifiers = new Identifiers();
  const ids = {
    streams: new Map<string, string>(),
    consumers: new Map<string, string>(),
    keys: new Map<string, string>(),
    identifiers,
  };
  for (const { keyId, label } of keys) {
    ids.keys.set(keyId, identifiers.take(`Key${logicalPart(label)}`));
  }
  for (const { name } of streams) {
    ids.streams.set(name, identifiers.take(`Stream${logicalPart(name)}`));
  }
  for (const { name, consumers } of streams) {
    for (const consumer of consumers) {
      const wish = `Consumer${logicalPart(name)}${logicalPart(consumer.name)}`;
      ids.consumers.set(consumerKey(name, consumer.name), identifiers.take(wish));
    }
  }
  return ids;
}

function consumerKey(streamName: string, consumerName: string): string {
  return `${streamName}/${consumerName}`;
}

/** The id that was given; every plan names only what is planned. */
function idOf(ids: ReadonlyMap<string, string>, key: string): string {
  return ids.get(key) ?? "";
}

function parameterOf({ label, defaultName }: KeyPlan): Members {
  return {
    Type: "String",
    Description: `Key of KMS in the place of ${label}: its id, its ARN or an alias`,
    MinLength: 1,
    MaxLength: 2048,
    ...(defaultName === undefined ? {} : { Default: defaultName }),
  };
}

/** A stream's resources by their logical ids. */
function resourcesOf(stream: StreamPlan, ids: Ids): [string, Members][] {
  const { name, policy, consumers } = stream;
  const id = idOf(ids.streams, name);
  const resources: [string, Members][] = [[id, streamResource(stream, ids)]];
  if (policy !== undefined)
    resources.push(policyResource(id, { kind: "stream", streamName: name }, policy, ids));
  for (const consumer of consumers) {
    const consumerId = idOf(ids.consumers, consumerKey(name, consumer.name));
    resources.push([consumerId, consumerResource(consumer, id)]);
    if (consumer.policy === undefined) continue;
    const reference = { kind: "consumer", streamName: name, consumerName: consumer.name } as const;
    resources.push(policyResource(consumerId, reference, consumer.policy, ids));
  }
  return resources;
}

function streamResource(stream: StreamPlan, ids: Ids): Members {
  const { name, mode, shards, retentionHours, recordKibMax, warmMibps, shardMetrics, key } = stream;
  const notes = notesOf(stream);
  return {
    Type: "AWS::Kinesis::Stream",
    ...(notes.length === 0 ? {} : { Metadata: { Millrace: { Notes: notes } } }),
    Properties: {
      Name: name,
      StreamModeDetails: { StreamMode: mode },
      ...(mode === "PROVISIONED" ? { ShardCount: shards } : {}),
      ...(warmMibps > 0 ? { WarmThroughputMiBps: warmMibps } : {}),
      RetentionPeriodHours: retentionHours,
      MaxRecordSizeInKiB: recordKibMax,
      ...(shardMetrics.length === 0 ? {} : { DesiredShardLevelMetrics: shardMetrics }),
      ...(key === undefined
        ? {}
        : {
            StreamEncryption: { EncryptionType: "KMS", KeyId: { Ref: idOf(ids.keys, key.keyId) } },
          }),
      ...tagsOf(stream.tags),
    },
  };
}

function consumerResource({ name, tags }: ConsumerPlan, streamId: string): Members {
  return {
    Type: "AWS::Kinesis::StreamConsumer",
    Properties: {
      ConsumerName: name,
      StreamARN: { "Fn::GetAtt": [streamId, "Arn"] },
      ...tagsOf(tags),
    },
  };
}

function policyResource(
  ownerId: string,
  owner: Reference,
  policy: PolicyNode,
  ids: Ids,
): [string, Members] {
  return [
    ids.identifiers.take(`${ownerId}Policy`),
    {
      Type: "AWS::Kinesis::ResourcePolicy",
      Properties: {
        ResourceArn: standingFor(owner, ids),
        ResourcePolicy: documentOf(policy, ids),
      },
    },
  ];
}

/** A policy document with CloudFormation's functions in the place of references. */
function documentOf(node: PolicyNode, ids: Ids): Json {
  if (isReferring(node)) {
    const [first, ...others] = node.parts;
    if (first !== undefined && typeof first !== "string" && others.length === 0) {
      return standingFor(first, ids);
    }
    const texts = node.parts.map((part) =>
      typeof part === "string" ? part.replaceAll("${", "${!") : `\${${substituteOf(part, ids)}}`,
    );
    return { "Fn::Sub": texts.join("") };
  }
  if (isList(node)) return node.map((one) => documentOf(one, ids));
  if (!isMembers(node)) return node;
  return Object.fromEntries(
    Object.entries(node).map(([member, value]) => [member, documentOf(value, ids)]),
  );
}

/** A reference that stands by itself. */
function standingFor(reference: Reference, ids: Ids): Members {
  const name = substituteOf(reference, ids);
  if (reference.kind === "stream" || reference.kind === "consumer") {
    return { "Fn::GetAtt": name.split(".") };
  }
  return { Ref: name };
}

/** A reference within a text. */
function substituteOf(reference: Reference, ids: Ids): string {
  switch (reference.kind) {
    case "account":
      return "AWS::AccountId";
    case "region":
      return "AWS::Region";
    case "stream":
      return `${idOf(ids.streams, reference.streamName)}.Arn`;
    case "consumer": {
      const { streamName, consumerName } = reference;
      return `${idOf(ids.consumers, consumerKey(streamName, consumerName))}.ConsumerARN`;
    }
  }
}

function fits([, value]: readonly [string, string]): boolean {
  return value.length <= TAG_VALUE_MAX;
}

function tagsOf(tags: Readonly<Record<string, string>>): Members {
  const Tags = Object.entries(tags)
    .filter(fits)
    .map(([Key, Value]) => ({ Key, Value }));
  return Tags.length === 0 ? {} : { Tags };
}

/** What is told of a stream in a template. */
function notesOf({ notes, tags, consumers }: StreamPlan): string[] {
  const long = (whose: string, of: Readonly<Record<string, string>>): string[] =>
    Object.entries(of)
      .filter((tag) => !fits(tag))
      .map(
        ([key]) =>
          `${whose}tag ${JSON.stringify(key)} is not exported: its value has more than ${TAG_VALUE_MAX} characters.`,
      );
  return [
    ...notes,
    ...long("", tags),
    ...consumers.flatMap(({ name, tags: own }) => long(`consumer ${name}: `, own)),
  ];
}

function limitNotes(resources: number, parameters: number, bytes: number): string[] {
  const notes: string[] = [];
  if (resources > RESOURCES_MAX) {
    notes.push(
      `the template has ${resources} resources, and a stack takes ${RESOURCES_MAX}: divide it.`,
    );
  }
  if (parameters > PARAMETERS_MAX) {
    notes.push(
      `the template has ${parameters} parameters, and a stack takes ${PARAMETERS_MAX}: divide it.`,
    );
  }
  if (bytes > TEMPLATE_BYTES_MAX) {
    notes.push(
      `the template is larger than the ${TEMPLATE_BYTES_MAX} bytes that are taken: divide it.`,
    );
  } else if (bytes > DIRECT_BYTES_MAX) {
    notes.push(
      `the template is larger than ${DIRECT_BYTES_MAX} bytes: upload it to S3 to deploy it.`,
    );
  }
  return notes;
}
