/** The list of streams, with what can be done to the list. */
import {
  css,
  html,
  LitElement,
  type nothing,
  type PropertyDeclarations,
  type TemplateResult,
} from "lit";
import type { Millrace } from "millrace";
import { BeatController } from "../../controllers/beat-controller.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { formatNumberOf, formatRate } from "../../live/format.ts";
import type { StreamReading } from "../../streams/readings.ts";
import { codeButton, pauseButton, placeHeader } from "../page-actions.ts";
import { showCode } from "./act-events.ts";
import { placeStyles } from "./place-styles.ts";
import "../../kit/panel.ts";
import "./create-stream.ts";
import "./stream-table.ts";

const SUMMARY_MS = 5000;

/** Fires `mill-pause`, and `mill-delete` with a stream's name. */
export class MillStreamList extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      millrace: { attribute: false },
      streams: { attribute: false },
      paused: { type: Boolean },
      summary: { state: true },
    };
  }

  static override readonly styles = [
    baseStyles,
    placeStyles,
    css`
      .empty {
        display: grid;
        justify-items: start;
        gap: calc(var(--unit) * 3);
      }
    `,
  ];

  /** The open engine. */
  declare millrace: Millrace | undefined;
  /** The streams at the last reading; undefined before the first. */
  declare streams: readonly StreamReading[] | undefined;
  /** Whether nothing is read by itself. */
  declare paused: boolean;
  declare summary: string;

  constructor() {
    super();
    this.millrace = undefined;
    this.streams = undefined;
    this.paused = false;
    this.summary = "";
    new BeatController(this, SUMMARY_MS, () => this.#summarise());
  }

  override render(): TemplateResult {
    return html`<div class="page">
      ${this.#header()}
      <mill-panel heading="In this engine">${this.#body()}</mill-panel>
      <mill-create-stream .millrace=${this.millrace}></mill-create-stream>
      <div class="visually-hidden" role="status">${this.summary}</div>
    </div>`;
  }

  #header(): TemplateResult {
    return placeHeader("Streams", "All streams of this engine, on this device.", [
      html`<button type="button" class="main" id="create" @click=${this.#create}>
        Create a stream
      </button>`,
      pauseButton({
        paused: this.paused,
        onToggle: () => this.dispatchEvent(new CustomEvent("mill-pause")),
      }),
      codeButton(() => this.dispatchEvent(showCode({ kind: "list" }))),
    ]);
  }

  #body(): TemplateResult | typeof nothing {
    const { streams } = this;
    if (streams === undefined) return html`<p>Reading the streams…</p>`;
    if (streams.length > 0) {
      return html`<mill-stream-table
        .streams=${streams}
        @mill-delete=${(event: CustomEvent<string>) =>
          this.dispatchEvent(new CustomEvent("mill-delete", { detail: event.detail }))}
      ></mill-stream-table>`;
    }
    return html`<div class="empty">
      <p>There is no stream yet. A stream takes records into its shards and keeps them in order.</p>
      <button type="button" @click=${this.#create}>Create the first one</button>
    </div>`;
  }

  #create(): void {
    this.renderRoot.querySelector("mill-create-stream")?.show();
  }

  #summarise(): void {
    const { streams } = this;
    if (streams === undefined || this.paused) return;
    const perSecond = streams
      .flatMap(({ rates }) => rates)
      .reduce((sum, rate) => sum + rate.incomingRecordsPerSecond, 0);
    this.summary = `${formatNumberOf(streams.length, "stream")}, ${formatRate(perSecond)} records per second in.`;
  }
}

customElements.define("mill-stream-list", MillStreamList);

declare global {
  interface HTMLElementTagNameMap {
    "mill-stream-list": MillStreamList;
  }
}
