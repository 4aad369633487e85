/** The first life over a store that was replaced, as by a browser that clears its data: that may go on for a while. */
import { DeposedError, UnsupportedFormatError } from "../errors/index.ts";
import { REOPEN_DELAYS_MS } from "../log/store-guard.ts";
import { pause } from "../platform/deadline.ts";
import type { Clock } from "../platform/platform.ts";
import type { LogStore } from "../storage/log-store.ts";
import type { EngineLife } from "./engine-life.ts";

/**
 * Recovers a life, a few times over, each time with the store opened anew. Whoever leads after this engine would
 * not know what is missing. `clock` is the platform's.
 *
 * @throws what the last attempt throws; DeposedError and UnsupportedFormatError at once.
 */
export async function lifeAfterLoss(
  store: LogStore,
  clock: Clock,
  begin: () => Promise<EngineLife>,
): Promise<EngineLife> {
  let failure: unknown;
  for (const delayMs of REOPEN_DELAYS_MS) {
    try {
      if (delayMs > 0) {
        await pause(clock, delayMs);
        await store.reopen();
      }
      return await begin();
    } catch (error) {
      if (error instanceof DeposedError || error instanceof UnsupportedFormatError) throw error;
      failure = error;
    }
  }
  throw failure;
}
