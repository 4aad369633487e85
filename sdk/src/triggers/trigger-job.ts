/** A trigger in its jobs worker. What it did shows in the job's log and as its last error. */
import { checkMembers, refuse } from "../check.ts";
import type { JobInside } from "../jobs/job-inside.ts";
import type { JobParts } from "../jobs/job-types.ts";
import type { TriggerDefinition } from "./define-trigger.ts";
import { EventMaker } from "./lambda-event.ts";
import { ShardTrigger } from "./shard-trigger.ts";
import {
  checkTriggerOptions,
  TRIGGER_JOB_MEMBERS,
  triggerWorkerOptions,
} from "./trigger-settings.ts";
import type { TriggerEvent } from "./trigger-types.ts";

/**
 * Makes the job of a trigger. @throws InvalidArgumentError for its options; ResourceNotFoundError for the stream of
 * `onFailure`.
 */
export async function triggerJob(
  { handler, options }: TriggerDefinition,
  { client, context, group, failed }: JobInside,
): Promise<JobParts> {
  if (typeof handler !== "function") refuse("handler", "a function", handler, "function");
  checkMembers("options", options, TRIGGER_JOB_MEMBERS);
  const stream = await client.call("describeStream", { name: group.streamName });
  const settings = checkTriggerOptions({ ...options, name: group.name }, stream);
  const { failureStream: name } = settings;
  if (name !== undefined) await client.call("describeStream", { name });
  const tell = (event: TriggerEvent): void => {
    if (event.kind === "invocation-failed" || event.kind === "checkpoint-failed") {
      failed(event.error);
    } else if (event.kind === "batch-discarded") {
      const { records, shardId, condition } = event;
      context.log(`${records} records of ${shardId} were discarded: ${condition}`);
    }
  };
  const shared = {
    ...{ client, stream, settings, handler, events: new EventMaker(stream) },
    ...{ tell, onFiltered: () => undefined },
  };
  return {
    factory: () => new ShardTrigger(shared),
    worker: triggerWorkerOptions(settings, options),
  };
}
