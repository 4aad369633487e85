/**
 * A row of a lease table that this worker owns. Its changes are made one after the other, each only where nobody
 * else changed the row; and it counts as lost when none went well for so long that others may take it.
 */
import { LeaseLostError, pause } from "@millrace/engine";
import { backOffMs } from "../../groups/back-off.ts";
import type { WorkerSurroundings } from "../../groups/worker-surroundings.ts";
import type { LeaseRow, LeaseTable } from "../../lease-table.ts";

/** First pause before a table is asked again that says two things at once, in ms. */
const RETRY_MS = 20;

/** What a row is owned with. */
export interface OwnedRowParts {
  readonly table: LeaseTable;
  readonly clock: WorkerSurroundings["clock"];
  readonly workerId: string;
  /** For so long after a change was begun the row is this worker's, in ms. */
  readonly keepMs: number;
  /** Hears once that the row is not this worker's any more. */
  readonly onLost: (row: OwnedRow) => void;
}

/** See above. */
export class OwnedRow {
  /** Names this ownership: no other one of the same lease has it. */
  readonly leaseCounter: number;
  readonly #parts: OwnedRowParts;
  #row: LeaseRow;
  /** What was to become of the row since then: whether it did is not known after calls that failed. */
  #attempted: LeaseRow[] = [];
  #renewedMs = 0;
  #failure: LeaseLostError | undefined;
  #cancelExpiry: () => void = () => undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /** `takenMs`: when the change was begun by which the row became this worker's (monotonic, in ms). */
  constructor(parts: OwnedRowParts, row: LeaseRow, takenMs: number) {
    this.#parts = parts;
    this.leaseCounter = row.counter;
    this.#row = row;
    this.#keep(takenMs);
  }

  /** As it is known to be. */
  get row(): LeaseRow {
    return this.#row;
  }

  /** When the last change was begun that went well (monotonic, in ms). */
  get renewedMs(): number {
    return this.#renewedMs;
  }

  /** Whether the row is not this worker's any more. */
  get lost(): boolean {
    return this.#failure !== undefined;
  }

  /** The row as a list has it; one that is older than what is known says nothing. */
  follow(found: LeaseRow | undefined): void {
    if (found !== undefined && found.counter <= this.#row.counter) return;
    if (found === undefined || !this.#isMine(found)) this.lose();
    else this.#know(found);
  }

  /**
   * Changes the row, after the changes before; its key and counter are seen to. @throws LeaseLostError; what the table
   * throws: then it is not known whether the row was changed, and the same change may be made again.
   */
  change(alter: (row: LeaseRow) => LeaseRow): Promise<void> {
    return this.#inTurn(() => this.#change(alter));
  }

  /** Gives the row to whoever waits for it, or to nobody; once. @throws what the table throws, unless the row is lost. */
  giveUp(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.lost || this.#row.owner !== this.#parts.workerId) return;
      try {
        await this.#change((row) => ({
          ...{ ...row, owner: row.wantedBy, wantedBy: null },
          ownerSwitches: row.ownerSwitches + Number(row.wantedBy !== null),
        }));
      } catch (error) {
        if (!this.lost) throw error;
      }
    });
  }

  /** The row is not this worker's any more, or must not be taken for it. */
  lose(): void {
    if (this.#failure !== undefined) return;
    const { leaseKey } = this.#row;
    this.#failure = new LeaseLostError(`the lease of ${leaseKey} is not this worker's any more`, {
      argument: "shardId",
      value: leaseKey,
    });
    this.#cancelExpiry();
    this.#parts.onLost(this);
  }

  /** It is given back: nobody need hear of it. */
  forget(): void {
    this.#cancelExpiry();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #change(alter: (row: LeaseRow) => LeaseRow): Promise<void> {
    const { table, clock } = this.#parts;
    for (let failures = 1; ; failures++) {
      if (this.#failure !== undefined) throw this.#failure;
      const seen = this.#row;
      const next = { ...alter(seen), leaseKey: seen.leaseKey, counter: seen.counter + 1 };
      this.#attempted.push(next);
      const begunMs = clock.monotonicMs();
      if (await table.replace(next, seen.counter)) {
        this.#know(next);
        this.#keep(begunMs);
        return;
      }
      await this.#lookAgain();
      // A table that lists what is not there any more would be asked without an end.
      if (!this.lost && this.#row.counter === seen.counter)
        await pause(clock, backOffMs(RETRY_MS, failures));
    }
  }

  /** Somebody changed the row: another worker, or an earlier call whose answer was lost. */
  async #lookAgain(): Promise<void> {
    const rows = await this.#parts.table.list();
    this.follow(rows.find(({ leaseKey }) => leaseKey === this.#row.leaseKey));
  }

  /** Another worker of the same name leaves other traces. */
  #isMine(found: LeaseRow): boolean {
    if (found.owner !== this.#parts.workerId) return false;
    return [this.#row, ...this.#attempted].some(
      (known) =>
        known.checkpoint === found.checkpoint &&
        known.subSequenceNumber === found.subSequenceNumber &&
        known.ownerSwitches === found.ownerSwitches,
    );
  }

  #know(row: LeaseRow): void {
    this.#row = row;
    this.#attempted = [];
  }

  #keep(begunMs: number): void {
    const { clock, keepMs } = this.#parts;
    this.#renewedMs = begunMs;
    this.#cancelExpiry();
    if (this.#failure !== undefined) return;
    const leftMs = Math.max(0, begunMs + keepMs - clock.monotonicMs());
    this.#cancelExpiry = clock.after(leftMs, () => this.lose());
  }
}
