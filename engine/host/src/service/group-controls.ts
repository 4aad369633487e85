/** The control operations of consumer groups. */
import { ResourceNotFoundError } from "../errors/index.ts";
import type { GroupOperations } from "../groups/group-operations.ts";
import type { Lives } from "./lives.ts";

type GroupHandlers = {
  readonly [Operation in keyof GroupOperations]: (
    argument: Parameters<GroupOperations[Operation]>[0],
    again: boolean,
  ) => Promise<ReturnType<GroupOperations[Operation]>>;
};

/** Handlers of the control operations of groups. */
export function groupHandlers(lives: Lives): GroupHandlers {
  return {
    groupsCreate: (spec) => lives.attempt(({ groups }) => groups.create(spec)),
    groupsList: ({ streamName }) => lives.attempt(async ({ groups }) => groups.list(streamName)),
    groupsDescribe: ({ name }) => lives.attempt(({ groups }) => groups.describe(name)),
    groupsDelete: ({ name }, again) =>
      lives.attempt(async ({ groups }, anew) => {
        try {
          await groups.delete(name);
        } catch (error) {
          // It may have been deleted by this very call.
          if (!(again || anew) || !(error instanceof ResourceNotFoundError)) throw error;
        }
        return null;
      }),
    groupsReset: (argument, again) =>
      lives.attempt(async ({ groups }, anew) => {
        await groups.reset(argument, again || anew);
        return null;
      }),
    groupsForgetExpired: ({ name, shardIndexes }) =>
      lives.attempt(async ({ groups }) => {
        await groups.forgetExpired(name, shardIndexes);
        return null;
      }),
    groupJoin: (argument) =>
      lives.attempt(async ({ groups }) => ({ sessionId: await groups.join(argument) })),
    groupPoll: (argument) => lives.attempt(({ groups }) => groups.poll(argument)),
    groupLeave: ({ groupName, sessionId, workerId }) =>
      lives.attempt(async ({ groups }) => {
        await groups.get(groupName).leave(sessionId, workerId);
        return null;
      }),
    groupRelease: ({ groupName, sessionId, leaving, ...lease }) =>
      lives.attempt(async ({ groups }) => {
        await groups.get(groupName).release(sessionId, lease, leaving === true);
        return null;
      }),
  };
}
