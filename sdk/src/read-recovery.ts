/** What a reader does about a read that failed for a rare reason. Loaded when one does. */
import { DeadlineError, type EngineClient, ResourceNotFoundError } from "@millrace/engine";

/**
 * Does what lets the next read go on. `adopt` looks which shards there are by now, and says whether any
 * was removed before it was read.
 *
 * @throws the error when nothing does.
 */
export async function recover(
  error: unknown,
  client: EngineClient,
  adopt: () => Promise<boolean>,
): Promise<void> {
  if (error instanceof DeadlineError) {
    // In virtual time a read waits for as long as nobody lets time pass; an engine that does not answer
    // this either is gone.
    await client.call("now", {});
  } else if (!(error instanceof ResourceNotFoundError) || !(await adopt())) {
    // A closed shard may be removed while its reader pauses; whatever else is not found is gone.
    throw error;
  }
}
