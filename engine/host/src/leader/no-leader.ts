/** Which errors say of a leader that it leads no more, so that another one must be asked. */
import { DeposedError, EngineClosedError, EngineFailedError } from "../errors/index.ts";
import { LeaderGoneError } from "./targets.ts";

/** Whether an answer says nothing of the request, only that whoever was asked does not lead. */
export function meansNoLeader(error: unknown): boolean {
  return (
    error instanceof LeaderGoneError ||
    error instanceof DeposedError ||
    error instanceof EngineClosedError ||
    error instanceof EngineFailedError
  );
}
