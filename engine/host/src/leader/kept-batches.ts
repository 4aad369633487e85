/** Puts the batches that tabs left behind with the broker, and says when they are settled. */
import { BATCH_HEADER_BYTES } from "@millrace/core/layout";
import { BatchGapError, MillraceError } from "../errors/index.ts";
import { readUint64, viewOf } from "../log/bytes.ts";
import { pause } from "../platform/deadline.ts";
import type { Clock } from "../platform/platform.ts";
import type { EngineService } from "../service/engine-service.ts";
import type { KeptBatch } from "./broker-protocol.ts";
import { isObject } from "./messages.ts";
import { meansNoLeader } from "./no-leader.ts";

/** A batch that is refused for the time being is tried again this often… */
const TRIES_MAX = 20;
/** …after this time, in ms. */
const TRY_AGAIN_MS = 500;
/** Whoever has the batches that one must follow is waited for so many tries, and not for ever. */
const TRIES_IN_ORDER = 6;
const NUMBER_AT = 32;

/**
 * Puts batches in their order. Resolves with true when each was taken, or refused for as long as it was
 * tried: nobody waits for their results, and none of them was ever acknowledged. False when this leader
 * cannot settle them.
 */
export async function putKept(
  engine: EngineService,
  batches: readonly KeptBatch[],
  clock: Clock,
): Promise<boolean> {
  // The broker passes on what it is given by whomever.
  let left = Array.isArray(batches) ? batches.filter(isBatch) : [];
  for (let tries = 0; tries < TRIES_MAX && left.length > 0; tries += 1) {
    if (tries > 0) await pause(clock, TRY_AGAIN_MS);
    // All at once, for a batch that follows another waits for its turn in the engine.
    const outcomes = await Promise.all(left.map((batch) => putOne(engine, batch)));
    if (outcomes.includes("no-leader")) return false;
    left = left.flatMap((batch, i) => {
      if (outcomes[i] === "settled") return [];
      const alone = outcomes[i] === "early" && tries + 1 >= TRIES_IN_ORDER;
      return [alone ? following(batch) : batch];
    });
  }
  // A page that comes back is told the same by this leader: the next one must not store it after all.
  return true;
}

function isBatch(batch: KeptBatch): boolean {
  return (
    isObject(batch) &&
    batch.bytes instanceof Uint8Array &&
    batch.bytes.byteLength >= BATCH_HEADER_BYTES
  );
}

/** A batch that claims that all before it are settled. */
function following(batch: KeptBatch): KeptBatch {
  return { ...batch, settledBefore: readUint64(viewOf(batch.bytes), NUMBER_AT) };
}

async function putOne(
  engine: EngineService,
  { bytes, settledBefore, ageMs = 0, call }: KeptBatch,
): Promise<"settled" | "refused-for-now" | "early" | "no-leader"> {
  try {
    await engine.put(bytes.slice().buffer, call, { settledBefore, ageMs });
    return "settled";
  } catch (error) {
    if (meansNoLeader(error)) return "no-leader";
    if (error instanceof BatchGapError) return "early";
    return error instanceof MillraceError && error.retryable ? "refused-for-now" : "settled";
  }
}
