/** The Storage place: where the bytes are, which tab writes them, what was lost, and what can be done. */
import {
  html,
  LitElement,
  type nothing,
  type PropertyDeclarations,
  type PropertyValues,
  type TemplateResult,
} from "lit";
import type { StreamDescription } from "millrace";
import { ActionController } from "../../controllers/action-controller.ts";
import { BeatController } from "../../controllers/beat-controller.ts";
import { ENGINE_NAME, type OpenEngine } from "../../controllers/engine-controller.ts";
import { MediaController } from "../../controllers/media-controller.ts";
import { PollController } from "../../controllers/poll-controller.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { frameStyles, pairStyles } from "../../kit/layout-styles.ts";
import type { ShownError } from "../../live/advice.ts";
import { formatBytes } from "../../live/format.ts";
import { roleMark } from "../../storage/words.ts";
import { type EdgeReading, edgeStrip, readEdge } from "../edge.ts";
import { codeButton, pauseButton, placeHeader, reopenNotice } from "../page-actions.ts";
import { placeStyles } from "../streams/place-styles.ts";
import "./check-panel.ts";
import "./events-panel.ts";
import "./log-panel.ts";
import "./members-panel.ts";
import "./move-panel.ts";
import "./space-panel.ts";
import "./storage-code.ts";
import "./streams-panel.ts";

const READING_MS = 1000;
const SUMMARY_MS = 5000;

/** One reading of all that the place shows. */
interface Reading extends EdgeReading {
  readonly streams: readonly StreamDescription[];
}

/** Fires `mill-reopen`. */
export class MillStorage extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { engine: { attribute: false }, summary: { state: true } };
  }

  static override readonly styles = [baseStyles, placeStyles, frameStyles, pairStyles];

  /** The open engine. */
  declare engine: OpenEngine | undefined;
  declare summary: string;

  readonly #media = new MediaController(this);
  readonly #persistence = new ActionController(this);
  readonly #poll = new PollController<Reading | undefined>(this, READING_MS, async () => {
    const millrace = this.engine?.millrace;
    if (millrace === undefined) return undefined;
    const [edge, streams] = await Promise.all([readEdge(millrace), millrace.streams.list()]);
    return { ...edge, streams };
  });

  constructor() {
    super();
    this.engine = undefined;
    this.summary = "";
    new BeatController(this, SUMMARY_MS, () => this.#summarise());
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("engine")) this.#poll.restart();
  }

  override render(): TemplateResult {
    const reading = this.#poll.value;
    return html`<div class="page">
        ${this.#header()} ${this.#notice("The storage cannot be read", this.#poll.error)}
        ${this.#notice("The browser could not be asked", this.#persistence.error)}
        ${reading === undefined ? html`<p role="status">Reading the storage…</p>` : this.#panels(reading)}
        <div class="visually-hidden" role="status">${this.summary}</div>
      </div>
      ${edgeStrip(reading, this.#media.online)}
      <mill-storage-code .engineName=${ENGINE_NAME}></mill-storage-code>`;
  }

  #header(): TemplateResult {
    const about = "What is acknowledged is on this device, once, whatever happens to the tab.";
    return placeHeader("Storage", about, [
      pauseButton({ paused: this.#poll.paused, onToggle: () => this.#poll.togglePause() }),
      codeButton(() => this.renderRoot.querySelector("mill-storage-code")?.show()),
    ]);
  }

  #panels({ storage, member, streams }: Reading): TemplateResult {
    const { engine } = this;
    return html`<div class="pair">
        <mill-space-panel
          .storage=${storage}
          .busy=${this.#persistence.busy}
          .answer=${this.#persistence.answer}
          @mill-persist=${this.#persist}
        ></mill-space-panel>
        <mill-members-panel .member=${member}></mill-members-panel>
      </div>
      <div class="pair">
        <mill-log-panel .storage=${storage}></mill-log-panel>
        <mill-events-panel
          .losses=${engine?.dataLoss ?? []}
          .log=${engine?.events}
          .told=${engine?.events.events.length ?? 0}
        ></mill-events-panel>
      </div>
      <mill-storage-streams .streams=${streams}></mill-storage-streams>
      <div class="pair">
        <mill-check-panel .millrace=${engine?.millrace}></mill-check-panel>
        <mill-move-panel .millrace=${engine?.millrace}></mill-move-panel>
      </div>`;
  }

  #notice(heading: string, error: ShownError | undefined): TemplateResult | typeof nothing {
    return reopenNotice(heading, error, () => this.dispatchEvent(new CustomEvent("mill-reopen")));
  }

  async #persist(): Promise<void> {
    await this.#persistence.run(async () => {
      const kept = await this.engine?.millrace.requestPersistence();
      return kept === true
        ? "The browser keeps this site's data until you delete it."
        : "The browser declined: it may still evict this site's data when space is short.";
    });
    await this.#poll.refresh();
  }

  #summarise(): void {
    const reading = this.#poll.value;
    if (reading === undefined || this.#poll.paused) return;
    const { storage, member } = reading;
    this.summary = `${roleMark(member).text}, ${formatBytes(storage.storedBytes)} in the log.`;
  }
}

customElements.define("mill-storage", MillStorage);

declare global {
  interface HTMLElementTagNameMap {
    "mill-storage": MillStorage;
  }
}
