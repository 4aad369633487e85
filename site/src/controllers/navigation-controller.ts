/** Goes from place to place by the address: links, the browser's own back and forward, and views. */
import type { ReactiveController, ReactiveControllerHost } from "lit";
import { type Address, addressOf, searchOfAddress, titleOf } from "../places/address.ts";

/** Name of the event by which a view asks for another address. */
export const GO = "mill-go";

/** Where a view wants to go. */
export interface Going {
  readonly address: Address;
  /** Whether the address that is left shall not be gone back to: a setting, not a step. */
  readonly replace: boolean;
}

/** An event that reaches the application from any depth. */
export function goTo(address: Address, { replace = false } = {}): CustomEvent<Going> {
  return new CustomEvent(GO, { detail: { address, replace }, bubbles: true, composed: true });
}

function linkIn(event: Event): HTMLAnchorElement | undefined {
  return event.composedPath().find((target) => target instanceof HTMLAnchorElement);
}

/** Whether a click on a link stays in this page and this window. */
function staysHere(event: MouseEvent, link: HTMLAnchorElement): boolean {
  const plain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
  const here = link.origin === location.origin && link.pathname === location.pathname;
  return plain && event.button === 0 && link.target === "" && here && link.hash === "";
}

/** What navigation needs of the application. */
export interface NavigationOptions {
  /** Is called when the place or its view has changed, not when a setting has. */
  readonly onMove: () => void;
  /** Query of the Live place as it is set now. */
  readonly liveSearch: () => string;
}

/** Holds the address for a host that shows its place. */
export class NavigationController implements ReactiveController {
  readonly #host: ReactiveControllerHost & HTMLElement;
  readonly #options: NavigationOptions;
  readonly #popped = (): void => this.#moved(true);
  readonly #asked = (event: Event): void => {
    if (event instanceof CustomEvent) this.#go(event.detail);
  };
  readonly #clicked = (event: Event): void => {
    const link = linkIn(event);
    if (!(event instanceof MouseEvent) || event.defaultPrevented || link === undefined) return;
    if (!staysHere(event, link)) return;
    event.preventDefault();
    const stays = this.#address.place === "live" && addressOf(link.search).place === "live";
    if (!stays) this.#show(link.search, false);
  };
  #address: Address = addressOf(location.search);

  constructor(host: ReactiveControllerHost & HTMLElement, options: NavigationOptions) {
    this.#host = host;
    this.#options = options;
    host.addController(this);
  }

  /** Where the person is. */
  get address(): Address {
    return this.#address;
  }

  /** Link to the Live place with the settings that it was left with. */
  get liveLink(): string {
    return `./${this.#options.liveSearch()}`;
  }

  hostConnected(): void {
    document.title = titleOf(this.#address);
    addEventListener("popstate", this.#popped);
    this.#host.addEventListener(GO, this.#asked);
    this.#host.addEventListener("click", this.#clicked);
  }

  hostDisconnected(): void {
    removeEventListener("popstate", this.#popped);
    this.#host.removeEventListener(GO, this.#asked);
    this.#host.removeEventListener("click", this.#clicked);
  }

  #go({ address, replace }: Going): void {
    const search = address.place === "live" ? this.#options.liveSearch() : searchOfAddress(address);
    this.#show(search, replace);
  }

  #show(search: string, replace: boolean): void {
    const target = `${location.pathname}${search}`;
    if (replace || search === location.search) history.replaceState(null, "", target);
    else history.pushState(null, "", target);
    this.#moved(!replace);
  }

  #moved(step: boolean): void {
    const before = this.#address;
    this.#address = addressOf(location.search);
    document.title = titleOf(this.#address);
    this.#host.requestUpdate();
    if (step && viewOf(before) !== viewOf(this.#address)) this.#options.onMove();
  }
}

function viewOf(address: Address): string {
  if (address.place !== "streams") return address.place;
  return address.view === "list" ? "list" : `${address.view} ${address.stream}`;
}
