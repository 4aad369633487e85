/** The control operations of lease tables. */
import type { LeaseTableOperations } from "../lease-tables/lease-table-operations.ts";
import type { Lives } from "./lives.ts";

type LeaseTableHandlers = {
  readonly [Operation in keyof LeaseTableOperations]: (
    argument: Parameters<LeaseTableOperations[Operation]>[0],
  ) => Promise<ReturnType<LeaseTableOperations[Operation]>>;
};

/** Handlers of the control operations of lease tables. */
export function leaseTableHandlers(lives: Lives): LeaseTableHandlers {
  return {
    leaseTableOpen: (table) =>
      lives.attempt(async ({ leaseTables }) => {
        await leaseTables.open(table);
        return null;
      }),
    leaseTableList: (table) => lives.attempt(async ({ leaseTables }) => leaseTables.list(table)),
    leaseTableInsert: (argument) =>
      lives.attempt(({ leaseTables }) => leaseTables.insert(argument)),
    leaseTableReplace: (argument) =>
      lives.attempt(({ leaseTables }) => leaseTables.replace(argument)),
    leaseTableRemove: (argument) =>
      lives.attempt(({ leaseTables }) => leaseTables.remove(argument)),
    leaseTableDrop: (table) =>
      lives.attempt(async ({ leaseTables }) => {
        await leaseTables.drop(table);
        return null;
      }),
  };
}
