/** A DynamoDB in this process, and tables of it. */
import type { Server } from "node:http";
import { DynamoDB } from "@aws-sdk/client-dynamodb";
import dynalite from "dynalite";
import { CREDENTIALS, endLater } from "../../../sdk/test/remote/support.ts";
import { type DynamoLeasesOptions, type DynamoLeaseTable, dynamoLeases } from "../src/index.ts";

export const TABLE = "orders-audit";

/** dynalite in this process; resolves with its URL. */
export async function startDynalite(createTableMs = 5): Promise<string> {
  const server: Server = dynalite({ createTableMs, deleteTableMs: 5, updateTableMs: 5 });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  endLater(async () => {
    // Cut off in the midst of a request dynalite fails with an error that nobody can catch.
    const late = setTimeout(() => server.closeAllConnections(), 2000);
    await new Promise<unknown>((resolve) => {
      server.close(resolve);
    });
    clearTimeout(late);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it listens on a port");
  return `http://127.0.0.1:${address.port}`;
}

/** A table of leases that is closed after the test. */
export function leasesAt(
  endpoint: string,
  options: Partial<DynamoLeasesOptions> = {},
): DynamoLeaseTable {
  const given =
    options.client === undefined ? { region: "us-east-1", endpoint, credentials: CREDENTIALS } : {};
  const table = dynamoLeases({ tableName: TABLE, ...given, ...options });
  endLater(() => table.close());
  return table;
}

/** The official client, as another application has it. */
export function clientAt(endpoint: string): DynamoDB {
  const client = new DynamoDB({ region: "us-east-1", endpoint, credentials: CREDENTIALS });
  endLater(() => client.destroy());
  return client;
}
