/** What is stored with the job of a stage: which one it is, and what a graph needs to know of it. */
import type { JsonValue } from "@millrace/engine";
import { refuse } from "../check.ts";
import type { Stage } from "./stage-graph.ts";

/** A type and not an interface, so that it is a JSON value to the compiler. */
export type StageSettings = {
  readonly pipeline: string;
  readonly stage: string;
  /** The stream that it writes. */
  readonly to: string;
  /** Kinds of its operators, in order. */
  readonly operators: readonly string[];
};

/** What is stored with a stage's job. */
export function settingsOf(pipeline: string, { name: stage, to, operators }: Stage): StageSettings {
  return { pipeline, stage, to, operators: operators.map(({ kind }) => kind) };
}

/** Settings as a job has them; undefined when they are no stage's: a log may hold what anybody wrote. */
export function readStageSettings(settings: JsonValue): StageSettings | undefined {
  if (typeof settings !== "object" || settings === null) return undefined;
  const { pipeline, stage, to, operators } = settings as Partial<Record<string, unknown>>;
  const texts = Array.isArray(operators) ? [pipeline, stage, to, ...operators] : [undefined];
  return texts.every((one) => typeof one === "string") ? (settings as StageSettings) : undefined;
}

/** Settings of a job whose module exports a pipeline. @throws InvalidArgumentError. */
export function checkStageSettings(settings: JsonValue): StageSettings {
  const limit = "{ pipeline, stage, to, operators }";
  return (
    readStageSettings(settings) ??
    refuse("settings", "those of a stage, as pipelines.deploy() makes them", settings, limit)
  );
}
