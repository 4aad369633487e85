/** The control operations of jobs: argument and answer. */
import type { JobReport, JobSpec, JobStatus, StoredJob } from "./job-types.ts";

/** Operations of jobs, and of the pages that host them. */
export interface JobOperations {
  /**
   * Defines a job, or changes the one of that name; the same definition again changes nothing, and leaves a
   * job that was stopped as it is. @throws InvalidArgumentError.
   */
  jobsPut(spec: JobSpec): JobStatus;
  /** All jobs by name, or the one of a name. @throws ResourceNotFoundError for the name. */
  jobsList(argument: { name?: string | undefined }): JobStatus[];
  /** Has a job run or stop. One that is to run begins anew when it had failed. @throws ResourceNotFoundError. */
  jobsSwitch(argument: { name: string; wanted: StoredJob["wanted"] }): JobStatus;
  /** Deletes a job; its group stays. @throws ResourceNotFoundError. */
  jobsDelete(argument: { name: string }): null;
  /**
   * Tells how the jobs of a host are doing, which takes the place of all that it told before, and answers
   * which jobs there are. A host that says nothing for 10 s hosts no more.
   */
  jobsReport(argument: { hostId: string; reports: readonly JobReport[] }): StoredJob[];
}
