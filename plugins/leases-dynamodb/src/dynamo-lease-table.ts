/** The leases of one group in a table of DynamoDB. */
import type { MillraceError } from "millrace";
import type { LeaseRow, LeaseTable } from "millrace/plugin";
import { openCalls } from "millrace/remote";
import { DYNAMODB, type DynamoCalls, type DynamoOperations, type Item } from "./dynamo-service.ts";
import { insertion, keyOf, type LeaseChange, removal, replacement } from "./lease-changes.ts";
import { rowOf } from "./lease-items.ts";
import type { LeaseTableSettings } from "./options.ts";
import { setUpTable } from "./table-setup.ts";

const CONDITION_FAILED = "ConditionalCheckFailedException";
/** Rows that `drop` removes at the same time. */
const REMOVALS_MAX = 25;

/**
 * Leases in a table of DynamoDB. Every change is one conditional request, so that of two workers one is told false
 * by DynamoDB itself. Throttled, unanswered and failed requests are made again with pauses until the deadline.
 *
 * When the answer to a change is lost and the change, made again, finds its condition broken, the row is looked at:
 * as the change leaves it, it was made, and the answer is true. Where yet another worker changed the row meanwhile
 * the answer is false although the change was made: who takes a lease for lost then is on the safe side.
 */
export class DynamoLeaseTable implements LeaseTable {
  readonly #settings: LeaseTableSettings;
  #calls: Promise<DynamoCalls> | undefined;
  #closed = false;

  /** Made by `dynamoLeases`. */
  constructor(settings: LeaseTableSettings) {
    this.#settings = settings;
  }

  /** What errors call it: the table, and where it is. */
  get name(): string {
    return `table ${this.#settings.tableName} of ${this.#settings.place}`;
  }

  /**
   * Makes the table if there is none, and waits until it can be used. Safe to call twice, and by many at the same time.
   *
   * @throws LeaseTableError when the table is another application's; DeadlineError when it is not ready within
   * `tableDeadlineMs`; NotSupportedError when AWS's client is not installed; AccessDeniedError, CredentialsError,
   * ClockSkewError, WrongEndpointError, RemoteUnavailableError.
   */
  async open(signal?: AbortSignal): Promise<void> {
    await setUpTable(await this.#connect(), this.#settings, signal);
  }

  /** All leases, by consistent reads. @throws LeaseTableError when the table has other things in it; as `open` does. */
  async list(signal?: AbortSignal): Promise<LeaseRow[]> {
    const { tableName } = this.#settings;
    const calls = await this.#connect();
    const rows: LeaseRow[] = [];
    let from: Item | undefined;
    do {
      const page = { TableName: tableName, ConsistentRead: true };
      const input = from === undefined ? page : { ...page, ExclusiveStartKey: { ...from } };
      const { Items = [], LastEvaluatedKey } = await calls.call("Scan", input, signal);
      for (const item of Items) {
        const row = rowOf(item, tableName);
        if (row !== undefined) rows.push(row);
      }
      from = LastEvaluatedKey;
    } while (from !== undefined);
    return rows;
  }

  /** Adds a lease; false when there is one of its key. @throws as `open` does, and ResourceNotFoundError without a table. */
  async insert(row: LeaseRow, signal?: AbortSignal): Promise<boolean> {
    return await this.#change(insertion(this.#settings.tableName, row), signal);
  }

  /**
   * Changes the lease with this counter; false when it has another one or is gone. Attributes that Millrace does not
   * know are kept. @throws as `insert` does, and InvalidArgumentError for a counter that does not rise; where an answer was lost the error is `indeterminate`.
   */
  async replace(row: LeaseRow, seenCounter: number, signal?: AbortSignal): Promise<boolean> {
    return await this.#change(replacement(this.#settings.tableName, row, seenCounter), signal);
  }

  /** Removes a lease; false when it has another counter or is gone. @throws as `replace` does. */
  async remove(leaseKey: string, seenCounter: number, signal?: AbortSignal): Promise<boolean> {
    return await this.#change(removal(this.#settings.tableName, leaseKey, seenCounter), signal);
  }

  /**
   * Removes all leases. The table itself stays, with what else a KCL keeps in it: who made it by other means has its
   * tags, alarms and rights on it. @throws as `list` does.
   */
  async drop(signal?: AbortSignal): Promise<void> {
    const rows = await this.list(signal);
    while (rows.length > 0) {
      const some = rows.splice(0, REMOVALS_MAX);
      await Promise.all(some.map(({ leaseKey }) => this.#removeAnyhow(leaseKey, signal)));
    }
  }

  /** Ends its connections, unless the client is the caller's; calls then throw EngineClosedError. Safe to call twice. */
  close(): void {
    this.#closed = true;
    this.#calls?.then((calls) => calls.close()).catch(() => undefined);
  }

  /** Closes it at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #removeAnyhow(leaseKey: string, signal: AbortSignal | undefined): Promise<boolean> {
    return this.#change(removal(this.#settings.tableName, leaseKey), signal);
  }

  async #connect(): Promise<DynamoCalls> {
    this.#calls ??= openCalls<DynamoOperations>(DYNAMODB, this.#settings);
    const opening = this.#calls;
    try {
      const calls = await opening;
      if (this.#closed) calls.close();
      return calls;
    } catch (error) {
      // What did not load may load later. Another call may have begun that already.
      if (this.#calls === opening) this.#calls = undefined;
      throw error;
    }
  }

  async #change(change: LeaseChange, signal: AbortSignal | undefined): Promise<boolean> {
    const calls = await this.#connect();
    const { attemptMs, deadlineMs } = this.#settings;
    const lastStartMs = calls.clock.monotonicMs() + deadlineMs - attemptMs;
    /** Says that an earlier attempt may have made the change. */
    let lost: MillraceError | undefined;
    for (let failures = 0; ; failures++) {
      try {
        await change.send(calls, signal);
        return true;
      } catch (thrown) {
        signal?.throwIfAborted();
        const error = thrown as MillraceError;
        if (error.code === CONDITION_FAILED) {
          return lost !== undefined && (await this.#isMade(change, lost, signal));
        }
        if (error.indeterminate) lost = error;
        const pauseMs = calls.backOffMs(failures);
        const isLast = calls.clock.monotonicMs() + pauseMs > lastStartMs;
        if (!error.retryable || isLast) throw lost ?? error;
        await calls.pause(pauseMs, signal);
      }
    }
  }

  /** Whether a change was made whose answer was lost. @throws `lost` when that cannot be seen. */
  async #isMade(
    change: LeaseChange,
    lost: MillraceError,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    let found: LeaseRow | undefined;
    try {
      found = await this.#get(change.leaseKey, signal);
    } catch {
      signal?.throwIfAborted();
      throw lost;
    }
    return change.isMadeIn(found);
  }

  async #get(leaseKey: string, signal: AbortSignal | undefined): Promise<LeaseRow | undefined> {
    const { tableName } = this.#settings;
    const calls = await this.#connect();
    const input = { TableName: tableName, Key: { ...keyOf(leaseKey) }, ConsistentRead: true };
    const { Item: item } = await calls.call("GetItem", input, signal);
    return item === undefined ? undefined : rowOf(item, tableName);
  }
}
