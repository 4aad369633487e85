/** The frame of the site: the rail of places, and the view, or why there is none. */
import {
  css,
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type TemplateResult,
} from "lit";
import { EngineController, type OpenEngine } from "../controllers/engine-controller.ts";
import { NavigationController } from "../controllers/navigation-controller.ts";
import { ThemeController } from "../controllers/theme-controller.ts";
import { UpdateController } from "../controllers/update-controller.ts";
import { baseStyles } from "../kit/base-styles.ts";
import { type IconName, iconShape } from "../kit/icons.ts";
import { searchOf, settingsOf } from "../live/settings.ts";
import { type Address, producerOf, searchOfAddress } from "../places/address.ts";
import "../kit/notice.ts";
import "./edge-strip.ts";
import "./live.ts";

/** Places whose code is loaded when they are first gone to. */
const LAZY_PLACES = {
  streams: {
    name: "Streams",
    icon: "streams",
    link: `./${searchOfAddress({ place: "streams", view: "list" })}`,
    load: () => import("./streams/place.ts"),
  },
  producer: {
    name: "Produce",
    icon: "produce",
    link: `./${searchOfAddress(producerOf())}`,
    load: () => import("./producer/place.ts"),
  },
  consumers: {
    name: "Consume",
    icon: "consume",
    link: `./${searchOfAddress({ place: "consumers", group: undefined })}`,
    load: () => import("./consumers/place.ts"),
  },
  pipelines: {
    name: "Pipelines",
    icon: "pipelines",
    link: `./${searchOfAddress({ place: "pipelines" })}`,
    load: () => import("./pipelines/place.ts"),
  },
  sync: {
    name: "Sync",
    icon: "sync",
    link: `./${searchOfAddress({ place: "sync" })}`,
    load: () => import("./sync/place.ts"),
  },
  storage: {
    name: "Storage",
    icon: "storage",
    link: `./${searchOfAddress({ place: "storage" })}`,
    load: () => import("./storage/place.ts"),
  },
  faults: {
    name: "Faults",
    icon: "bolt",
    link: `./${searchOfAddress({ place: "faults" })}`,
    load: () => import("./faults/place.ts"),
  },
} as const;

type LazyPlace = keyof typeof LAZY_PLACES;

/** In the order of the rail. */
const LAZY_NAMES = [
  "streams",
  "producer",
  "consumers",
  "pipelines",
  "sync",
  "storage",
  "faults",
] as const;

/** Whether the code of a place has arrived, or why it has not; absent before it was asked for. */
type Arrival = "loading" | "here" | Error;

