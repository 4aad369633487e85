/** Tasks side by side that stand and fall together: the first one that fails ends the others. */

/** See above. Made for one run of its tasks. */
export class TaskGroup {
  /** By what each task is ended: a signal of its own, since platforms warn when many listen to one. */
  readonly #running = new Map<Promise<void>, AbortController>();
  readonly #stopListening: () => void;
  #failure: { readonly error: unknown } | undefined;

  /** Its tasks end with this signal, too. */
  constructor(signal: AbortSignal) {
    const end = (): void => this.#fail(signal.reason);
    this.#stopListening = () => signal.removeEventListener("abort", end);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
  }

  /** Begins a task, which is to end soon after its signal is aborted. */
  spawn(work: (signal: AbortSignal) => Promise<void>): void {
    const ending = new AbortController();
    if (this.#failure !== undefined) ending.abort(this.#failure.error);
    const task: Promise<void> = work(ending.signal)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.#running.delete(task));
    this.#running.set(task, ending);
  }

  /** Resolves when no task is left. @throws what the first one failed with, or the signal's reason. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.race(this.#running.keys());
    this.#stopListening();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    for (const ending of this.#running.values()) ending.abort(error);
  }
}
