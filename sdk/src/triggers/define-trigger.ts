/** A trigger as a module exports it, to run as a job. */
import type { LambdaHandler, TriggerOptions } from "./trigger-types.ts";

const KIND = "millrace:trigger";

/** What the job's definition does not say: its group names the trigger, and says where reading starts. */
export type TriggerJobOptions = Omit<
  TriggerOptions,
  "name" | "startingPosition" | "workerId" | "failoverMs" | "signal"
>;

/** What `defineTrigger` answers with. */
export interface TriggerDefinition {
  readonly kind: typeof KIND;
  readonly handler: LambdaHandler;
  readonly options: TriggerJobOptions;
}

/**
 * A stream trigger as a job, to be exported by a module: `millrace.jobs.define()` with it begins what
 * `stream.trigger(handler, options)` does in a page, and goes on from the same checkpoints when the job's group bears
 * the trigger's name. AWS: CreateEventSourceMapping. Options are checked when the job begins: the job's description
 * says what is wrong with them.
 */
export function defineTrigger(
  handler: LambdaHandler,
  options: TriggerJobOptions = {},
): TriggerDefinition {
  return { kind: KIND, handler, options };
}

/** Whether a module's export is a trigger. */
export function isTriggerDefinition(exported: unknown): exported is TriggerDefinition {
  if (typeof exported !== "object" || exported === null) return false;
  return (exported as Partial<TriggerDefinition>).kind === KIND;
}
