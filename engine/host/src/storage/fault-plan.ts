/** A plan of what goes wrong in a memory store, and when: the n-th call of a kind fails in a given way. */

/** The calls of a store that touch its contents. */
export type StoreOperation =
  | "appendFrame"
  | "lastFrameNumber"
  | "frameNumbers"
  | "readFrame"
  | "readFrames"
  | "deleteFrames"
  | "addSegments"
  | "segmentKeys"
  | "readSegment"
  | "deleteSegments";

/**
 * How a call fails:
 * - `abort`: certainly not done, StoreFailedError.
 * - `full`: certainly not done, StoreFullError (StoreFailedError for a read).
 * - `unknown-written`: done, but OutcomeUnknownError is told.
 * - `unknown-not-written`: not done, and OutcomeUnknownError is told.
 * - `crash-written`, `crash-not-written`: the same, and every later call fails until `reopen`.
 * - `none`: it does not fail; for calls that only wait for `until`.
 */
export type FaultKind =
  | "abort"
  | "full"
  | "unknown-written"
  | "unknown-not-written"
  | "crash-written"
  | "crash-not-written"
  | "none";

/** One thing that goes wrong, once. */
export interface Fault {
  readonly kind: FaultKind;
  /** Which of the calls that count, from 1. */
  readonly nth: number;
  /** Only these operations count; all when absent. */
  readonly operations?: readonly StoreOperation[];
  /** The call waits for this promise before anything else happens; later calls wait behind it. */
  readonly until?: Promise<void>;
}

interface ArmedFault {
  readonly fault: Fault;
  seen: number;
}

/** Counts the calls of a store and hands out the faults that are due. */
export class FaultPlan {
  readonly #armed: ArmedFault[] = [];
  readonly #log: StoreOperation[] = [];

  constructor(faults: readonly Fault[] = []) {
    for (const fault of faults) this.add(fault);
  }

  /** Operations that were called so far, in order. */
  get operations(): readonly StoreOperation[] {
    return this.#log;
  }

  /** Adds a fault; its count starts now. @throws RangeError when `nth` is not a whole number from 1. */
  add(fault: Fault): void {
    if (!Number.isInteger(fault.nth) || fault.nth < 1) {
      throw new RangeError(`nth must be a whole number from 1, not ${fault.nth}`);
    }
    this.#armed.push({ fault, seen: 0 });
  }

  /** Counts one call and returns the first fault that is due for it, which is then spent. */
  next(operation: StoreOperation): Fault | undefined {
    this.#log.push(operation);
    let due: ArmedFault | undefined;
    for (const armed of this.#armed) {
      if (armed.fault.operations?.includes(operation) === false) continue;
      armed.seen += 1;
      if (due === undefined && armed.seen >= armed.fault.nth) due = armed;
    }
    if (due !== undefined) this.#armed.splice(this.#armed.indexOf(due), 1);
    return due?.fault;
  }
}
