/** How the facade tells the core of shards and routes: checks of placements, hash key ranges in core memory, refusals. */
import { ROUTE_RING, ROUTE_TAKEN } from "@millrace/core/border";
import { InvalidArgumentError } from "../errors/index.ts";
import { checkCounter, checkInteger, U32_MAX } from "./core-arguments.ts";
import type { CoreInstance } from "./core-instance.ts";
import type { RouteSettings, ShardPlacement } from "./core-types.ts";

const HASH_KEY_MAX = (1n << 128n) - 1n;
const LOW_HALF = (1n << 64n) - 1n;

/** @throws InvalidArgumentError for a placement whose numbers are out of range. */
export function checkPlacement(placement: ShardPlacement, shardSlotsMax: number): void {
  const { slot, startingHashKey, endingHashKey } = placement;
  checkInteger("slot", slot, 0, shardSlotsMax - 1);
  checkInteger("streamUid", placement.streamUid, 0, U32_MAX);
  checkInteger("shardUid", placement.shardUid, 0, U32_MAX);
  checkCounter("nextIndex", placement.nextIndex);
  checkCounter("nextOrdinal", placement.nextOrdinal, 1);
  if (startingHashKey >= 0n && endingHashKey <= HASH_KEY_MAX && startingHashKey <= endingHashKey) {
    return;
  }
  throw new InvalidArgumentError(
    `The hash key range ${startingHashKey}-${endingHashKey} does not lie in 0-${HASH_KEY_MAX}.`,
    { argument: "startingHashKey", value: String(startingHashKey), limit: String(HASH_KEY_MAX) },
  );
}

/** Writes a hash key range to the scratch bytes: start and end, high and low halves. */
export function writeRange(
  core: CoreInstance,
  { startingHashKey, endingHashKey }: ShardPlacement,
): void {
  const { view, scratchBytes } = core;
  const words = [
    startingHashKey >> 64n,
    startingHashKey & LOW_HALF,
    endingHashKey >> 64n,
    endingHashKey & LOW_HALF,
  ];
  for (const [i, word] of words.entries()) view.setBigUint64(scratchBytes + i * 8, word, true);
}

/** The error for a refusal of shards as a route, a ROUTE_* code. */
export function refusedRoute(route: number, count: number, code: number): InvalidArgumentError {
  const problem =
    code === ROUTE_RING
      ? "do not cover the ring of hash keys exactly once"
      : code === ROUTE_TAKEN
        ? "are in part on another route"
        : "are in part not there";
  return new InvalidArgumentError(`The ${count} shards of route ${route} ${problem}.`, {
    argument: "slots",
    value: count,
  });
}

/** @throws InvalidArgumentError for a quota that lets nothing through. */
export function checkRouteSettings({ quota }: RouteSettings): void {
  if (quota === null) return;
  checkCounter("recordsPerSecond", quota.recordsPerSecond, 1);
  checkCounter("bytesPerSecond", quota.bytesPerSecond, 1);
}
