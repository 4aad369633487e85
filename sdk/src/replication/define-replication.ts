/** A replication as a module exports it, to run as a job. */
import type { JobContext } from "../jobs/job-types.ts";
import type { ReplicateOptions, ReplicationRemote } from "./replication-options.ts";

const KIND = "millrace:replication";

/** What the job does not say otherwise: its group names the replication and says where it begins; it has no page. */
export type ReplicationJobOptions = Omit<ReplicateOptions, "name" | "from" | "atPageEnd">;

/** Opens the far side. It is asked again whenever a worker of the job begins, and is told of the job. */
export type OpenRemote = (context: JobContext) => ReplicationRemote | Promise<ReplicationRemote>;

/** What `defineReplication` answers with. */
export interface ReplicationDefinition {
  readonly kind: typeof KIND;
  readonly remote: OpenRemote;
  readonly options: ReplicationJobOptions;
}

/**
 * A replication as a job, to be exported by a module: `millrace.jobs.define()` with it begins what
 * `stream.replicateTo(remote, options)` does in a page, and goes on from the same progress when the job's group bears
 * the replication's name. Credentials stay with `remote`: nothing of them is stored. What only somebody can mend ends
 * the job's worker with the reason, and the next one asks `remote` anew; nothing is lost. Options are checked when the
 * job begins: the job's description says what is wrong with them.
 */
export function defineReplication(
  remote: OpenRemote,
  options: ReplicationJobOptions = {},
): ReplicationDefinition {
  return { kind: KIND, remote, options };
}

/** Whether a module's export is a replication. */
export function isReplicationDefinition(exported: unknown): exported is ReplicationDefinition {
  if (typeof exported !== "object" || exported === null) return false;
  return (exported as Partial<ReplicationDefinition>).kind === KIND;
}
