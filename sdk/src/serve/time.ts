/** The server's own clock: the machine's, also where the engine's time is virtual. */
import { systemClock } from "@millrace/engine";

/** Wall time and timers. */
export type Clock = Pick<typeof systemClock, "nowMs" | "after">;

/**
 * Settles as the promise does, or rejects with the error that `late` makes after so many ms. What the
 * promise does later is nobody's concern.
 */
export async function within<Result>(
  clock: Clock,
  limitMs: number,
  promise: Promise<Result>,
  late: () => Error,
): Promise<Result> {
  let cancel = (): void => undefined;
  const expiry = new Promise<never>((_resolve, reject) => {
    cancel = clock.after(limitMs, () => reject(late()));
  });
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    cancel();
  }
}

export { systemClock };
