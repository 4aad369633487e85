/** A lease table in an engine of this machine, for workers in one browser or over one store. */
import { type EngineClient, withSignal } from "@millrace/engine";
import type { LeaseRow, LeaseTable } from "../../lease-table.ts";

/**
 * See above. Changes are durable, but for renewals: a leader that takes over may not know of the last ones. It counts on
 * above them, so that what was seen before cannot be changed by it, and owners look at their leases again.
 */
export class EngineLeases implements LeaseTable {
  readonly #client: EngineClient;
  readonly #table: { readonly tableName: string; readonly generation: string };

  /**
   * `generation`: when the stream was made, decimal, in ms since the Unix epoch. Leases of an older stream
   * are forgotten when it is opened. To a table of a newer one `open` says ResourceInUseError, `drop` does nothing, and
   * for the others there is no such table.
   */
  constructor(client: EngineClient, tableName: string, generation: string) {
    this.#client = client;
    this.#table = { tableName, generation };
  }

  get name(): string {
    return this.#table.tableName;
  }

  async open(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await withSignal(signal, this.#client.call("leaseTableOpen", this.#table));
  }

  async list(signal?: AbortSignal): Promise<LeaseRow[]> {
    signal?.throwIfAborted();
    return await withSignal(signal, this.#client.call("leaseTableList", this.#table));
  }

  async insert(row: LeaseRow, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    const argument = { ...this.#table, row };
    return await withSignal(signal, this.#client.call("leaseTableInsert", argument));
  }

  async replace(row: LeaseRow, seenCounter: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    const argument = { ...this.#table, row, seenCounter };
    return await withSignal(signal, this.#client.call("leaseTableReplace", argument));
  }

  async remove(leaseKey: string, seenCounter: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    const argument = { ...this.#table, leaseKey, seenCounter };
    return await withSignal(signal, this.#client.call("leaseTableRemove", argument));
  }

  async drop(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await withSignal(signal, this.#client.call("leaseTableDrop", this.#table));
  }
}
