/** Leases of a consumer group in a DynamoDB table, as the KCL keeps them. */
import { DynamoLeaseTable } from "./dynamo-lease-table.ts";
import { checkLeasesOptions, type DynamoLeasesOptions } from "./options.ts";

export type { DynamoLeaseTable } from "./dynamo-lease-table.ts";
export { LeaseTableError } from "./lease-table-error.ts";
export type { DynamoLeasesOptions, LeaseTableBilling } from "./options.ts";

/**
 * Makes a table of leases for `group(name, { leases })` of a stream elsewhere. AWS's client,
 * @aws-sdk/client-dynamodb, is loaded when the table is used first; nothing is sent before.
 *
 * @throws InvalidArgumentError when an option is malformed or unknown.
 */
export function dynamoLeases(options: DynamoLeasesOptions): DynamoLeaseTable {
  return new DynamoLeaseTable(checkLeasesOptions(options));
}
