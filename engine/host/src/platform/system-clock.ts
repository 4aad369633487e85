/** The machine's clock, in a page, a worker or Node. */
import type { Clock } from "./platform.ts";

/** Wall time, monotonic time and timers of the machine. Timers do not keep a Node process alive. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    const timer: unknown = setTimeout(callback, delayMs);
    // A browser's timer is a number; Node's is an object that would hold the process open.
    if (hasUnref(timer)) timer.unref();
    return () => clearTimeout(timer as number);
  },
};

/** As {@link systemClock}, but a timer keeps a Node process alive: for what somebody waits for. */
export const waitingClock: Clock = {
  ...systemClock,
  after(delayMs, callback) {
    const timer: unknown = setTimeout(callback, delayMs);
    return () => clearTimeout(timer as number);
  },
};

function hasUnref(timer: unknown): timer is { unref(): void } {
  return typeof timer === "object" && timer !== null && "unref" in timer;
}
