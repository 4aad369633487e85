/** Reads something of the engine at a steady pace, which can be paused. */
import type { ReactiveController, ReactiveControllerHost } from "lit";
import { describeError, type ShownError } from "../live/advice.ts";

/** Keeps the last reading for a host and has it drawn after each. */
export class PollController<Value> implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #intervalMs: number;
  readonly #read: () => Promise<Value>;
  #timer: ReturnType<typeof setInterval> | undefined;
  #value: Value | undefined;
  #error: ShownError | undefined;
  #paused = false;
  /** Counts subjects, so that an answer about an earlier one is not shown. */
  #subject = 0;
  #underWay: Promise<void> | undefined;

  /** `read` is called every `intervalMs`, and never again before it has answered. */
  constructor(host: ReactiveControllerHost, intervalMs: number, read: () => Promise<Value>) {
    this.#host = host;
    this.#intervalMs = intervalMs;
    this.#read = read;
    host.addController(this);
  }

  /** The last reading; undefined before the first. */
  get value(): Value | undefined {
    return this.#value;
  }

  /** Why the last reading failed; undefined when it did not. */
  get error(): ShownError | undefined {
    return this.#error;
  }

  /** Whether nothing is read by itself. */
  get paused(): boolean {
    return this.#paused;
  }

  hostConnected(): void {
    this.#timer = setInterval(() => {
      const idle = this.#underWay === undefined;
      if (idle && !this.#paused && !document.hidden) void this.refresh();
    }, this.#intervalMs);
    void this.refresh();
  }

  hostDisconnected(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Stops or starts reading by itself. */
  togglePause(): void {
    this.#paused = !this.#paused;
    this.#host.requestUpdate();
    if (!this.#paused) void this.refresh();
  }

  /** Forgets the last reading: what is read is another thing from now on. */
  restart(): void {
    this.#subject += 1;
    this.#value = undefined;
    this.#error = undefined;
    this.#underWay = undefined;
    void this.refresh();
  }

  /**
   * Reads now, after a reading that is under way: that one may have missed what has just happened.
   * Never rejects: what goes wrong becomes {@link error}.
   */
  async refresh(): Promise<void> {
    const earlier = this.#underWay;
    const subject = this.#subject;
    const reading = (earlier ?? Promise.resolve()).then(() => this.#take(subject));
    this.#underWay = reading;
    await reading;
    if (this.#underWay === reading) this.#underWay = undefined;
  }

  async #take(subject: number): Promise<void> {
    if (subject !== this.#subject) return;
    try {
      const value = await this.#read();
      if (subject !== this.#subject) return;
      this.#value = value;
      this.#error = undefined;
    } catch (error) {
      if (subject !== this.#subject) return;
      this.#error = describeError(error);
    }
    this.#host.requestUpdate();
  }
}
