/** The control operations of jobs. */
import { ResourceNotFoundError } from "../errors/index.ts";
import type { JobOperations } from "../jobs/job-operations.ts";
import type { Lives } from "./lives.ts";

type JobHandlers = {
  readonly [Operation in keyof JobOperations]: (
    argument: Parameters<JobOperations[Operation]>[0],
    again: boolean,
  ) => Promise<ReturnType<JobOperations[Operation]>>;
};

/** Handlers of the control operations of jobs. */
export function jobHandlers(lives: Lives): JobHandlers {
  return {
    jobsPut: (spec) => lives.attempt(({ jobs }) => jobs.put(spec)),
    jobsList: ({ name }) => lives.attempt(async ({ jobs }) => jobs.list(name)),
    jobsSwitch: ({ name, wanted }) => lives.attempt(({ jobs }) => jobs.switch(name, wanted)),
    jobsDelete: ({ name }, again) =>
      lives.attempt(async ({ jobs }, anew) => {
        try {
          await jobs.delete(name);
        } catch (error) {
          // It may have been deleted by this very call.
          if (!(again || anew) || !(error instanceof ResourceNotFoundError)) throw error;
        }
        return null;
      }),
    jobsReport: ({ hostId, reports }) =>
      lives.attempt(async ({ jobs }) => jobs.report(hostId, reports)),
  };
}
