/**
 * A replication in its jobs worker: waits until the far side can be opened, ships through throttles and outages, and
 * ends the worker where nothing goes on by itself, so that the next one opens the far side anew.
 */
import {
  adoptError,
  DeadlineError,
  type MillraceError,
  pause,
  toMillraceError,
  withDeadline,
} from "@millrace/engine";
import { checkMembers, refuse } from "../check.ts";
import { backOffMs } from "../groups/back-off.ts";
import type { BegunJob, JobInside, SelfStartingJob } from "../jobs/job-inside.ts";
import { errorText } from "../jobs/job-messages.ts";
import { adoptedRemote } from "./adopted-remote.ts";
import type { ReplicationDefinition } from "./define-replication.ts";
import { checkReplicateOptions, type ReplicationRemote } from "./replication-options.ts";
import type { Replication, ReplicationGap } from "./replication-types.ts";
import { verdictOn } from "./shipping-errors.ts";
import { replicateGroup } from "./stream-replication.ts";

const OPTIONS = ["aggregate", "bytesPerSecondMax", "warnBeforeMs", "hold", "network"];
/** How long the far side may take to be opened, in ms: its own calls wait for 30 s where nothing else is said. */
const OPEN_MS_MAX = 60_000;
/** First and longest pause before the far side is opened again that cannot be reached, in ms. */
const OPEN_AGAIN_MS = 500;
const OPEN_AGAIN_MS_MAX = 15_000;
/** How long what is under way may take to end when the worker is to end, in ms. */
const STOP_MS_MAX = 5000;
/** The same trouble is told again after so long a time, in ms. */
const TELL_AGAIN_MS = 60_000;

/**
 * Makes the job of a replication. @throws InvalidArgumentError for its options, and for options of a worker, which
 * would have it leave out what is to be shipped.
 */
export function replicationJob(
  definition: ReplicationDefinition,
  inside: JobInside,
): SelfStartingJob {
  const { remote, options } = definition;
  if (typeof remote !== "function") refuse("remote", "a function", remote, "function");
  checkMembers("options", options, OPTIONS);
  if (Object.keys(inside.worker).length > 0) {
    refuse("definition.worker", "absent for a replication", inside.worker, "absent");
  }
  const { client, context } = inside;
  const { name, streamName } = inside.group;
  return {
    begin: async (group, start) => {
      const opened = await openRemote(definition, inside);
      // Its options name the group, and are those of a thread that has no page's end.
      const settings = checkReplicateOptions(opened, { ...options, name, atPageEnd: false });
      const far = adoptedRemote(opened);
      const stream = await client.call("describeStream", { name: streamName });
      context.signal.throwIfAborted();
      return begun(
        await replicateGroup({ client, stream, group, start, remote: far, settings }),
        inside,
      );
    },
  };
}

/** Opens the far side, as long as it takes while it cannot be reached. @throws what waiting does not mend. */
async function openRemote(
  { remote }: ReplicationDefinition,
  { client: { clock }, context, failed }: JobInside,
): Promise<ReplicationRemote> {
  const late = (): Error =>
    new DeadlineError(`the far side was not opened within ${OPEN_MS_MAX} ms`);
  const open = async (): Promise<ReplicationRemote> => await remote(context);
  for (let failures = 1; ; failures++) {
    try {
      return await withDeadline(clock, OPEN_MS_MAX, open(), late);
    } catch (thrown) {
      context.signal.throwIfAborted();
      const error = toMillraceError(adoptError(thrown));
      // What is no error of this package is told as it is.
      if (!passes(error)) throw thrown;
      failed(error);
      const pauseMs = Math.min(OPEN_AGAIN_MS_MAX, backOffMs(OPEN_AGAIN_MS, failures));
      await pause(clock, pauseMs, context.signal);
    }
  }
}

function passes(error: MillraceError): boolean {
  const verdict = verdictOn(error);
  return verdict === "throttled" || verdict === "outage";
}

/** Tells what a replication tells, and ends it when it is paused: nobody is there who could resume it. */
function begun(
  replication: Replication,
  { client: { clock }, context, failed }: JobInside,
): BegunJob {
  const trouble = troubleTeller(() => clock.monotonicMs(), failed);
  const warn = (text: string): void => {
    context.log(text);
    failed(text);
  };
  for (const kind of ["throttled", "outage"] as const) {
    replication.on(kind, ({ error }) => trouble(kind, error));
  }
  replication.on("expiring", ({ shardId, expiresMs }) => {
    const seconds = Math.round(expiresMs / 1000);
    warn(`records of ${shardId} expire in ${seconds} s unless they are sent before`);
  });
  replication.on("gap", (gap) => warn(textOfGap(gap)));
  let offline = false;
  replication.on("changed", ({ state }) => {
    if (offline !== (state === "waiting-offline")) {
      offline = !offline;
      context.log(offline ? "waits for the network" : "the network is there again");
    }
  });
  return { finished: endOf(replication, clock), stop: () => replication.stop() };
}

/** Resolves when it was stopped, and rejects with what paused or ended it, once its leases are free. */
async function endOf(replication: Replication, clock: JobInside["client"]["clock"]): Promise<void> {
  let reason: MillraceError | undefined;
  const overdue = new Promise<never>((_resolve, reject) => {
    replication.on("failed", ({ error }) => {
      reason ??= error;
      clock.after(STOP_MS_MAX, () => reject(error));
      replication.stop().catch(reject);
    });
  });
  await Promise.race([replication.finished, overdue]);
  if (reason !== undefined) throw reason;
}

/** Tells trouble that passes by itself when it is another one than before, and now and then while it lasts. */
function troubleTeller(
  nowMs: () => number,
  failed: JobInside["failed"],
): (kind: string, error: MillraceError) => void {
  let last = { trouble: "", toldMs: Number.NEGATIVE_INFINITY };
  return (kind, error) => {
    const trouble = `${kind} ${error.code}`;
    const atMs = nowMs();
    if (trouble === last.trouble && atMs - last.toldMs < TELL_AGAIN_MS) return;
    last = { trouble, toldMs: atMs };
    failed(`${kind}: ${errorText(error)}`);
  };
}

function textOfGap({ shardId, after, before }: ReplicationGap): string {
  const from = after === undefined ? "its beginning" : after;
  const to = before === undefined ? "its end" : before;
  return `records of ${shardId} from ${from} to ${to} were gone before they were sent`;
}
