/** The table itself: looked at, made where there is none, and waited for. */
import type { TableDescription } from "@aws-sdk/client-dynamodb";
import { DeadlineError, ResourceInUseError, ResourceNotFoundError } from "millrace";
import type { DynamoCalls } from "./dynamo-service.ts";
import { KEY } from "./lease-items.ts";
import { LeaseTableError } from "./lease-table-error.ts";
import type { LeaseTableSettings } from "./options.ts";

/** States in which items are read and written. */
const READY: ReadonlySet<string | undefined> = new Set(["ACTIVE", "UPDATING"]);
/** States that end by themselves. */
const PASSING: ReadonlySet<string | undefined> = new Set(["CREATING", "DELETING"]);
const POLL_MS_MIN = 100;
const POLL_MS_MAX = 2000;

/** The table; undefined when there is none. */
async function describe(
  calls: DynamoCalls,
  tableName: string,
  signal: AbortSignal | undefined,
): Promise<TableDescription | undefined> {
  try {
    return (await calls.call("DescribeTable", { TableName: tableName }, signal)).Table;
  } catch (error) {
    if (error instanceof ResourceNotFoundError) return undefined;
    throw error;
  }
}

/** @throws LeaseTableError unless its items are found by a lease's key. */
function checkKey(tableName: string, { KeySchema, AttributeDefinitions }: TableDescription): void {
  const [hash, ...others] = KeySchema ?? [];
  const definition = AttributeDefinitions?.find(({ AttributeName }) => AttributeName === KEY);
  const isOfLeases =
    hash?.AttributeName === KEY &&
    hash.KeyType === "HASH" &&
    others.length === 0 &&
    definition?.AttributeType === "S";
  if (isOfLeases) return;
  const found = KeySchema?.map(({ AttributeName }) => AttributeName).join(", ");
  throw new LeaseTableError(
    `table ${tableName} is not one of leases: its key is ${found}, but must be ${KEY} alone, a string`,
    { argument: "tableName", value: tableName, limit: KEY },
  );
}

/** Asks for the table. That another asks at the same time, or that the answer is lost, shows when it is looked at. */
async function create(
  calls: DynamoCalls,
  { tableName, billing }: LeaseTableSettings,
  signal: AbortSignal | undefined,
): Promise<void> {
  const paid =
    billing === "PAY_PER_REQUEST"
      ? { BillingMode: billing }
      : {
          BillingMode: "PROVISIONED" as const,
          ProvisionedThroughput: {
            ReadCapacityUnits: billing.readCapacityUnits,
            WriteCapacityUnits: billing.writeCapacityUnits,
          },
        };
  const input = {
    TableName: tableName,
    KeySchema: [{ AttributeName: KEY, KeyType: "HASH" as const }],
    AttributeDefinitions: [{ AttributeName: KEY, AttributeType: "S" as const }],
    ...paid,
  };
  try {
    await calls.call("CreateTable", input, signal);
  } catch (error) {
    const mayPass = (error as { readonly retryable?: boolean }).retryable === true;
    if (!(error instanceof ResourceInUseError) && !mayPass) throw error;
  }
}

/** Whether a table can be used now. @throws LeaseTableError when it never can. */
function isReady(tableName: string, table: TableDescription): boolean {
  const { TableStatus: status } = table;
  if (status === "DELETING") return false;
  checkKey(tableName, table);
  if (READY.has(status)) return true;
  if (PASSING.has(status)) return false;
  throw new LeaseTableError(`table ${tableName} cannot be used: it is ${status}`, {
    argument: "tableName",
    value: tableName,
  });
}

/**
 * Waits until the table can be used, and makes it when there is none.
 *
 * @throws LeaseTableError when it is another thing's; DeadlineError when it is not ready in time; what the calls throw.
 */
export async function setUpTable(
  calls: DynamoCalls,
  settings: LeaseTableSettings,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { tableName, tableDeadlineMs } = settings;
  const endMs = calls.clock.monotonicMs() + tableDeadlineMs;
  for (let pollMs = POLL_MS_MIN; ; pollMs = Math.min(2 * pollMs, POLL_MS_MAX)) {
    const table = await describe(calls, tableName, signal);
    if (table !== undefined && isReady(tableName, table)) return;
    if (table === undefined) await create(calls, settings, signal);
    if (calls.clock.monotonicMs() + pollMs >= endMs) {
      throw new DeadlineError(`table ${tableName} was not ready within ${tableDeadlineMs} ms`, {
        argument: "tableDeadlineMs",
        value: tableName,
        limit: tableDeadlineMs,
      });
    }
    await calls.pause(pollMs, signal);
  }
}
