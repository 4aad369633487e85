/**
 * Virtual time for an engine on a real machine: its clock stands still until it is told to go on, while
 * stores and threads are as real as ever.
 */
import type { Platform } from "./platform.ts";
import { VirtualClock } from "./virtual-clock.ts";

/**
 * Stops that one passage of time makes at most. Over a year, timers that come back every minute then
 * fire every few hours, as they do on a machine that slept, instead of half a million times.
 */
const STOPS_MAX = 2000;
/** Turns of the event loop after every stop, in which what the timers began goes on. */
const TURNS_PER_STOP = 4;

/** The same surroundings on a clock that stands still, beginning now. A clock that is virtual already stays. */
export function withVirtualTime(platform: Platform): Platform & { readonly clock: VirtualClock } {
  const { clock } = platform;
  if (clock instanceof VirtualClock) return { ...platform, clock };
  return { ...platform, clock: new VirtualClock(clock.nowMs()) };
}

/** Turns of the event loop, in which messages and whatever is ready get their turn. */
class Turns {
  readonly #channel = new MessageChannel();
  #wake: () => void = () => undefined;

  constructor() {
    this.#channel.port1.onmessage = () => this.#wake();
  }

  async pass(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn += 1) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#channel.port2.postMessage(null);
      });
    }
  }

  /** Frees the channel, which would keep a process alive. */
  close(): void {
    this.#channel.port1.close();
    this.#channel.port2.close();
  }
}

/**
 * Lets virtual time pass. Timers fire in the order in which they are due, each at its own time unless
 * there are more than a few thousand, and what they begin goes on between them.
 */
export async function passTime(clock: VirtualClock, byMs: number): Promise<void> {
  const endMs = clock.monotonicMs() + byMs;
  const strideMs = byMs / STOPS_MAX;
  const turns = new Turns();
  try {
    await turns.pass(TURNS_PER_STOP);
    for (;;) {
      const leftMs = endMs - clock.monotonicMs();
      const nextMs = clock.nextTimerInMs;
      if (nextMs === undefined || nextMs > leftMs) break;
      clock.advanceBy(Math.min(leftMs, Math.max(nextMs, strideMs)));
      await turns.pass(TURNS_PER_STOP);
    }
    clock.advanceBy(Math.max(0, endMs - clock.monotonicMs()));
  } finally {
    turns.close();
  }
}
