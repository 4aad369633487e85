/** Whether a replication may work: closed by whoever holds it, or by an error, until it is opened again. */
import type { MillraceError } from "@millrace/engine";
import { withSignal } from "@millrace/engine";

/** Why work ends that is under way when the gate is closed. */
export const PAUSED = Symbol("paused");

/** See above. */
export class ReplicaGate {
  #closing = new AbortController();
  #opened: Promise<void> = Promise.resolve();
  #open: () => void = () => undefined;

  /** What it was closed by; undefined while it is open, and when nothing but a wish closed it. */
  reason: MillraceError | undefined;

  /** Whether work has to wait. */
  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Aborted, with {@link PAUSED}, when the gate is closed. Another one once it was opened again. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Closes it; whoever closes it again only gives another reason. */
  close(reason?: MillraceError): void {
    this.reason = reason;
    if (this.closed) return;
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
    this.#closing.abort(PAUSED);
  }

  /** Opens it. */
  open(): void {
    if (!this.closed) return;
    this.reason = undefined;
    this.#closing = new AbortController();
    this.#open();
  }

  /** Resolves when it is open. @throws the signal's reason. */
  async passed(signal: AbortSignal): Promise<void> {
    while (this.closed) await withSignal(signal, this.#opened);
  }
}
