/**
 * Where a consumer group of a stream elsewhere keeps its leases, as the KCL keeps them in a DynamoDB table: rows
 * that many workers read, and change only where nobody else did since.
 */
import type { LeaseTableRow as LeaseRow } from "@millrace/engine";

export type { LeaseRow };

/**
 * The leases of one group. A call whose signal is aborted beforehand does nothing. Every call that changes a row does so
 * only where the row is as it was seen, in one step: of two workers that change it at the same time, one is told false.
 */
export interface LeaseTable {
  /** What errors call it. */
  readonly name: string;
  /** Makes the table if there is none, and waits until it can be used. Safe to call twice. */
  open(signal?: AbortSignal): Promise<void>;
  /** All rows, as they are now or a moment before (consistent reads). */
  list(signal?: AbortSignal): Promise<LeaseRow[]>;
  /** Adds a row; false when there is one of its key. */
  insert(row: LeaseRow, signal?: AbortSignal): Promise<boolean>;
  /**
   * Puts a row, whose own counter is higher, in the place of the one with this counter; false when that one is not there
   * any more. @throws InvalidArgumentError for a counter that does not rise.
   */
  replace(row: LeaseRow, seenCounter: number, signal?: AbortSignal): Promise<boolean>;
  /** Removes a row; false when it has another counter or is gone. */
  remove(leaseKey: string, seenCounter: number, signal?: AbortSignal): Promise<boolean>;
  /** Removes all that the group has. */
  drop(signal?: AbortSignal): Promise<void>;
}
