/** Lets one tab at a time hurt the engine: the faults of two would be taken for one another's. */

const LOCK = "millrace-faults:bench";

/** That another tab is at it. */
export class BenchInUseError extends Error {
  override readonly name = "BenchInUseError";

  constructor() {
    super("another tab of this site lets faults befall the same engine at this moment");
  }
}

/** The last act of this page: one that was broken off is still being cleared away. */
let last: Promise<unknown> = Promise.resolve();

/**
 * Runs an act while no other tab runs one, after the one before it in this page.
 * @throws BenchInUseError; what the act throws.
 */
export async function alone<Value>(act: () => Promise<Value>): Promise<Value> {
  const mine = last.then(() =>
    navigator.locks.request(LOCK, { ifAvailable: true }, async (lock) => {
      if (lock === null) throw new BenchInUseError();
      return await act();
    }),
  );
  last = mine.catch(() => undefined);
  return await mine;
}
