/** What the browser knows about its surroundings: reduced motion, the network, a hidden tab. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

/** Watches the surroundings while its host is connected, and has the host drawn when they change. */
export class MediaController implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #motion = matchMedia("(prefers-reduced-motion: reduce)");
  readonly #changed = (): void => this.#host.requestUpdate();

  constructor(host: ReactiveControllerHost) {
    this.#host = host;
    host.addController(this);
  }

  /** Whether the person asked for less motion. */
  get reducedMotion(): boolean {
    return this.#motion.matches;
  }

  /** Whether the browser believes to have a network. */
  get online(): boolean {
    return navigator.onLine;
  }

  /** Whether the tab is out of sight. */
  get hidden(): boolean {
    return document.hidden;
  }

  hostConnected(): void {
    this.#motion.addEventListener("change", this.#changed);
    document.addEventListener("visibilitychange", this.#changed);
    addEventListener("online", this.#changed);
    addEventListener("offline", this.#changed);
  }

  hostDisconnected(): void {
    this.#motion.removeEventListener("change", this.#changed);
    document.removeEventListener("visibilitychange", this.#changed);
    removeEventListener("online", this.#changed);
    removeEventListener("offline", this.#changed);
  }
}
