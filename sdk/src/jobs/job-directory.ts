/** Jobs as definitions: made, listed, described, started, stopped and deleted. */
import {
  checkJobSpec,
  type EngineClient,
  type JobStatus,
  type JsonValue,
  type LeaseDescription,
  ResourceNotFoundError,
  type StoredJob,
} from "@millrace/engine";
import { checkName } from "../check.ts";
import { openGroup } from "../groups/consumer-group.ts";
import { type CheckedJob, checkJob } from "./job-settings.ts";
import type { JobDefinition, JobDescription, JobSummary } from "./job-types.ts";

/** A group of which JSON takes the most characters, but for its names. */
const LONGEST_GROUP = {
  startingPosition: { type: "AT_TIMESTAMP", timestampMs: 1_000_000_000_000.123 },
  ...{ failoverMs: 3_600_000, handOverMs: 3_600_000 },
} as const;

/** The jobs of one engine, whoever hosts them. */
export class JobDirectory {
  readonly #client: EngineClient;

  constructor(client: EngineClient) {
    this.#client = client;
  }

  /** See `Jobs.define`. */
  async define(name: string, definition: JobDefinition): Promise<JobSummary> {
    const client = this.#client;
    const { group, ...job } = checkJob(name, definition);
    // With a group that takes as much room as any, so that none is left behind by a job that is refused.
    checkJobSpec({ ...job, group: { ...LONGEST_GROUP, ...named(group) } });
    const stream = await client.call("describeStream", { name: group.streamName });
    const { definition: found } = await openGroup(client, stream, group.name, group.options);
    const { startingPosition, failoverMs, handOverMs } = found;
    const stored = { ...named(group), startingPosition, failoverMs, handOverMs };
    return summaryOf(await client.call("jobsPut", { ...job, group: stored }));
  }

  /** See `Jobs.list`. */
  async list(): Promise<JobSummary[]> {
    return (await this.#client.call("jobsList", {})).map(summaryOf);
  }

  /** See `Jobs.describe`. */
  async describe(name: string): Promise<JobDescription> {
    checkName("name", name);
    const [job] = await this.#client.call("jobsList", { name });
    if (job === undefined) throw new TypeError("a job that is named was not found");
    const leases = await this.#leases(job.spec.group.name);
    return {
      ...summaryOf(job),
      lagRecords: leases.reduce((sum, { lagRecords }) => sum + lagRecords, 0),
      iteratorAgeMs: Math.max(0, ...leases.map(({ iteratorAgeMs }) => iteratorAgeMs)),
    };
  }

  /** None when the group was deleted. */
  async #leases(groupName: string): Promise<readonly LeaseDescription[]> {
    try {
      return (await this.#client.call("groupsDescribe", { name: groupName })).leases;
    } catch (error) {
      if (error instanceof ResourceNotFoundError) return [];
      throw error;
    }
  }

  /** See `Jobs.start` and `Jobs.stop`. */
  async switch(name: string, wanted: StoredJob["wanted"]): Promise<JobSummary> {
    checkName("name", name);
    return summaryOf(await this.#client.call("jobsSwitch", { name, wanted }));
  }

  /** See `Jobs.delete`. */
  async delete(name: string): Promise<void> {
    checkName("name", name);
    await this.#client.call("jobsDelete", { name });
  }
}

function named({ name, streamName }: CheckedJob["group"]): { name: string; streamName: string } {
  return { name, streamName };
}

function summaryOf({ spec, version, createdMs, state, hostId, report }: JobStatus): JobSummary {
  const { name, module, exportName, settings, group, restart } = spec;
  const workers = report?.workers ?? [];
  const errors = workers.flatMap(({ lastError }) => lastError ?? []);
  const sum = (member: "restarts" | "records" | "recordsPerSecond"): number =>
    workers.reduce((total, worker) => total + worker[member], 0);
  return {
    ...{ name, state, hostId, module, export: exportName, restart, version },
    settings: settings as JsonValue,
    groupName: group.name,
    streamName: group.streamName,
    createdAt: new Date(createdMs),
    workers,
    restarts: sum("restarts"),
    lastError: errors.sort((a, b) => b.atMs - a.atMs)[0],
    records: sum("records"),
    recordsPerSecond: sum("recordsPerSecond"),
    log: report?.log ?? [],
  };
}
