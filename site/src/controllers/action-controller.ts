/** Does one thing after the other on a person's word, and keeps what came of the last one. */
import type { ReactiveController, ReactiveControllerHost } from "lit";
import { describeError, type ShownError } from "../live/advice.ts";

/** Runs acts for a host and has it drawn when one begins or ends. */
export class ActionController implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  #busy = false;
  #error: ShownError | undefined;
  #answer = "";

  constructor(host: ReactiveControllerHost) {
    this.#host = host;
    host.addController(this);
  }

  /** Whether an act is under way. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Why the last act failed; undefined when it did not. */
  get error(): ShownError | undefined {
    return this.#error;
  }

  /** What came of the last act, in words; empty when there was none or it failed. */
  get answer(): string {
    return this.#answer;
  }

  hostConnected(): void {}

  /** Forgets the last act. */
  clear(): void {
    this.#error = undefined;
    this.#answer = "";
    this.#host.requestUpdate();
  }

  /**
   * Runs an act, which resolves with what came of it in words. Resolves with whether it succeeded and
   * never rejects; while another act is under way nothing is done.
   */
  async run(act: () => Promise<string>): Promise<boolean> {
    if (this.#busy) return false;
    this.#busy = true;
    this.clear();
    try {
      this.#answer = await act();
      return true;
    } catch (error) {
      this.#error = describeError(error);
      return false;
    } finally {
      this.#busy = false;
      this.#host.requestUpdate();
    }
  }
}
