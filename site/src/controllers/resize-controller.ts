/** Tells of the size of an element that a view draws, or of the view itself. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

/** Calls back with a width when it is first known and whenever the size changes, while the host is connected. */
export class ResizeController implements ReactiveController {
  readonly #find: () => Element | null;
  readonly #observer: ResizeObserver;
  #observed: Element | undefined;

  /** `find` says which element it is, once the host has drawn it; the host itself when absent. */
  constructor(
    host: ReactiveControllerHost & Element,
    onResize: (widthPx: number) => void,
    find: () => Element | null = () => host,
  ) {
    this.#find = find;
    this.#observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) onResize(entry.contentRect.width);
    });
    host.addController(this);
  }

  hostConnected(): void {
    this.#observe();
  }

  hostUpdated(): void {
    this.#observe();
  }

  hostDisconnected(): void {
    this.#observer.disconnect();
    this.#observed = undefined;
  }

  #observe(): void {
    const element = this.#find();
    if (element === null || element === this.#observed) return;
    this.#observer.disconnect();
    this.#observer.observe(element);
    this.#observed = element;
  }
}
