/**
 * Lease tables of one life of an engine. Their rows are documents; a row that differs from the last one only
 * by its counter is a sign of life, of which there are many, and is kept in memory alone.
 */
import { LimitExceededError, ResourceNotFoundError } from "../errors/index.ts";
import type { ControlRecord, DocumentValue } from "../log/control-records.ts";
import type { Log } from "../log/log.ts";
import type { Catalogue } from "../streams/catalogue.ts";
import type { Documents } from "../streams/documents.ts";
import {
  checkRises,
  checkTableText,
  type StoredRow,
  storedCounter,
  storedRow,
} from "./lease-table-checks.ts";
import type { LeaseTableOperations } from "./lease-table-operations.ts";
import type { LeaseTableKey, LeaseTableRow } from "./lease-table-types.ts";

const TABLE_PREFIX = "lease-table/";
const ROW_PREFIX = "lease-row/";
const TABLES_MAX = 100;
/** Rows of all tables. */
const ROWS_MAX = 10_000;
/**
 * A stored row has a counter so far above the present one: changes of the counter alone are kept in memory up to
 * there. A life that takes over begins with the stored counter, which no caller can have seen.
 */
const COUNTERS_AHEAD = 32;

/** What lease tables of one life work with. */
export interface LeaseTablesParts {
  readonly log: Log;
  readonly catalogue: Catalogue;
  readonly documents: Documents;
}

/** See above. */
export class LeaseTables {
  readonly #parts: LeaseTablesParts;
  /** Present counters by the key of the row's document, of rows that were changed in this life. */
  readonly #counters = new Map<string, number>();

  constructor(parts: LeaseTablesParts) {
    this.#parts = parts;
  }

  /** See {@link LeaseTableOperations.leaseTableOpen}. */
  async open(tableName: string, generation: string): Promise<void> {
    checkTableText("tableName", tableName);
    checkTableText("generation", generation);
    const { catalogue, documents } = this.#parts;
    await catalogue.change(() => {
      const found = this.#generationOf(tableName);
      if (found === generation) return [];
      if (found === undefined) this.#requireRoom(TABLE_PREFIX, TABLES_MAX, "lease tables");
      return [
        ...documents.deletingAll(rowPrefix(tableName)),
        documents.putting(tableKey(tableName), generation),
      ];
    });
  }

  /** See {@link LeaseTableOperations.leaseTableList}. */
  list(tableName: string): LeaseTableRow[] {
    this.#requireTable(tableName);
    const keys = this.#parts.documents.keys(rowPrefix(tableName));
    return keys.flatMap((key) => this.#row(key) ?? []);
  }

  /** See {@link LeaseTableOperations.leaseTableInsert}. */
  async insert(tableName: string, row: LeaseTableRow): Promise<boolean> {
    const wanted = storedRow(row);
    return await this.#change(tableName, wanted.leaseKey, (key) => {
      if (this.#row(key) !== undefined) return undefined;
      this.#requireRoom(ROW_PREFIX, ROWS_MAX, "leases");
      return { records: [this.#putting(key, wanted)], counter: wanted.counter };
    });
  }

  /** See {@link LeaseTableOperations.leaseTableReplace}. */
  async replace(tableName: string, row: LeaseTableRow, seenCounter: number): Promise<boolean> {
    const wanted = storedRow(row);
    const { counter } = wanted;
    checkRises(counter, seenCounter);
    return await this.#change(tableName, wanted.leaseKey, (key) => {
      if (this.#row(key)?.counter !== seenCounter) return undefined;
      const stored = this.#stored(key);
      const lives = stored !== undefined && counter <= stored.counter && isSame(stored, wanted);
      return { records: lives ? [] : [this.#putting(key, wanted)], counter };
    });
  }

  /** See {@link LeaseTableOperations.leaseTableRemove}. */
  async remove({
    tableName,
    leaseKey,
    seenCounter,
  }: LeaseTableKey & { readonly seenCounter: number }): Promise<boolean> {
    return await this.#change(tableName, leaseKey, (key) => {
      if (this.#row(key)?.counter !== seenCounter) return undefined;
      return { records: [this.#parts.documents.deleting(key)], counter: undefined };
    });
  }

  /** See {@link LeaseTableOperations.leaseTableDrop}. */
  async drop(tableName: string): Promise<void> {
    checkTableText("tableName", tableName);
    const { catalogue, documents } = this.#parts;
    await catalogue.change(() => {
      if (this.#generationOf(tableName) === undefined) return [];
      return [
        ...documents.deletingAll(rowPrefix(tableName)),
        documents.deleting(tableKey(tableName)),
      ];
    });
  }

  /** Decides on a row after all changes before; whether it was changed. */
  async #change(
    tableName: string,
    leaseKey: string,
    decide: (
      key: string,
    ) => { records: readonly ControlRecord[]; counter: number | undefined } | undefined,
  ): Promise<boolean> {
    checkTableText("tableName", tableName);
    const { catalogue, log } = this.#parts;
    const key = rowPrefix(tableName) + leaseKey;
    return await catalogue.exclusively(async () => {
      this.#requireTable(tableName);
      const decision = decide(key);
      if (decision === undefined) return false;
      const { records, counter } = decision;
      if (records.length > 0) await log.change(records);
      if (counter === undefined) this.#counters.delete(key);
      else this.#counters.set(key, counter);
      return true;
    });
  }

  #row(key: string): LeaseTableRow | undefined {
    const stored = this.#stored(key);
    if (stored === undefined) return undefined;
    const counter = this.#counters.get(key) ?? stored.counter;
    const { timestampMs, state } = stored;
    return {
      ...stored,
      ...{ counter, timestampMs: timestampMs ?? undefined, state: state ?? undefined },
    };
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

  #putting(key: string, row: StoredRow): ControlRecord {
    const stored: DocumentValue = { ...row, counter: row.counter + COUNTERS_AHEAD };
    return this.#parts.documents.putting(key, stored);
  }

  #generationOf(tableName: string): string | undefined {
    const generation = this.#parts.documents.get<unknown>(tableKey(tableName));
    return generation === undefined ? undefined : String(generation);
  }

  /** @throws ResourceNotFoundError. */
  #requireTable(tableName: string): void {
    if (this.#generationOf(tableName) !== undefined) return;
    throw new ResourceNotFoundError(`Lease table ${String(tableName)} not found.`, {
      argument: "tableName",
      value: String(tableName),
    });
  }

  /** @throws LimitExceededError. */
  #requireRoom(prefix: string, limit: number, what: string): void {
    const value = this.#parts.documents.keys(prefix).length;
    if (value < limit) return;
    throw new LimitExceededError(`The engine holds ${value} ${what}. Limit: ${limit}.`, {
      argument: what,
      value,
      limit,
    });
  }
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
