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
    leaseTableOpen: ({ tableName, generation }) =>
      lives.attempt(async ({ leaseTables }) => {
        await leaseTables.open(tableName, generation);
        return null;
      }),
    leaseTableList: ({ tableName }) =>
      lives.attempt(async ({ leaseTables }) => leaseTables.list(tableName)),
    leaseTableInsert: ({ tableName, row }) =>
      lives.attempt(({ leaseTables }) => leaseTables.insert(tableName, row)),
    leaseTableReplace: ({ tableName, row, seenCounter }) =>
      lives.attempt(({ leaseTables }) => leaseTables.replace(tableName, row, seenCounter)),
    leaseTableRemove: (argument) =>
      lives.attempt(({ leaseTables }) => leaseTables.remove(argument)),
    leaseTableDrop: ({ tableName }) =>
      lives.attempt(async ({ leaseTables }) => {
        await leaseTables.drop(tableName);
        return null;
      }),
  };
}
