/**
 * Lease tables of one life of an engine. Their rows are documents; a row that differs from the last one only
 * by its counter is a sign of life, of which there are many, and is kept in memory alone. Changes of one row go one
 * after the other; those of different rows go side by side, and share frames of the log.
 */
import { LimitExceededError, ResourceInUseError, ResourceNotFoundError } from "../errors/index.ts";
import { LeaseGates } from "../groups/lease-gates.ts";
import type { ControlRecord, DocumentValue } from "../log/control-records.ts";
import type { Log } from "../log/log.ts";
import type { Documents } from "../streams/documents.ts";
import {
  checkRises,
  checkTable,
  type StoredRow,
  storedCounter,
  storedRow,
} from "./lease-table-checks.ts";
import type { LeaseTableOperations } from "./lease-table-operations.ts";
import type { LeaseTableReference, LeaseTableRow } from "./lease-table-types.ts";

const TABLE_PREFIX = "lease-table/";
const ROW_PREFIX = "lease-row/";
const TABLES_MAX = 100;
/** Rows of all tables. */
const ROWS_MAX = 10_000;
/**
 * A stored row has a counter so far above the present one: changes of the counter alone are kept in memory below
 * it. A life that takes over begins with the stored counter, to which the row did not come in the life before.
 */
const COUNTERS_AHEAD = 32;

type ArgumentOf<Operation extends keyof LeaseTableOperations> = Parameters<
  LeaseTableOperations[Operation]
>[0];

/** What lease tables of one life work with. */
export interface LeaseTablesParts {
  readonly log: Log;
  readonly documents: Documents;
}

/** See above. */
export class LeaseTables {
  readonly #parts: LeaseTablesParts;
  /** Whatever changes a row goes through these, by the key of its document. */
  readonly #gates = new LeaseGates<string>();
  /** Present counters by the key of the row's document, of rows that were changed in this life. */
  readonly #counters = new Map<string, number>();
  /** Keys of rows that are being added. */
  readonly #added = new Set<string>();

