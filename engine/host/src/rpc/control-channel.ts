/** The page's end of the control port: operations by name over Comlink, each with a deadline. */
import { type Remote, releaseProxy, wrap } from "comlink";
import { DeadlineError, reviveError } from "../errors/index.ts";
import type { Clock } from "../platform/platform.ts";
import { withDeadline } from "./deadline.ts";
import type { ControlAnswer, ControlFunction } from "./messages.ts";

/** Operations under way over one control port. */
export class ControlChannel {
  readonly #port: MessagePort;
  readonly #remote: Remote<ControlFunction>;
  readonly #clock: Clock;
  readonly #pending = new Set<(reason: unknown) => void>();

  /** Takes the port over. */
  constructor(port: MessagePort, clock: Clock) {
    this.#port = port;
    this.#remote = wrap<ControlFunction>(port);
    this.#clock = clock;
  }

  /** Runs one operation. @throws DeadlineError after `deadlineMs`, and what the operation throws. */
  async call(operation: string, argument: unknown, deadlineMs: number): Promise<unknown> {
    const answer = await withDeadline(
      this.#clock,
      deadlineMs,
      this.#abandonable<ControlAnswer>(this.#remote(operation, argument)),
      () =>
        new DeadlineError(`the engine did not answer "${operation}" within ${deadlineMs} ms`, {
          argument: "operation",
          value: operation,
          limit: deadlineMs,
        }),
    );
    if (answer.ok) return answer.value;
    throw reviveError(answer.error);
  }

  /** Rejects all operations that are under way. */
  rejectAll(reason: unknown): void {
    for (const reject of [...this.#pending]) reject(reason);
  }

  /** Ends the channel. What is under way must have been rejected before. */
  close(): void {
    this.#remote[releaseProxy]();
    this.#port.close();
  }

  /** Comlink leaves a call pending for ever when the other side dies. */
  async #abandonable<Value>(call: PromiseLike<Value>): Promise<Value> {
    let forget: (() => void) | undefined;
    const abandoned = new Promise<never>((_resolve, reject) => {
      this.#pending.add(reject);
      forget = () => this.#pending.delete(reject);
    });
    try {
      return await Promise.race([call, abandoned]);
    } finally {
      forget?.();
    }
  }
}