/** The application. */
export class MillraceApp extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { arrivals: { state: true } };
  }

  static override readonly styles = [
    baseStyles,
    css`
      :host {
        --rail-width: 76px;
        --bar-height: 56px;
      }

      .frame {
        display: grid;
        grid-template-columns: var(--rail-width) minmax(0, 1fr);
        min-block-size: 100dvh;
      }

      nav {
        position: sticky;
        inset-block-start: 0;
        z-index: 3;
        display: flex;
        flex-direction: column;
        align-items: stretch;
        gap: calc(var(--unit) * 2);
        block-size: 100dvh;
        padding: calc(var(--unit) * 3) calc(var(--unit) * 2);
        border-inline-end: 1px solid var(--line);
        background: var(--panel);
      }

      .brand {
        padding-block: calc(var(--unit) * 2) calc(var(--unit) * 3);
        font-size: var(--text-small);
        font-weight: 650;
        text-align: center;
      }

      .place {
        display: grid;
        justify-items: center;
        gap: var(--unit);
        padding: calc(var(--unit) * 2) 0;
        border: 1px solid transparent;
        border-radius: var(--radius);
        background: transparent;
        color: var(--ink);
        font: 500 var(--text-small) / 1.2 var(--face);
        text-decoration: none;
      }

      .place[aria-current="page"] {
        background: var(--water-wash);
        color: var(--water);
      }

      .place svg.icon {
        inline-size: 20px;
        block-size: 20px;
      }

      .theme {
        margin-block-start: auto;
      }

      main {
        display: flex;
        flex-direction: column;
        min-inline-size: 0;
      }

      main:focus {
        outline: none;
      }

      main > * {
        flex: 1;
      }

      main > mill-edge-strip {
        flex: none;
      }

      .alone {
        flex: 1;
        padding: calc(var(--unit) * 8) calc(var(--unit) * 6);
      }

      h1 {
        margin-block-end: calc(var(--unit) * 4);
        font-size: var(--text-title);
      }

      .skip {
        position: absolute;
        inset: 0 auto auto 0;
        z-index: 9;
        padding: calc(var(--unit) * 2) calc(var(--unit) * 4);
        background: var(--water);
        color: var(--on-water);
      }

      .skip:not(:focus) {
        clip-path: inset(50%);
      }

      .update {
        position: fixed;
        inset-block-end: 48px;
        inset-inline-end: calc(var(--unit) * 4);
        z-index: 4;
        display: flex;
        align-items: center;
        gap: calc(var(--unit) * 3);
        padding: calc(var(--unit) * 3) calc(var(--unit) * 4);
        border: 1px solid var(--line-strong);
        border-radius: var(--radius);
        background: var(--raised);
        box-shadow: var(--shadow);
      }

      @media (max-width: 700px) {
        .frame {
          grid-template-columns: minmax(0, 1fr);
          padding-block-end: var(--bar-height);
        }

        nav {
          position: fixed;
          inset: auto 0 0 0;
          flex-direction: row;
          justify-content: space-around;
          block-size: var(--bar-height);
          gap: 0;
          padding: var(--unit);
          border-inline-end: 0;
          border-block-start: 1px solid var(--line);
        }

        .brand {
          display: none;
        }

        .place {
          flex: 1 1 auto;
          min-inline-size: 0;
          padding: var(--unit) 0;
          font-size: 0.6875rem;
          letter-spacing: -0.01em;
        }

        .theme {
          margin: 0;
        }

        .alone {
          padding: calc(var(--unit) * 5) calc(var(--unit) * 3);
        }

        .update {
          inset-block-end: calc(var(--bar-height) + 40px);
        }
      }
    `,
  ];

  declare arrivals: Readonly<Partial<Record<LazyPlace, Arrival>>>;

  readonly #navigation = new NavigationController(this, {
    onMove: () => this.#moved(),
    liveSearch: () =>
      this.renderRoot.querySelector("mill-live")?.search ?? searchOf(settingsOf("")),
  });
  readonly #engine = new EngineController(this);
  readonly #theme = new ThemeController(this);
  readonly #update = new UpdateController(this);

  constructor() {
    super();
    this.arrivals = {};
  }

  protected override willUpdate(): void {
    const { place } = this.#navigation.address;
    if (place === "live" || this.arrivals[place] !== undefined) return;
    this.arrivals = { ...this.arrivals, [place]: "loading" };
    void arrivalOf(LAZY_PLACES[place].load()).then((arrival) => {
      this.arrivals = { ...this.arrivals, [place]: arrival };
    });
  }

  override render(): TemplateResult {
    return html`<div class="frame">
        <nav aria-label="Places">
          <a class="skip" href="#main" @click=${this.#skip}>Skip to the content</a>
          <div class="brand">Millrace</div>
          ${this.#place("live", "wheel", "Live", this.#navigation.liveLink)}
          ${LAZY_NAMES.map((place) => this.#lazyLink(place))}
          ${this.#themeButton()}
        </nav>
        <main id="main" tabindex="-1">${this.#view()}</main>
      </div>
      ${this.#updateNotice()}`;
  }

  #view(): TemplateResult {
    const { state } = this.#engine;
    switch (state.phase) {
      case "open":
        return this.#places(state.engine);
      case "opening":
        return html`<div class="alone"><p role="status">Opening the engine…</p></div>
          <mill-edge-strip .online=${navigator.onLine}></mill-edge-strip>`;
      case "failed":
        return html`<div class="alone">
            <h1>Millrace</h1>
            <mill-notice
              heading="The engine could not be opened"
              .message=${state.error.message}
              .code=${state.error.code}
              .advice=${state.error.advice}
            >
              <button type="button" class="main" @click=${() => this.#engine.reopen()}>
                Try again
              </button>
            </mill-notice>
          </div>
          <mill-edge-strip .online=${navigator.onLine}></mill-edge-strip>`;
    }
  }

  /** Live stays, out of sight, while another place is shown: its records go on flowing. */
  #places(engine: OpenEngine): TemplateResult {
    const { place } = this.#navigation.address;
    return html`<mill-live
        ?hidden=${place !== "live"}
        .active=${place === "live"}
        .engine=${engine}
        @mill-reopen=${() => this.#engine.reopen()}
        @mill-start-over=${() => this.#engine.startOver()}
      ></mill-live>
      ${place === "live" ? nothing : this.#lazyPlace(place, engine)}`;
  }

  #lazyPlace(place: LazyPlace, engine: OpenEngine): TemplateResult {
    const arrival = this.arrivals[place];
    if (arrival !== "here") return notHere(LAZY_PLACES[place].name, arrival);
    switch (place) {
      case "streams":
        return html`<mill-streams
          .engine=${engine}
          .address=${this.#navigation.address}
          @mill-reopen=${() => this.#engine.reopen()}
          @mill-start-over=${() => this.renderRoot.querySelector("mill-live")?.startOver()}
        ></mill-streams>`;
      case "storage":
        return html`<mill-storage
          .engine=${engine}
          @mill-reopen=${() => this.#engine.reopen()}
        ></mill-storage>`;
      case "consumers":
        return html`<mill-consumers
          .engine=${engine}
          .address=${this.#navigation.address}
          @mill-reopen=${() => this.#engine.reopen()}
        ></mill-consumers>`;
      case "producer":
        return html`<mill-producer
          .engine=${engine}
          .address=${this.#navigation.address}
          @mill-reopen=${() => this.#engine.reopen()}
        ></mill-producer>`;
      case "pipelines":
        return html`<mill-pipelines
          .engine=${engine}
          @mill-reopen=${() => this.#engine.reopen()}
        ></mill-pipelines>`;
      case "sync":
        return html`<mill-sync
          .engine=${engine}
          @mill-reopen=${() => this.#engine.reopen()}
        ></mill-sync>`;
      case "faults":
        return html`<mill-faults .engine=${engine}></mill-faults>`;
    }
  }

  #lazyLink(place: LazyPlace): TemplateResult {
    const { name, icon, link } = LAZY_PLACES[place];
    return this.#place(place, icon, name, link);
  }

  #place(place: Address["place"], icon: IconName, name: string, link: string): TemplateResult {
    const here = this.#navigation.address.place === place;
    return html`<a class="place" href=${link} aria-current=${here ? "page" : "false"}>
      <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${iconShape(icon)}</svg>
      ${name}
    </a>`;
  }

  #themeButton(): TemplateResult {
    const { theme, nextTheme } = this.#theme;
    const name = `${theme[0]?.toUpperCase() ?? ""}${theme.slice(1)}`;
    return html`<button
      type="button"
      class="place theme"
      aria-label="${name} theme; switch to ${nextTheme}"
      @click=${() => this.#theme.advance()}
    >
      <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${iconShape(theme)}</svg>
      ${name}
    </button>`;
  }

  #updateNotice(): TemplateResult | typeof nothing {
    if (!this.#update.waiting) return nothing;
    return html`<div class="update" role="status">
      A newer build is ready.
      <button type="button" class="main" @click=${() => this.#update.take()}>Reload</button>
    </div>`;
  }

  #skip(event: Event): void {
    event.preventDefault();
    this.renderRoot.querySelector("main")?.focus();
  }

  /** Where another view is shown, keyboard and screen reader begin at its top. */
  #moved(): void {
    scrollTo({ top: 0 });
    this.renderRoot.querySelector("main")?.focus({ preventScroll: true });
  }
}

async function arrivalOf(code: Promise<unknown>): Promise<Arrival> {
  try {
    await code;
    return "here";
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** What stands in for a place whose code is not here. */
function notHere(name: string, arrival: Arrival | undefined): TemplateResult {
  if (!(arrival instanceof Error)) {
    return html`<div class="alone"><p role="status">Loading ${name}…</p></div>`;
  }
  return html`<div class="alone">
    <h1>${name}</h1>
    <mill-notice
      heading="This part of the site could not be loaded"
      .message=${arrival.message}
      .code=${arrival.name}
      advice="Reload the page; if it stays, the site's files are not all being served."
    ></mill-notice>
  </div>`;
}

customElements.define("millrace-app", MillraceApp);

declare global {
  interface HTMLElementTagNameMap {
    "millrace-app": MillraceApp;
  }
}
