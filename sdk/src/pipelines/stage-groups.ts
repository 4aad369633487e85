/** What an engine has of stages: the streams that they write, their groups, and how far those are. */
import {
  type EngineClient,
  type GroupDescription,
  ResourceInUseError,
  ResourceNotFoundError,
  type StreamDescription,
} from "@millrace/engine";
import { refuse } from "../check.ts";
import { type ConsumerGroup, getGroup, openGroup } from "../groups/consumer-group.ts";
import { completeSpec } from "../stream-spec.ts";
import type { PipelineEdge } from "./pipeline-types.ts";
import { checkGraph, nodesOf, type Stage } from "./stage-graph.ts";

/** A stage with its consumer group. */
export interface StageGroup {
  readonly stage: Stage;
  readonly group: ConsumerGroup;
}

/**
 * Creates the streams that stages write and that there are not, and opens the group of each stage.
 *
 * @throws InvalidArgumentError for stages that lead back, or none, and for an aggregation of a stream whose
 * distribution is AUTO; ResourceNotFoundError for a source that there is not; ResourceInUseError when another
 * stream has a group of a stage's name.
 */
export async function openStages(
  client: EngineClient,
  stages: readonly Stage[],
  failoverMs: number | undefined,
): Promise<StageGroup[]> {
  checkGraph(stages);
  const streams = new Map<string, StreamDescription>();
  for (const { streamName, role } of nodesOf(stages)) {
    const shards = stages.filter(({ to }) => to === streamName).map((one) => one.shards);
    streams.set(streamName, await openStream(client, streamName, role === "source", shards));
  }
  const groups: StageGroup[] = [];
  for (const stage of stages) {
    const stream = streams.get(stage.from);
    if (stream === undefined) continue;
    refuseScattered(stage, stream);
    const group = await openGroup(client, stream, stage.groupName, groupOptions(stage, failoverMs));
    groups.push({ stage, group });
  }
  return groups;
}

/** What a stage's group is made with. */
export function groupOptions({ position }: Stage, failoverMs: number | undefined) {
  return { from: position, ...(failoverMs === undefined ? {} : { failoverMs }) };
}

/** A stage as a graph has it, with how far its group is over all threads. */
export async function describeEdge(
  client: EngineClient,
  edge: Omit<PipelineEdge, "group" | "lagRecords" | "iteratorAgeMs">,
): Promise<PipelineEdge> {
  const group = await findGroup(client, edge.groupName);
  const leases = group?.leases ?? [];
  return {
    ...edge,
    group,
    lagRecords: leases.reduce((sum, { lagRecords }) => sum + lagRecords, 0),
    iteratorAgeMs: Math.max(0, ...leases.map(({ iteratorAgeMs }) => iteratorAgeMs)),
  };
}

/** Deletes groups with checkpoints and state; none of them needs to be there. */
export async function deleteGroups(client: EngineClient, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await unlessGone(async () => (await getGroup(client, name)).delete());
    // A group whose stream is gone has no consumer to be deleted with.
    await unlessGone(() => client.call("groupsDelete", { name }));
  }
}

async function unlessGone(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ResourceNotFoundError)) throw error;
  }
}

async function findGroup(
  client: EngineClient,
  name: string,
): Promise<GroupDescription | undefined> {
  try {
    return await client.call("groupsDescribe", { name });
  } catch (error) {
    if (error instanceof ResourceNotFoundError) return undefined;
    throw error;
  }
}

/** A stream of the pipeline, created when one of its stages writes it. @throws ResourceNotFoundError. */
async function openStream(
  client: EngineClient,
  name: string,
  source: boolean,
  shards: readonly number[],
): Promise<StreamDescription> {
  try {
    return await client.call("describeStream", { name });
  } catch (error) {
    if (source || !(error instanceof ResourceNotFoundError)) throw error;
  }
  try {
    const spec = completeSpec(name, { shards: Math.max(...shards) });
    return await client.call("createStream", spec);
  } catch (error) {
    // Another tab runs the same pipeline.
    if (!(error instanceof ResourceInUseError)) throw error;
    return await client.call("describeStream", { name });
  }
}

/** Records of a key must be together where they are aggregated. @throws InvalidArgumentError. */
function refuseScattered({ name, operators }: Stage, stream: StreamDescription): void {
  const aggregates = operators.some(({ kind }) => kind === "aggregate");
  if (!aggregates || stream.distribution !== "AUTO") return;
  const must = "by partition key for an aggregation, unless keyBy stands before it";
  refuse(`the distribution of ${stream.name}, which stage ${name} reads,`, must, "AUTO", "keyBy");
}
