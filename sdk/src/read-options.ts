/** Where reads start and stop, as callers say it and as the engine wants to hear it. */
import type { StartingPosition } from "@millrace/engine";
import { checkMembers, checkOneOf, checkSignal, refuse } from "./check.ts";

/**
 * Where a read starts: the oldest record, after the newest one, at a time, or at or after a sequence
 * number (then only the shard that the number is of is read).
 */
export type ReadFrom =
  | "TRIM_HORIZON"
  | "LATEST"
  | Date
  | { readonly timestamp: Date }
  | { readonly sequenceNumber: string; readonly after?: boolean };

/** How a stream is read. */
export interface ReadOptions {
  readonly from: ReadFrom;
  /**
   * `end`: up to the end that each shard had when the reading began. `live`: for ever, waiting for new
   * records, until the signal is aborted or the loop is left.
   */
  readonly until: "end" | "live";
  /** Only this shard, as in `shardId-000000000000`. */
  readonly shard?: string;
  readonly signal?: AbortSignal;
}

function atTime(argument: string, time: Date): StartingPosition {
  const timestampMs = time.getTime();
  if (Number.isFinite(timestampMs)) return { type: "AT_TIMESTAMP", timestampMs };
  return refuse(argument, "a valid Date", time, "a valid Date");
}

function toPosition(from: unknown): StartingPosition {
  if (from === "TRIM_HORIZON" || from === "LATEST") return { type: from };
  if (from instanceof Date) return atTime("from", from);
  if (typeof from === "object" && from !== null) {
    if ("timestamp" in from && from.timestamp instanceof Date) {
      return atTime("from.timestamp", from.timestamp);
    }
    if ("sequenceNumber" in from && typeof from.sequenceNumber === "string") {
      const { sequenceNumber } = from;
      const after = "after" in from && from.after === true;
      return { type: after ? "AFTER_SEQUENCE_NUMBER" : "AT_SEQUENCE_NUMBER", sequenceNumber };
    }
  }
  const limit =
    '"TRIM_HORIZON", "LATEST", a Date, {timestamp: Date} or {sequenceNumber: string, after?: boolean}';
  return refuse("from", limit, from, limit);
}

/** Read options that were checked. */
export interface CheckedReadOptions {
  readonly position: StartingPosition;
  readonly live: boolean;
  readonly shardId: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/** @throws InvalidArgumentError. */
export function checkReadOptions(options: ReadOptions): CheckedReadOptions {
  checkMembers("options", options, ["from", "until", "shard", "signal"]);
  const { shard } = options;
  if (shard !== undefined && typeof shard !== "string") {
    refuse("shard", "a shard id", shard, "shardId-000000000000");
  }
  return {
    position: toPosition(options.from),
    live: checkOneOf("until", options.until, ["end", "live"]) === "live",
    shardId: shard,
    signal: checkSignal("signal", options.signal),
  };
}
