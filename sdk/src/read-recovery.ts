/** What a reader does about a read that failed. Loaded when one does. */
import {
  DeadlineError,
  type EngineClient,
  pause,
  ResourceNotFoundError,
  ThroughputExceededError,
} from "@millrace/engine";

/** How long a read waits that was throttled without being told for how long, in ms. */
const THROTTLED_WAIT_MS = 200;

/** A reading, as far as its failures go. */
export interface FailedReading {
  readonly client: EngineClient;
  readonly signal: AbortSignal;
  /** Looks which shards there are by now; says whether any was removed before it was read. */
  readonly adopt: () => Promise<boolean>;
}

/** Does what lets the next read go on. @throws the error when nothing does. */
export async function recover(error: unknown, reading: FailedReading): Promise<void> {
  const { client, signal, adopt } = reading;
  if (error instanceof ThroughputExceededError) {
    await pause(client.clock, error.retryAfterMs ?? THROTTLED_WAIT_MS, signal);
  } else if (error instanceof DeadlineError) {
    // In virtual time a read waits for as long as nobody lets time pass; an engine that does not answer
    // this either is gone.
    await client.call("now", {});
  } else if (!(error instanceof ResourceNotFoundError) || !(await adopt())) {
    // A closed shard may be removed while its reader pauses; whatever else is not found is gone.
    throw error;
  }
}
