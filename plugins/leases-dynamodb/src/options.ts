/** What a table of leases is opened with, and what is refused of it. */
import { checkInteger, checkMembers, checkOneOf, refuse } from "millrace/plugin";
import {
  checkServiceOptions,
  SERVICE_MEMBERS,
  type ServiceClientLike,
  type ServiceOptions,
  type ServiceSettings,
} from "millrace/remote";
import { DYNAMODB } from "./dynamo-service.ts";

/** What a table that is made is paid by: its requests, or the units that are set aside for it. */
export type LeaseTableBilling =
  | "PAY_PER_REQUEST"
  | {
      /** 1 to 40,000. */
      readonly readCapacityUnits: number;
      /** 1 to 40,000. */
      readonly writeCapacityUnits: number;
    };

/** Where the leases of a group are kept. */
export interface DynamoLeasesOptions extends ServiceOptions {
  /** 3 to 255 characters of a-z, A-Z, 0-9, _, . and -. Each group has a table of its own (KCL: the application's name). */
  readonly tableName: string;
  /** `DynamoDB` of @aws-sdk/client-dynamodb or its smaller `DynamoDBClient`, to be used instead of one made here. */
  readonly client?: ServiceClientLike;
  /** For a table that is made; "PAY_PER_REQUEST" when absent. One that is there stays as it is. */
  readonly billing?: LeaseTableBilling;
  /** Longest time for one call, with what is tried again of it, in ms: 100 to 600,000; 10,000 when absent. */
  readonly deadlineMs?: number;
  /** Longest time for a table to be made and ready, in ms: 1,000 to 600,000; 120,000 when absent. */
  readonly tableDeadlineMs?: number;
}

/** Options that were checked and completed. */
export interface LeaseTableSettings extends ServiceSettings {
  readonly tableName: string;
  readonly billing: LeaseTableBilling;
  readonly attemptMs: number;
  readonly tableDeadlineMs: number;
}

const TABLE_NAME = /^[a-zA-Z0-9_.-]{3,255}$/;
const CAPACITY_UNITS_MAX = 40_000;
/** A call has time for this many attempts that are not answered. */
const ATTEMPTS_UNANSWERED = 4;

function checkTableName(tableName: unknown): string {
  if (typeof tableName === "string" && TABLE_NAME.test(tableName)) return tableName;
  const limit = "3 to 255 characters of a-z, A-Z, 0-9, _, . and -";
  return refuse("tableName", limit, tableName, limit);
}

function checkBilling(billing: unknown): LeaseTableBilling {
  if (typeof billing !== "object") {
    return checkOneOf<"PAY_PER_REQUEST">("billing", billing, ["PAY_PER_REQUEST"]);
  }
  checkMembers("billing", billing, ["readCapacityUnits", "writeCapacityUnits"]);
  const { readCapacityUnits, writeCapacityUnits } = billing as Record<string, unknown>;
  const check = (member: string, value: unknown): number =>
    checkInteger(`billing.${member}`, value, 1, CAPACITY_UNITS_MAX);
  return {
    readCapacityUnits: check("readCapacityUnits", readCapacityUnits),
    writeCapacityUnits: check("writeCapacityUnits", writeCapacityUnits),
  };
}

/** @throws InvalidArgumentError. */
export function checkLeasesOptions(options: DynamoLeasesOptions): LeaseTableSettings {
  const members = [...SERVICE_MEMBERS, "tableName", "billing", "tableDeadlineMs"];
  checkMembers("options", options, members);
  const { tableName, billing = "PAY_PER_REQUEST" } = options;
  const { deadlineMs = 10_000, tableDeadlineMs = 120_000 } = options;
  return {
    tableName: checkTableName(tableName),
    ...checkServiceOptions(DYNAMODB, { ...options, deadlineMs }),
    billing: checkBilling(billing),
    attemptMs: Math.ceil(deadlineMs / ATTEMPTS_UNANSWERED),
    tableDeadlineMs: checkInteger("tableDeadlineMs", tableDeadlineMs, 1000, 600_000),
  };
}
