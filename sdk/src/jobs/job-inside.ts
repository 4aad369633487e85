/** What jobs have that the package makes itself: besides what every job has, the engine's client. */
import type { EngineClient, JobSpec } from "@millrace/engine";
import type { JobContext } from "./job-types.ts";

/** See above. */
export interface JobInside {
  readonly client: EngineClient;
  readonly context: JobContext;
  /** The group that it works for. */
  readonly group: JobSpec["group"];
  /** Says what failed and is tried again; the job's description has it as `lastError`. */
  readonly failed: (error: unknown) => void;
}
