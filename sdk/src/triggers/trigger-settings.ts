/** How a trigger works, checked and complete. */
import type { StreamDescription } from "@millrace/engine";
import { checkBoolean, checkInteger, checkMembers, checkName, refuse } from "../check.ts";
import type { WorkerOptions } from "../groups/group-types.ts";
import { compileFilter, type RecordFilter } from "./filter-criteria.ts";
import type { TriggerOptions } from "./trigger-types.ts";

/** Members of the options of a trigger that is a job. */
export const TRIGGER_JOB_MEMBERS = [
  ...["batchSize", "batchWindowMs", "parallelizationFactor", "bisectOnError", "maxRetries"],
  ...["maxRecordAgeS", "onFailure", "filter", "tumblingWindowS", "reportBatchItemFailures"],
  ...["functionName", "functionArn", "timeoutMs", "retryMs", "reads"],
];
const MEMBERS = [
  ...TRIGGER_JOB_MEMBERS,
  ...["name", "startingPosition", "workerId", "failoverMs", "signal"],
];
/** Records of one delivery of the group at least; batches are cut of them. */
const DELIVERY_RECORDS_MIN = 1000;
const DELIVERY_RECORDS_MAX = 10_000;
/** The least age that AWS takes, in s. */
const RECORD_AGE_S_MIN = 60;
const HOUR_MS = 3_600_000;
const ARN = /^arn:[^:]+:[^:]*:[^:]*:[^:]*:.+$/;

/** {@link TriggerOptions} with all defaults. */
export interface TriggerSettings {
  readonly name: string;
  readonly batchSize: number;
  readonly batchWindowMs: number;
  readonly parallelizationFactor: number;
  readonly bisectOnError: boolean;
  /** Infinity for any number. */
  readonly retriesMax: number;
  /** Infinity for any age. */
  readonly recordAgeMsMax: number;
  readonly failureStream: string | undefined;
  readonly takes: RecordFilter;
  /** 0 for no windows. */
  readonly windowMs: number;
  readonly reportsItemFailures: boolean;
  readonly functionName: string;
  readonly functionArn: string;
  readonly timeoutMs: number;
  readonly retryMs: number;
}

/** Where a stream is. */
export interface StreamPlace {
  readonly region: string;
  readonly account: string;
}

/** The region and account of a stream. */
export function placeOf({ arn }: Pick<StreamDescription, "arn">): StreamPlace {
  const [, , , region = "", account = ""] = arn.split(":");
  return { region, account };
}

/** @throws InvalidArgumentError. */
export function checkTriggerOptions(
  options: TriggerOptions,
  stream: Pick<StreamDescription, "arn">,
): TriggerSettings {
  checkMembers("options", options, MEMBERS);
  const { batchSize = 100, batchWindowMs = 0, timeoutMs = 60_000, retryMs = 200 } = options;
  const { bisectOnError = false, reportBatchItemFailures = false, filter } = options;
  const name = checkName("options.name", options.name);
  const functionName = checkName("options.functionName", options.functionName ?? name);
  return {
    ...{ name, functionName },
    functionArn: checkArn(options.functionArn, functionName, stream),
    batchSize: checkInteger("options.batchSize", batchSize, 1, 10_000),
    batchWindowMs: checkInteger("options.batchWindowMs", batchWindowMs, 0, 300_000),
    ...checkConcurrency(options),
    bisectOnError: checkBoolean("options.bisectOnError", bisectOnError),
    ...checkEndurance(options),
    failureStream: checkDestination(options),
    takes: filter === undefined ? () => true : compileFilter("options.filter", filter),
    reportsItemFailures: checkBoolean("options.reportBatchItemFailures", reportBatchItemFailures),
    timeoutMs: checkInteger("options.timeoutMs", timeoutMs, 1, 900_000),
    retryMs: checkInteger("options.retryMs", retryMs, 0, HOUR_MS),
  };
}

/** How the worker of a trigger's group must work: the trigger itself decides what is done with. */
export function triggerWorkerOptions(
  { retryMs, batchSize }: TriggerSettings,
  { reads }: Pick<TriggerOptions, "reads">,
): WorkerOptions {
  const wanted = Math.max(DELIVERY_RECORDS_MIN, batchSize);
  return {
    ...{ checkpoints: "manual", deaggregate: false, retryMs },
    batchRecordsMax: Math.min(DELIVERY_RECORDS_MAX, wanted),
    ...(reads === undefined ? {} : { reads }),
  };
}

/** A window's state passes from one invocation to the next, so that there is one of them at a time. */
function checkConcurrency({ parallelizationFactor = 1, tumblingWindowS = 0 }: TriggerOptions) {
  const windowMs = checkInteger("options.tumblingWindowS", tumblingWindowS, 0, 900) * 1000;
  const argument = "options.parallelizationFactor";
  checkInteger(argument, parallelizationFactor, 1, 10);
  if (windowMs > 0 && parallelizationFactor > 1) {
    refuse(argument, "1 with tumblingWindowS", parallelizationFactor, "1");
  }
  return { windowMs, parallelizationFactor };
}

function checkEndurance({ maxRetries = -1, maxRecordAgeS = -1 }: TriggerOptions) {
  const retries = checkInteger("options.maxRetries", maxRetries, -1, 10_000);
  const ageS = checkInteger("options.maxRecordAgeS", maxRecordAgeS, -1, 604_800);
  if (ageS !== -1 && ageS < RECORD_AGE_S_MIN) {
    const limit = `-1 or ${RECORD_AGE_S_MIN} to 604800`;
    refuse("options.maxRecordAgeS", limit, maxRecordAgeS, limit);
  }
  return {
    retriesMax: retries < 0 ? Number.POSITIVE_INFINITY : retries,
    recordAgeMsMax: ageS < 0 ? Number.POSITIVE_INFINITY : ageS * 1000,
  };
}

function checkDestination({ onFailure }: TriggerOptions): string | undefined {
  if (onFailure === undefined) return undefined;
  checkMembers("options.onFailure", onFailure, ["streamName"]);
  return checkName("options.onFailure.streamName", onFailure.streamName);
}

function checkArn(
  arn: string | undefined,
  functionName: string,
  stream: Pick<StreamDescription, "arn">,
): string {
  const { region, account } = placeOf(stream);
  if (arn === undefined) return `arn:aws:lambda:${region}:${account}:function:${functionName}`;
  const limit = "an ARN";
  return ARN.test(arn) ? arn : refuse("options.functionArn", limit, arn, limit);
}
