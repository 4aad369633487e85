/** A lease table whose calls end in time: one that does not answer must not hold up the leases that it keeps. */
import { DeadlineError, withDeadline } from "@millrace/engine";
import type { WorkerSurroundings } from "../../groups/worker-surroundings.ts";
import type { LeaseRow, LeaseTable } from "../../lease-table.ts";

/** How long calls may take, in ms. */
export interface TableLimits {
  /** A change of a row, behind which the renewal of its lease waits. */
  readonly changeMs: number;
  /** Every other call. */
  readonly callMs: number;
}

/** See above. What a call that did not end in time changed is not known. */
export class BoundedTable implements LeaseTable {
  readonly #table: LeaseTable;
  readonly #clock: WorkerSurroundings["clock"];
  readonly #limits: TableLimits;

  constructor(table: LeaseTable, clock: WorkerSurroundings["clock"], limits: TableLimits) {
    this.#table = table;
    this.#clock = clock;
    this.#limits = limits;
  }

  get name(): string {
    return this.#table.name;
  }

  /** As long as it takes: tables are made in minutes. */
  async open(signal?: AbortSignal): Promise<void> {
    await this.#table.open(signal);
  }

  async list(): Promise<LeaseRow[]> {
    return await this.#within("list", (signal) => this.#table.list(signal));
  }

  async insert(row: LeaseRow): Promise<boolean> {
    return await this.#within("insert", (signal) => this.#table.insert(row, signal));
  }

  async replace(row: LeaseRow, seenCounter: number): Promise<boolean> {
    return await this.#within("replace", (signal) => this.#table.replace(row, seenCounter, signal));
  }

  async remove(leaseKey: string, seenCounter: number): Promise<boolean> {
    return await this.#within("remove", (signal) =>
      this.#table.remove(leaseKey, seenCounter, signal),
    );
  }

  async drop(signal?: AbortSignal): Promise<void> {
    await this.#table.drop(signal);
  }

  async #within<Value>(
    call: string,
    make: (signal: AbortSignal) => Promise<Value>,
  ): Promise<Value> {
    const giveUp = new AbortController();
    const callMs = call === "replace" ? this.#limits.changeMs : this.#limits.callMs;
    const late = (): DeadlineError =>
      new DeadlineError(`lease table ${this.name} did not answer ${call} within ${callMs} ms`, {
        ...{ argument: "leases", value: call, limit: callMs, indeterminate: call !== "list" },
      });
    try {
      return await withDeadline(this.#clock, callMs, make(giveUp.signal), late);
    } finally {
      giveUp.abort();
    }
  }
}
