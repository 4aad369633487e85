/** The control operations of lease tables: argument and answer. */
import type { LeaseTableReference, LeaseTableRow } from "./lease-table-types.ts";

/**
 * Operations of lease tables. Each change is one step, durable when it resolves, except for one that changes
 * nothing of a row but its counter: that is how owners show that they live, and a leader that comes after may
 * not know of it. Counters then go on above all that were ever seen, so that nothing that was seen before
 * can be changed by it: its owner reads the row again, and whoever watched it sees it rise, not stand still. A leader
 * that was deposed and does not know it may answer signs of life for a while, but stores nothing: an owner that it
 * answers hears of its loss at its next change of the row, or after 32 signs of life.
 */
export interface LeaseTableOperations {
  /**
   * Makes a table. One that is there is kept when it is of this generation, and emptied when it is of an older one:
   * its leases are of a stream that is no more.
   * @throws InvalidArgumentError, LimitExceededError; ResourceInUseError when it is of a newer one.
   */
  leaseTableOpen(table: LeaseTableReference): null;
  /** All rows by key. @throws ResourceNotFoundError, here and below, when there is no table of this generation. */
  leaseTableList(table: LeaseTableReference): LeaseTableRow[];
  /** Adds a row; false when there is one of its key. @throws InvalidArgumentError, LimitExceededError. */
  leaseTableInsert(argument: LeaseTableReference & { row: LeaseTableRow }): boolean;
  /**
   * Puts a row with a higher counter in the place of the one with the counter that was seen; false when that
   * one is not there. Made again it is false, too. @throws InvalidArgumentError.
   */
  leaseTableReplace(
    argument: LeaseTableReference & { row: LeaseTableRow; seenCounter: number },
  ): boolean;
  /** Removes the row with the counter that was seen; false when that one is not there. */
  leaseTableRemove(
    argument: LeaseTableReference & { leaseKey: string; seenCounter: number },
  ): boolean;
  /** Removes a table of this generation or an older one with its rows; one that is not there is none. */
  leaseTableDrop(table: LeaseTableReference): null;
}
