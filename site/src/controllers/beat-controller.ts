/** A slow pulse on which a view takes new numbers, so that it is drawn evenly and not per record. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

/** Calls back every `intervalMs` while the host is connected, then asks the host to be drawn. */
export class BeatController implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #intervalMs: number;
  readonly #onBeat: () => void;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(host: ReactiveControllerHost, intervalMs: number, onBeat: () => void) {
    this.#host = host;
    this.#intervalMs = intervalMs;
    this.#onBeat = onBeat;
    host.addController(this);
  }

  hostConnected(): void {
    this.#timer = setInterval(() => {
      this.#onBeat();
      this.#host.requestUpdate();
    }, this.#intervalMs);
  }

  hostDisconnected(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
