/** The service worker: registered once, and a newer build is offered, never forced. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

/** Registers the service worker of the built site and tells when a newer build waits. */
export class UpdateController implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  #registration: ServiceWorkerRegistration | undefined;
  #waiting = false;
  #taken = false;

  constructor(host: ReactiveControllerHost) {
    this.#host = host;
    host.addController(this);
  }

  /** Whether a newer build is ready to take over. */
  get waiting(): boolean {
    return this.#waiting;
  }

  hostConnected(): void {
    if (import.meta.env.PROD && "serviceWorker" in navigator) void this.#register();
  }

  /** Lets the newer build take over, then loads the page from it. */
  take(): void {
    this.#taken = true;
    this.#registration?.waiting?.postMessage({ type: "SKIP_WAITING" });
  }

  async #register(): Promise<void> {
    const container = navigator.serviceWorker;
    try {
      // Not through the bundler: the file is made after the bundle, and is never part of it.
      const registration = await container.register(new URL("sw.js", document.baseURI));
      this.#registration = registration;
      this.#look();
      registration.addEventListener("updatefound", () => {
        registration.installing?.addEventListener("statechange", () => this.#look());
      });
      container.addEventListener("controllerchange", () => {
        if (this.#taken) location.reload();
      });
    } catch (error) {
      // The page works without it, only not offline; the console is where a host's owner looks.
      reportError(error);
    }
  }

  #look(): void {
    // Without a controller this is the first build that the browser gets, and not a newer one.
    const waiting =
      this.#registration?.waiting !== null && navigator.serviceWorker.controller !== null;
    if (waiting === this.#waiting) return;
    this.#waiting = waiting;
    this.#host.requestUpdate();
  }
}
