/** The stages of a pipeline as they are written down, one after the other. */
import { checkInteger, checkMembers, checkName, checkOneOf, refuse } from "../check.ts";
import type { PipelineBuilder } from "./define-pipeline.ts";
import { Flow, type FlowStart, type StageEnd } from "./flow.ts";
import type { Operator } from "./operators.ts";
import type { RekeyOptions, SourceOptions } from "./pipeline-types.ts";
import type { Stage } from "./stage-graph.ts";
import { VALUE_FORMATS } from "./value-format.ts";

const SHARDS_MAX = 500;

/** See above. */
export class StageList implements PipelineBuilder {
  readonly #stages: Stage[] = [];
  #betweenCount = 0;
  /** Of the pipeline: unique in its engine, without a dot. */
  readonly name: string;

  /** @throws InvalidArgumentError. */
  constructor(name: string) {
    this.name = checkName("name", name);
    // Groups are called PIPELINE.STAGE, and stages may have dots: no two pipelines may share a group.
    if (name.includes(".")) refuse("name", "a name without a dot", name, "a-z, A-Z, 0-9, _ and -");
  }

  /** As they were written down. */
  get stages(): readonly Stage[] {
    return this.#stages;
  }

  /** See `Pipeline.from`. @throws InvalidArgumentError. */
  from<Value = unknown>(streamName: string, options: SourceOptions = {}): Flow<Value> {
    checkName("streamName", streamName);
    checkMembers("options", options, ["format", "startingPosition"]);
    const { format = this.#formatOf(streamName), startingPosition = "TRIM_HORIZON" } = options;
    checkOneOf("options.format", format, VALUE_FORMATS);
    const builder = {
      add: (from: FlowStart, operators: readonly Operator[], to: StageEnd) =>
        this.#add(from, operators, to),
      between: (rekey: RekeyOptions) => this.#between(rekey),
    };
    return new Flow<Value>(builder, { streamName, format, position: startingPosition });
  }

  #add(
    { streamName: from, format: fromFormat, position }: FlowStart,
    operators: readonly Operator[],
    end: StageEnd,
  ): FlowStart {
    checkMembers("options", end, ["streamName", "format", "shards", "stage"]);
    const to = checkName("streamName", end.streamName);
    const toFormat = checkOneOf("options.format", end.format ?? "json", VALUE_FORMATS);
    const shards = checkInteger("options.shards", end.shards ?? 1, 1, SHARDS_MAX);
    const name = checkName("options.stage", end.stage ?? `${from}-to-${to}`);
    const groupName = checkName("options.stage", `${this.name}.${name}`);
    if (this.#stages.some((stage) => stage.name === name)) {
      refuse("options.stage", "another one for each stage", name, "unique in its pipeline");
    }
    const reading = { from, fromFormat, position };
    this.#stages.push({ name, groupName, ...reading, to, toFormat, shards, operators });
    return { streamName: to, format: toFormat, position: "TRIM_HORIZON" };
  }

  #between(options: RekeyOptions): StageEnd {
    checkMembers("options", options, ["through", "shards"]);
    const { through, shards = 1 } = options;
    this.#betweenCount += 1;
    return { streamName: through ?? `${this.name}.keyed-${this.#betweenCount}`, shards };
  }

  #formatOf(streamName: string): Stage["toFormat"] {
    return this.#stages.find(({ to }) => to === streamName)?.toFormat ?? "json";
  }
}
