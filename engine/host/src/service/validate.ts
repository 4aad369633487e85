/** Checks of control arguments: whoever calls, the engine believes nothing it was not shown. */
import { InvalidArgumentError } from "../errors/index.ts";
import type { HoldOperations } from "../streams/hold-operations.ts";
import { HOLDER_LENGTH_MAX, RETENTION_HOURS } from "../streams/retention.ts";
import type { StreamSpec } from "../streams/stream-types.ts";
import type { EngineOptions, ReadRequest } from "./engine-service.ts";

const NAME_PATTERN = /^[a-zA-Z0-9_.-]{1,128}$/;
const MIB = 1_048_576;
/** Records of one read. */
const READ_RECORDS_MAX = 10_000;
/** Bytes of one read: 10 MiB. */
const READ_BYTES_MAX = 10 * MIB;
/** Smallest and largest memory budget in bytes: 16 MiB and 2 GiB. */
const BUDGET_BYTES = { min: 16 * MIB, max: 2048 * MIB } as const;
/** Smallest storage budget in bytes: 16 MiB. The log needs room for its WAL and for what that becomes. */
const STORAGE_BUDGET_BYTES_MIN = 16 * MIB;

/** Longest time that a stream shows that it is being changed: 1 hour. */
const TRANSITION_MS_MAX = 3_600_000;

/** Refuses a number that is no integer or out of its range. */
function checkInteger(argument: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new InvalidArgumentError(
    `${argument} must be an integer from ${min} to ${max}, but it is ${String(value)}`,
    { argument, value, limit: `${min} to ${max}` },
  );
}

/** Refuses anything but one of a few values. */
function checkChoice(argument: string, value: string | boolean, choices: readonly unknown[]): void {
  if (choices.includes(value)) return;
  const limit = choices.map((choice) => JSON.stringify(choice)).join(" or ");
  throw new InvalidArgumentError(`${argument} must be ${limit}, but it is ${String(value)}`, {
    argument,
    value: String(value),
    limit,
  });
}

/** Refuses a name that AWS would refuse. @throws InvalidArgumentError. */
export function checkName(argument: string, value: string): void {
  if (typeof value === "string" && NAME_PATTERN.test(value)) return;
  throw new InvalidArgumentError(
    `${argument} must be 1 to 128 characters of a-z, A-Z, 0-9, "_", "." and "-", but it is ${JSON.stringify(value)}`,
    { argument, value: String(value).slice(0, 200), limit: "[a-zA-Z0-9_.-]{1,128}" },
  );
}

/** Refuses a stream that cannot be. @throws InvalidArgumentError. */
export function checkStreamSpec(spec: StreamSpec): void {
  checkName("name", spec.name);
  checkInteger("shards", spec.shards, 1, 500);
  checkHours("retentionHours", spec.retentionHours);
  checkInteger("recordKibMax", spec.recordKibMax, 1024, 10_240);
}

/** Refuses who cannot hold a stream's retention. @throws InvalidArgumentError. */
export function checkHolder({
  streamName,
  holder,
}: Parameters<HoldOperations["retentionRelease"]>[0]): void {
  checkName("streamName", streamName);
  const isText = typeof holder === "string" && holder.length > 0;
  if (isText && holder.length <= HOLDER_LENGTH_MAX) return;
  throw new InvalidArgumentError(`holder must be 1 to ${HOLDER_LENGTH_MAX} characters`, {
    argument: "holder",
    value: String(holder).slice(0, 200),
    limit: HOLDER_LENGTH_MAX,
  });
}

/** Refuses a hold that there cannot be. @throws InvalidArgumentError. */
export function checkHold(hold: Parameters<HoldOperations["retentionHold"]>[0]): void {
  checkHolder(hold);
  checkHours("hours", hold.hours);
}

function checkHours(argument: string, hours: number): void {
  checkInteger(argument, hours, RETENTION_HOURS.min, RETENTION_HOURS.max);
}

/** Refuses options that no engine can be opened with. @throws InvalidArgumentError. */
export function checkEngineOptions(options: EngineOptions): void {
  checkName("name", options.name);
  checkInteger("memoryBudgetBytes", options.memoryBudgetBytes, BUDGET_BYTES.min, BUDGET_BYTES.max);
  if (options.storageBudgetBytes !== undefined) {
    const { storageBudgetBytes } = options;
    const [min, max] = [STORAGE_BUDGET_BYTES_MIN, Number.MAX_SAFE_INTEGER];
    checkInteger("storageBudgetBytes", storageBudgetBytes, min, max);
  }
  const { quotas, time = "system", transitionMs = 0, controlQuotas = false } = options;
  checkChoice("quotas", quotas, ["unlimited", "aws"]);
  checkChoice("time", time, ["system", "virtual"]);
  checkInteger("transitionMs", transitionMs, 0, TRANSITION_MS_MAX);
  checkChoice("controlQuotas", controlQuotas, [true, false]);
}

/** Longest time that may pass at once: ten years. */
const TIME_SPAN_MS_MAX = 315_576_000_000;

/** Refuses a time span that cannot pass. @throws InvalidArgumentError. */
export function checkTimeSpan(argument: string, spanMs: number): void {
  checkInteger(argument, spanMs, 0, TIME_SPAN_MS_MAX);
}

/** Refuses a read that is over its limits. @throws InvalidArgumentError. */
export function checkReadRequest(request: ReadRequest): void {
  checkInteger("recordsMax", request.recordsMax, 1, READ_RECORDS_MAX);
  checkInteger("bytesMax", request.bytesMax, 1, READ_BYTES_MAX);
  checkInteger("waitMs", request.waitMs, 0, 2_147_483_647);
  checkInteger("cursors.length", request.cursors.length, 1, 10_000);
  for (const [i, cursor] of request.cursors.entries()) {
    checkInteger(`cursors[${i}].shardIndex`, cursor.shardIndex, 0, 4_294_967_295);
    checkInteger(`cursors[${i}].nextIndex`, cursor.nextIndex, 0, Number.MAX_SAFE_INTEGER);
  }
}
