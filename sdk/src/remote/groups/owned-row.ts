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
/** What owners and other workers change of a row. */
const CHANGING = [
  ...(["owner", "counter", "checkpoint", "subSequenceNumber", "ownerSwitches"] as const),
  ...(["wantedBy", "state"] as const),
];

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

/** A change that was begun at a time (monotonic, in ms). */
interface Attempt {
  readonly row: LeaseRow;
  readonly begunMs: number;
}

/** See above. */
export class OwnedRow {
  /** Names this ownership: no other one of the same lease has it. */
  readonly leaseCounter: number;
  readonly #parts: OwnedRowParts;
  #row: LeaseRow;
  /** What was to become of the row since then: whether it did is not known after calls that failed. */
  #attempted: Attempt[] = [];
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
    // Also one that this worker finished or gave up, by a call whose answer was lost.
    const made = this.#attempted.find(({ row }) => isSame(row, found));
    if (found === undefined || (made === undefined && !this.#isMine(found))) {
      this.lose();
      return;
    }
    this.#know(found);
    if (made !== undefined) this.#keep(made.begunMs);
  }

  /**
   * Changes the row, after the changes before; its key and counter are seen to. @throws LeaseLostError, also once the row
   * is finished, given up or forgotten; what the table throws: then it is not known whether the row was changed, and the same change may be made again.
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
    this.forget();
    this.#parts.onLost(this);
  }

  /** It is given back: nobody need hear of it, and nothing of it is changed from now on. */
  forget(): void {
    this.#failure ??= this.#lostError();
    this.#cancelExpiry();
  }

  #lostError(): LeaseLostError {
    const { leaseKey } = this.#row;
    return new LeaseLostError(`the lease of ${leaseKey} is not this worker's any more`, {
      argument: "shardId",
      value: leaseKey,
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #change(alter: (row: LeaseRow) => LeaseRow): Promise<void> {
    const { table, clock, workerId } = this.#parts;
    for (let failures = 1; ; failures++) {
      if (this.#failure !== undefined) throw this.#failure;
      const seen = this.#row;
      const next = { ...alter(seen), leaseKey: seen.leaseKey, counter: seen.counter + 1 };
      if (seen.owner !== workerId) {
        // It is finished or given up: to do that once more is done.
        if (isSame({ ...next, counter: seen.counter }, seen)) return;
        throw this.#lostError();
      }
      const begunMs = clock.monotonicMs();
      this.#attempted.push({ row: next, begunMs });
      if (await table.replace(next, seen.counter)) {
        this.#know(next);
        this.#keep(begunMs);
        return;
      }
      await this.#lookAgain();
      // An earlier call whose answer was lost did the same.
      if (isSame(next, this.#row)) return;
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
    return [this.#row, ...this.#attempted.map(({ row }) => row)].some(
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

/** Whether two rows of one key say the same. */
function isSame(one: LeaseRow, other: LeaseRow | undefined): boolean {
  return other !== undefined && CHANGING.every((member) => one[member] === other[member]);
}
