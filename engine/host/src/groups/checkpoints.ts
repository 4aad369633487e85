/** Checkpoints: which of two is further, what one means for reading, and which ones a worker may commit. */
import { InvalidArgumentError } from "../errors/index.ts";
import type { Log } from "../log/log.ts";
import type { SlottedShard } from "../log/shard-slots.ts";
import type { StoredLease } from "./group-documents.ts";
import type { LeaseCheckpoint } from "./group-types.ts";

/** Whether a lease's shard is finished. */
export function isEnded({ checkpoint }: Pick<StoredLease, "checkpoint">): boolean {
  return "at" in checkpoint && checkpoint.at === "SHARD_END";
}

/** Whether two checkpoints are the same place. */
export function sameCheckpoint(
  one: LeaseCheckpoint | undefined,
  other: LeaseCheckpoint | undefined,
): boolean {
  if (one === undefined || other === undefined) return one === other;
  if ("index" in one) {
    const { index, subSequenceNumber } = one;
    return (
      "index" in other && index === other.index && subSequenceNumber === other.subSequenceNumber
    );
  }
  if ("index" in other || one.at !== other.at) return false;
  return (
    one.at !== "AT_TIMESTAMP" || one.timestampMs === ("timestampMs" in other && other.timestampMs)
  );
}

/** First index that is to be read for a checkpoint. */
export async function firstIndexOf(
  log: Log,
  shard: SlottedShard,
  { checkpoint, startIndex }: StoredLease,
): Promise<number> {
  if ("index" in checkpoint) return checkpoint.index;
  switch (checkpoint.at) {
    case "AT_TIMESTAMP":
      return await log.indexAtTime(shard, checkpoint.timestampMs);
    case "TRIM_HORIZON":
      return await log.trimHorizon(shard);
    case "LATEST":
      return startIndex ?? log.core.position(shard.slot).durableIndex;
    case "SHARD_END":
      return log.core.position(shard.slot).durableIndex;
  }
}

/**
 * Refuses a checkpoint that a lease's owner cannot have come to: behind the present one, beyond the shard's
 * last record, or its end while it is open. @throws InvalidArgumentError; its argument begins with `argument`.
 */
export function checkProgress(
  argument: string,
  next: LeaseCheckpoint,
  { checkpoint }: StoredLease,
  { durableIndex, closed }: { readonly durableIndex: number; readonly closed: boolean },
): void {
  if (sameCheckpoint(next, checkpoint)) return;
  const present = textOf(checkpoint);
  if (!("index" in next)) {
    if (next.at === "SHARD_END" && closed) return;
    throw refused(
      argument,
      next,
      next.at === "SHARD_END" ? "the shard is open" : `it is ${present}`,
    );
  }
  if (next.index >= durableIndex) {
    throw refused(argument, next, `the shard has records up to index ${durableIndex - 1} only`);
  }
  if (!("index" in checkpoint)) return;
  const behind =
    next.index < checkpoint.index ||
    (next.index === checkpoint.index && next.subSequenceNumber < checkpoint.subSequenceNumber);
  if (behind) throw refused(argument, next, `it is at ${present} already`);
}

function refused(argument: string, next: LeaseCheckpoint, why: string): InvalidArgumentError {
  const value = textOf(next);
  return new InvalidArgumentError(`${argument} cannot become ${value}: ${why}`, {
    argument,
    value,
  });
}

function textOf(checkpoint: LeaseCheckpoint): string {
  if ("index" in checkpoint) return `${checkpoint.index}/${checkpoint.subSequenceNumber}`;
  return checkpoint.at;
}
