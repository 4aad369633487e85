/** Checks of what callers say of groups: whoever calls, the engine believes nothing it was not shown. */
import { InvalidArgumentError } from "../errors/index.ts";
import type { GroupOperations } from "./group-operations.ts";
import type { GroupPosition, GroupSpec, LeaseCheckpoint } from "./group-types.ts";

const NAME = /^[a-zA-Z0-9_.-]{1,128}$/;
const FAILOVER_MS_MIN = 500;
/** Longest failover and hand-over: 1 hour. */
const SPAN_MS_MAX = 3_600_000;
const WORKER_ID_LENGTH_MAX = 256;
/** Of the text that names a stream elsewhere. */
const ELSEWHERE_LENGTH_MAX = 2048;

/** Refuses a name of a group or of a processor's state. @throws InvalidArgumentError. */
export function checkGroupName(argument: string, value: string): void {
  if (typeof value === "string" && NAME.test(value)) return;
  throw invalid(argument, value, '1 to 128 characters of a-z, A-Z, 0-9, "_", "." and "-"');
}

/** Refuses a number that is no integer or out of its range. @throws InvalidArgumentError. */
export function checkCount(argument: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw invalid(argument, value, `an integer from ${min} to ${max}`);
}

/** Refuses what is no object. @throws InvalidArgumentError. */
export function checkObject(argument: string, value: unknown): void {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  throw invalid(argument, value, "an object");
}

/** Refuses a group that cannot be. @throws InvalidArgumentError. */
export function checkGroupSpec(spec: GroupSpec): void {
  checkObject("group", spec);
  checkGroupName("name", spec.name);
  checkGroupName("streamName", spec.streamName);
  checkPosition("startingPosition", spec.startingPosition);
  const { failoverMs = FAILOVER_MS_MIN, handOverMs = 0 } = spec;
  checkCount("failoverMs", failoverMs, FAILOVER_MS_MIN, SPAN_MS_MAX);
  checkCount("handOverMs", handOverMs, 0, SPAN_MS_MAX);
  checkElsewhere("replicaOf", spec.replicaOf);
  checkElsewhere("shipsTo", spec.shipsTo);
}

function checkElsewhere(argument: string, value: string | undefined): void {
  if (value === undefined) return;
  const isText = typeof value === "string" && value.length > 0;
  if (isText && value.length <= ELSEWHERE_LENGTH_MAX) return;
  throw invalid(argument, value, `1 to ${ELSEWHERE_LENGTH_MAX} characters`);
}

/** Refuses a starting position that there is not. @throws InvalidArgumentError. */
export function checkPosition(argument: string, position: GroupPosition): void {
  const type: unknown = position?.type;
  if (type === "TRIM_HORIZON" || type === "LATEST") return;
  if (position?.type === "AT_TIMESTAMP") {
    if (Number.isFinite(position.timestampMs)) return;
    throw invalid(`${argument}.timestampMs`, position.timestampMs, "ms since the Unix epoch");
  }
  throw invalid(`${argument}.type`, type, "TRIM_HORIZON, LATEST or AT_TIMESTAMP");
}

/** Refuses a worker that cannot be. @throws InvalidArgumentError. */
export function checkJoin({
  workerId,
  leasesMax,
}: Parameters<GroupOperations["groupJoin"]>[0]): void {
  checkWorkerId("workerId", workerId);
  if (leasesMax === undefined) return;
  checkCount("leasesMax", leasesMax, 1, Number.MAX_SAFE_INTEGER);
}

/** Refuses what is no id of a worker. @throws InvalidArgumentError. */
export function checkWorkerId(argument: string, value: string): void {
  if (typeof value === "string" && value.length > 0 && value.length <= WORKER_ID_LENGTH_MAX) return;
  throw invalid(argument, value, `1 to ${WORKER_ID_LENGTH_MAX} characters`);
}

/** The checkpoint with no members but its own. @throws InvalidArgumentError when it is none. */
export function plainCheckpoint(argument: string, checkpoint: LeaseCheckpoint): LeaseCheckpoint {
  if (typeof checkpoint === "object" && checkpoint !== null && "index" in checkpoint) {
    const { index, subSequenceNumber } = checkpoint;
    checkCount(`${argument}.index`, index, 0, Number.MAX_SAFE_INTEGER);
    checkCount(`${argument}.subSequenceNumber`, subSequenceNumber, 0, Number.MAX_SAFE_INTEGER);
    return { index, subSequenceNumber };
  }
  switch (checkpoint?.at) {
    case "TRIM_HORIZON":
    case "LATEST":
    case "SHARD_END":
      return { at: checkpoint.at };
    case "AT_TIMESTAMP":
      return { at: checkpoint.at, timestampMs: Number(checkpoint.timestampMs) };
    default:
      throw invalid(argument, checkpoint, "a checkpoint");
  }
}

/** The error for an argument that is not what it must be. */
export function invalid(argument: string, value: unknown, limit: string): InvalidArgumentError {
  const text = textOf(value).slice(0, 200);
  return new InvalidArgumentError(`${argument} must be ${limit}, but it is ${text}`, {
    argument,
    value: text,
    limit,
  });
}

/** A value as a message shows it; not every object has a text. */
function textOf(value: unknown): string {
  try {
    return String(typeof value === "object" ? JSON.stringify(value) : value);
  } catch {
    return `of type ${typeof value}`;
  }
}
