/** A lease table in memory, which several workers of a test share, and ways for it to fail for one of them. */
import { refuse } from "millrace/plugin";
import type { LeaseRow, LeaseTable } from "millrace/remote";

/** See above. */
export class MemoryLeases implements LeaseTable {
  readonly name = "memory";
  readonly rows = new Map<string, LeaseRow>();
  /** Changes that were made, as `owner checkpoint`. */
  readonly changes: string[] = [];

  async open(signal?: AbortSignal): Promise<void> {
    await turn(signal);
  }

  async list(signal?: AbortSignal): Promise<LeaseRow[]> {
    await turn(signal);
    return structuredClone([...this.rows.values()]);
  }

  async insert(row: LeaseRow, signal?: AbortSignal): Promise<boolean> {
    const kept = structuredClone(row);
    await turn(signal);
    if (this.rows.has(row.leaseKey)) return false;
    this.rows.set(row.leaseKey, kept);
    return true;
  }

  async replace(row: LeaseRow, seenCounter: number, signal?: AbortSignal): Promise<boolean> {
    if (row.counter <= seenCounter) refuse("row.counter", "higher", row.counter, `${seenCounter}`);
    const kept = structuredClone(row);
    await turn(signal);
    if (this.rows.get(row.leaseKey)?.counter !== seenCounter) return false;
    this.rows.set(row.leaseKey, kept);
    this.changes.push(`${row.owner} ${row.checkpoint}`);
    return true;
  }

  async remove(leaseKey: string, seenCounter: number, signal?: AbortSignal): Promise<boolean> {
    await turn(signal);
    return this.rows.get(leaseKey)?.counter === seenCounter && this.rows.delete(leaseKey);
  }

  async drop(signal?: AbortSignal): Promise<void> {
    await turn(signal);
    this.rows.clear();
  }
}

/** What may go wrong on the way to a table. */
export type Trouble = "none" | "refused" | "answers lost" | "silent";

/** The way of one worker to a table. */
export class LeasesBehind implements LeaseTable {
  readonly name = "memory, far away";
  /** What goes wrong now: calls are refused, made without an answer that says so, or never answered. */
  trouble: (call: string) => Trouble = () => "none";
  calls = 0;
  readonly #table: LeaseTable;

  constructor(table: LeaseTable) {
    this.#table = table;
  }

  /** From now on the worker is as good as dead. */
  cut(): void {
    this.trouble = () => "silent";
  }

  open(): Promise<void> {
    return this.#over("open", () => this.#table.open());
  }

  list(): Promise<LeaseRow[]> {
    return this.#over("list", () => this.#table.list());
  }

  insert(row: LeaseRow): Promise<boolean> {
    return this.#over("insert", () => this.#table.insert(row));
  }

  replace(row: LeaseRow, seenCounter: number): Promise<boolean> {
    return this.#over("replace", () => this.#table.replace(row, seenCounter));
  }

  remove(leaseKey: string, seenCounter: number): Promise<boolean> {
    return this.#over("remove", () => this.#table.remove(leaseKey, seenCounter));
  }

  drop(): Promise<void> {
    return this.#over("drop", () => this.#table.drop());
  }

  async #over<Value>(call: string, make: () => Promise<Value>): Promise<Value> {
    this.calls += 1;
    const trouble = this.trouble(call);
    if (trouble === "silent") return await new Promise<never>(() => undefined);
    if (trouble === "refused") throw new Error(`${call} was refused`);
    const value = await make();
    if (trouble === "answers lost") throw new Error(`the answer to ${call} was lost`);
    return value;
  }
}

/** Others have their turn, as over a network. */
async function turn(signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise((resolve) => setTimeout(resolve, 1));
}
