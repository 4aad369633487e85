/** A lease table in an engine of this machine, for workers in one browser or over one store. */
import { type EngineClient, withSignal } from "@millrace/engine";
import type { LeaseRow, LeaseTable } from "../../lease-table.ts";

/**
 * See above. Changes are durable, but for renewals: a leader that takes over may not know of the last ones. It counts on
 * above them, so that what was seen before cannot be changed by it, and owners look at their leases again.
 */
export class EngineLeases implements LeaseTable {
  readonly name: string;
  readonly #client: EngineClient;
  readonly #generation: string;

  /** `generation`: leases of another one are of a stream that is no more, and are forgotten. */
  constructor(client: EngineClient, name: string, generation: string) {
    this.#client = client;
    this.name = name;
    this.#generation = generation;
  }

  async open(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const argument = { tableName: this.name, generation: this.#generation };
    await withSignal(signal, this.#client.call("leaseTableOpen", argument));
  }

  async list(signal?: AbortSignal): Promise<LeaseRow[]> {
    signal?.throwIfAborted();
    return await withSignal(signal, this.#client.call("leaseTableList", { tableName: this.name }));
  }

  async insert(row: LeaseRow, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    const argument = { tableName: this.name, row };
    return await withSignal(signal, this.#client.call("leaseTableInsert", argument));
  }

  async replace(row: LeaseRow, seenCounter: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    const argument = { tableName: this.name, row, seenCounter };
    return await withSignal(signal, this.#client.call("leaseTableReplace", argument));
  }

  async remove(leaseKey: string, seenCounter: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    const argument = { tableName: this.name, leaseKey, seenCounter };
    return await withSignal(signal, this.#client.call("leaseTableRemove", argument));
  }

  async drop(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await withSignal(signal, this.#client.call("leaseTableDrop", { tableName: this.name }));
  }
}
