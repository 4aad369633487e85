/** The page's end of the control port: operations by name over Comlink. */
import { type Remote, releaseProxy, wrap } from "comlink";
import { reviveError } from "../errors/index.ts";
import type { ControlAnswer, ControlFunction } from "./messages.ts";

/** Operations under way over one control port. */
export class ControlChannel {
  readonly #port: MessagePort;
  readonly #remote: Remote<ControlFunction>;
  readonly #pending = new Set<(reason: unknown) => void>();

  /** Takes the port over. */
  constructor(port: MessagePort) {
    this.#port = port;
    this.#remote = wrap<ControlFunction>(port);
  }

  /** Runs one operation; `again` says that it was sent to an earlier thread. @throws what the operation throws. */
  async call(operation: string, argument: unknown, again = false): Promise<unknown> {
    const answer = await this.#abandonable<ControlAnswer>(this.#remote(operation, argument, again));
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