  constructor(parts: LeaseTablesParts) {
    this.#parts = parts;
    parts.log.onApplied((record) => this.#applied(record));
  }

  /** See {@link LeaseTableOperations.leaseTableOpen}. */
  async open(table: LeaseTableReference): Promise<void> {
    checkTable(table);
    const { tableName, generation } = table;
    const { documents, log } = this.#parts;
    await this.#gates.duringAll(async () => {
      const found = this.#generationOf(table);
      if (found === Number(generation)) return;
      if (found !== undefined && found > Number(generation)) throw newerStream(table, found);
      if (found === undefined) this.#requireRoom(TABLE_PREFIX, TABLES_MAX, "lease tables");
      const made = documents.putting(tableKey(tableName), generation);
      await log.change([...documents.deletingAll(rowPrefix(tableName)), made]);
    });
  }

  /** See {@link LeaseTableOperations.leaseTableList}. */
  list(table: LeaseTableReference): LeaseTableRow[] {
    checkTable(table);
    this.#requireTable(table);
    const keys = this.#parts.documents.keys(rowPrefix(table.tableName));
    return keys.flatMap((key) => this.#row(key) ?? []);
  }

  /** See {@link LeaseTableOperations.leaseTableInsert}. */
  async insert(argument: ArgumentOf<"leaseTableInsert">): Promise<boolean> {
    const wanted = storedRow(argument.row);
    return await this.#change(argument, wanted.leaseKey, async (key) => {
      if (this.#row(key) !== undefined) return false;
      this.#requireRoom(ROW_PREFIX, ROWS_MAX, "leases", this.#added.size);
      this.#added.add(key);
      try {
        await this.#put(key, wanted);
      } finally {
        this.#added.delete(key);
      }
      return true;
    });
  }

  /** See {@link LeaseTableOperations.leaseTableReplace}. */
  async replace(argument: ArgumentOf<"leaseTableReplace">): Promise<boolean> {
    const { seenCounter } = argument;
    const wanted = storedRow(argument.row);
    const { counter } = wanted;
    checkRises(counter, seenCounter);
    return await this.#change(argument, wanted.leaseKey, async (key) => {
      const stored = this.#stored(key);
      if (stored === undefined || this.#counterOf(key, stored) !== seenCounter) return false;
      if (counter < stored.counter && isSame(stored, wanted)) this.#counters.set(key, counter);
      else await this.#put(key, wanted);
      return true;
    });
  }

  /** See {@link LeaseTableOperations.leaseTableRemove}. */
  async remove(argument: ArgumentOf<"leaseTableRemove">): Promise<boolean> {
    const { documents, log } = this.#parts;
    return await this.#change(argument, argument.leaseKey, async (key) => {
      if (this.#row(key)?.counter !== argument.seenCounter) return false;
      await log.change([documents.deleting(key)]);
      return true;
    });
  }

  /** See {@link LeaseTableOperations.leaseTableDrop}. */
  async drop(table: LeaseTableReference): Promise<void> {
    checkTable(table);
    const { tableName, generation } = table;
    const { documents, log } = this.#parts;
    await this.#gates.duringAll(async () => {
      const found = this.#generationOf(table);
      if (found === undefined || found > Number(generation)) return;
      const dropped = documents.deleting(tableKey(tableName));
      await log.change([...documents.deletingAll(rowPrefix(tableName)), dropped]);
    });
  }

  /** Decides on a row once nothing else changes it, and changes it; whether it was changed. */
  async #change(
    table: LeaseTableReference,
    leaseKey: string,
    change: (key: string) => Promise<boolean>,
  ): Promise<boolean> {
    checkTable(table);
    const key = rowPrefix(table.tableName) + leaseKey;
    return await this.#gates.during([key], async () => {
      this.#requireTable(table);
      return await change(key);
    });
  }

  /** The counter goes with the row: whoever lists rows in the moment of the commit sees both or neither. */
  #applied(record: ControlRecord): void {
    if (record.kind !== "document-put" && record.kind !== "document-deleted") return;
    const { key } = record;
    if (!key.startsWith(ROW_PREFIX)) return;
    this.#added.delete(key);
    const stored = this.#stored(key);
    if (stored === undefined) this.#counters.delete(key);
    else this.#counters.set(key, stored.counter - COUNTERS_AHEAD);
  }

  #row(key: string): LeaseTableRow | undefined {
    const stored = this.#stored(key);
    if (stored === undefined) return undefined;
    const counter = this.#counterOf(key, stored);
    const { timestampMs, state } = stored;
    return {
      ...stored,
      ...{ counter, timestampMs: timestampMs ?? undefined, state: state ?? undefined },
    };
  }

  #counterOf(key: string, stored: StoredRow): number {
    return this.#counters.get(key) ?? stored.counter;
  }

  /** A log may have been imported, and its documents are what anybody wrote: a row that cannot be is none. */
  #stored(key: string): StoredRow | undefined {
    const stored = this.#parts.documents.get<LeaseTableRow>(key);
    if (stored === undefined) return undefined;
    try {
      return { ...storedRow({ ...stored, counter: 0 }), counter: storedCounter(stored.counter) };
    } catch {
      return undefined;
    }
  }

  async #put(key: string, row: StoredRow): Promise<void> {
    const { documents, log } = this.#parts;
    const stored: DocumentValue = { ...row, counter: row.counter + COUNTERS_AHEAD };
    await log.change([documents.putting(key, stored)]);
  }

  /** What a table is of; NaN, which is no newer than any, when an imported log says nonsense. */
  #generationOf({ tableName }: LeaseTableReference): number | undefined {
    const stored = this.#parts.documents.get<unknown>(tableKey(tableName));
    return stored === undefined ? undefined : Number(stored);
  }

  /** @throws ResourceNotFoundError. */
  #requireTable(table: LeaseTableReference): void {
    const { tableName, generation } = table;
    if (this.#generationOf(table) === Number(generation)) return;
    throw new ResourceNotFoundError(
      `Lease table ${tableName} of generation ${generation} not found.`,
      { argument: "tableName", value: tableName },
    );
  }

  /** @throws LimitExceededError. */
  #requireRoom(prefix: string, limit: number, what: string, added = 0): void {
    const value = this.#parts.documents.keys(prefix).length + added;
    if (value < limit) return;
    throw new LimitExceededError(`The engine holds ${value} ${what}. Limit: ${limit}.`, {
      argument: what,
      value,
      limit,
    });
  }
}

function newerStream(
  { tableName, generation }: LeaseTableReference,
  found: number,
): ResourceInUseError {
  const message = `Lease table ${tableName} is of a newer generation, ${found}.`;
  const argument = "generation";
  return new ResourceInUseError(message, { argument, value: generation, limit: found });
}

/** Names may have any characters, and one must not look like the beginning of another. */
function tableKey(tableName: string): string {
  return `${TABLE_PREFIX}${encodeURIComponent(tableName)}`;
}

function rowPrefix(tableName: string): string {
  return `${ROW_PREFIX}${encodeURIComponent(tableName)}/`;
}

/** Whether two rows differ by their counters at most. */
function isSame(row: StoredRow, other: StoredRow): boolean {
  return JSON.stringify({ ...row, counter: 0 }) === JSON.stringify({ ...other, counter: 0 });
}
