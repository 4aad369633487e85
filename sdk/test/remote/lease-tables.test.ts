/** What every table of leases promises, shown on the tables of this package. */
import { clientOf } from "../../src/client-of.ts";
import { EngineLeases } from "../../src/remote/groups/engine-leases.ts";
import { openEngine } from "./groups/support.ts";
import { leaseTableContract } from "./lease-table-contract.ts";
import { MemoryLeases } from "./memory-leases.ts";

leaseTableContract("in memory", async () => {
  const table = new MemoryLeases();
  return { another: async () => table };
});

leaseTableContract("in an engine", async () => {
  const client = clientOf(await openEngine());
  const another = async () => {
    const table = new EngineLeases(client, "audit arn:aws:kinesis:us-east-1:1:stream/clicks", "1");
    await table.open();
    return table;
  };
  return { another };
});
