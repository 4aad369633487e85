/** What every table of leases promises, shown on a table of DynamoDB. */
import { leaseTableContract } from "../../../sdk/test/remote/lease-table-contract.ts";
import { leasesAt, startDynalite } from "./support.ts";

leaseTableContract("in DynamoDB", async () => {
  const url = await startDynalite();
  await leasesAt(url).open();
  return { another: async () => leasesAt(url) };
});
