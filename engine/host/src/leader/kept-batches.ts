/** Puts the batches that tabs left behind with the broker, and says when they are settled. */
import { MillraceError } from "../errors/index.ts";
import type { Clock } from "../platform/platform.ts";
import { pause } from "../rpc/deadline.ts";
import type { EngineService } from "../service/engine-service.ts";
import type { KeptBatch } from "./broker-protocol.ts";
import { meansNoLeader } from "./no-leader.ts";

/** A batch that is refused for the time being is tried again this often… */
const TRIES_MAX = 20;
/** …after this time, in ms. */
const TRY_AGAIN_MS = 500;

/**
 * Puts batches in their order. Resolves with true when each was taken or refused for good: nobody waits for
 * their results, and none of them was ever acknowledged. False when this leader cannot settle them.
 */
export async function putKept(
  engine: EngineService,
  batches: readonly KeptBatch[],
  clock: Clock,
): Promise<boolean> {
  let left = batches;
  for (let tries = 0; tries < TRIES_MAX && left.length > 0; tries += 1) {
    if (tries > 0) await pause(clock, TRY_AGAIN_MS);
    // All at once, for a batch that follows another waits for its turn in the engine.
    const outcomes = await Promise.all(left.map((batch) => putOne(engine, batch)));
    if (outcomes.includes("no-leader")) return false;
    left = left.filter((_batch, i) => outcomes[i] === "refused-for-now");
  }
  return true;
}

async function putOne(
  engine: EngineService,
  { bytes, settledBefore, ageMs = 0, call }: KeptBatch,
): Promise<"settled" | "refused-for-now" | "no-leader"> {
  try {
    await engine.put(bytes.slice().buffer, call, { settledBefore, ageMs });
    return "settled";
  } catch (error) {
    if (meansNoLeader(error)) return "no-leader";
    return error instanceof MillraceError && error.retryable ? "refused-for-now" : "settled";
  }
}
