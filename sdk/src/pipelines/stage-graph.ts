/** The stages of a pipeline as a graph without cycles: streams are its nodes, stages its edges. */
import { InvalidArgumentError } from "@millrace/engine";
import { refuse } from "../check.ts";
import type { GroupStart } from "../groups/group-types.ts";
import type { Operator } from "./operators.ts";
import type { PipelineNode, ValueFormat } from "./pipeline-types.ts";

/** One stage. */
export interface Stage {
  readonly name: string;
  readonly groupName: string;
  readonly from: string;
  readonly fromFormat: ValueFormat;
  /** Where reading starts the first time. */
  readonly position: GroupStart;
  readonly to: string;
  readonly toFormat: ValueFormat;
  /** Of the stream that it writes, when it is created. */
  readonly shards: number;
  readonly operators: readonly Operator[];
}

/** The streams of some stages, each once, in the order in which they are named. */
export function nodesOf(stages: readonly Pick<Stage, "from" | "to">[]): PipelineNode[] {
  const read = new Set(stages.map(({ from }) => from));
  const written = new Set(stages.map(({ to }) => to));
  const names = new Set(stages.flatMap(({ from, to }) => [from, to]));
  return Array.from(names, (streamName) => {
    const between = read.has(streamName) && written.has(streamName);
    const role = between ? "between" : read.has(streamName) ? "source" : "sink";
    return { streamName, role };
  });
}

/** A stage as a graph has it. */
export function edgeOf({ name, from, to, groupName, operators }: Stage) {
  return { stage: name, from, to, groupName, operators: operators.map(({ kind }) => kind) };
}

/** @throws InvalidArgumentError for no stage, and when a stream's records come back to it; the streams are named. */
export function checkGraph(stages: readonly Stage[]): void {
  if (stages.length === 0) refuse("pipeline", "of one stage or more", "none", "1 or more");
  refuseCycles(stages);
}

function refuseCycles(stages: readonly Stage[]): void {
  const done = new Set<string>();
  const visit = (streamName: string, trail: readonly string[]): void => {
    const at = trail.indexOf(streamName);
    if (at >= 0) {
      const value = [...trail.slice(at), streamName].join(" -> ");
      throw new InvalidArgumentError(`the stages of a pipeline must not lead back: ${value}`, {
        ...{ argument: "pipeline", value, limit: "a graph without cycles" },
      });
    }
    if (done.has(streamName)) return;
    for (const { from, to } of stages) if (from === streamName) visit(to, [...trail, streamName]);
    done.add(streamName);
  };
  for (const { from } of stages) visit(from, []);
}
