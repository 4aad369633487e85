/** What befalls every API call on its way: its checks, its rate, injected faults, and the trail behind it. */
import { ConnectionDroppedError } from "../errors/index.ts";
import type { FaultInjector, FaultVerdict } from "../faults/fault-injector.ts";
import type { Clock } from "../platform/platform.ts";
import type { CallFacts } from "./call-facts.ts";
import type { CallTrail } from "./call-trail.ts";
import type { ControlRates } from "./control-rates.ts";

/** The parts of a gate. */
export interface GateParts {
  readonly clock: Clock;
  readonly rates: ControlRates;
  readonly faults: FaultInjector;
  readonly trail: CallTrail;
}

/** One call to be let through. */
export interface GatedCall<Answer> {
  /** Refuses the call by throwing, before it counts as made. */
  readonly check?: () => void;
  /** Makes the call. Injected refusals of single records are its own to see to. */
  readonly make: (verdict: FaultVerdict) => Promise<Answer>;
  /** What the trail is to know of an answer; the answer itself when absent. */
  readonly describe?: (answer: Answer) => unknown;
  /** Ends an injected delay. */
  readonly signal?: AbortSignal;
}

/** Lets the calls of one engine through. */
export class CallGate {
  readonly #parts: GateParts;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /** Whether calls that have no checks and no rate need to come by here at all. */
  get watching(): boolean {
    return this.#parts.faults.active || this.#parts.trail.streamName !== undefined;
  }

  /**
   * Makes a call. A connection that an injected fault drops before the call leaves no trace, as a call
   * that never arrived; one that it drops afterwards is in the trail as what it was.
   *
   * @throws what the checks, the rate, the faults and the call itself throw.
   */
  async run<Answer>(facts: CallFacts, call: GatedCall<Answer>): Promise<Answer> {
    const { clock, rates, faults, trail } = this.#parts;
    try {
      call.check?.();
      rates.count(facts);
      const verdict = faults.judge(facts);
      if (verdict.delayMs > 0) await pauseOn(clock, verdict.delayMs, call.signal);
      if (verdict.failure !== undefined) throw verdict.failure;
      const answer = await call.make(verdict);
      if (trail.streamName !== undefined) {
        trail.note(facts, { answer: call.describe?.(answer) ?? answer });
      }
      if (verdict.lostAnswer !== undefined) throw verdict.lostAnswer;
      return answer;
    } catch (error) {
      const unnoticed = error instanceof ConnectionDroppedError || call.signal?.aborted === true;
      if (!unnoticed) trail.note(facts, { thrown: error });
      throw error;
    }
  }
}

/** Resolves after a time, or at once when the signal is aborted, and then rejects with its reason. */
async function pauseOn(
  clock: Clock,
  delayMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = clock.after(delayMs, resolve);
    const aborted = (): void => {
      cancel();
      resolve();
    };
    if (signal?.aborted === true) aborted();
    signal?.addEventListener("abort", aborted, { once: true });
  });
  signal?.throwIfAborted();
}
