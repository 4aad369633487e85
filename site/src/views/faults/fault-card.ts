/** One fault: what it does, the button that does it, and what came of it the last time. */
import {
  css,
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type TemplateResult,
} from "lit";
import type { Fault } from "../../faults/faults.ts";
import type { RunResult } from "../../faults/run-result.ts";
import { verdictOf } from "../../faults/words.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { stackStyles } from "../../kit/layout-styles.ts";
import { formatCount, formatMs } from "../../live/format.ts";
import "../../kit/lamp.ts";
import "../../kit/reading.ts";

const SOURCE = "counted by reading back everything after the run, against what was acknowledged";

/** Whether a fault befalls the engine now, or after others. */
export type CardState = "idle" | "waiting" | "running";

/** Fires `mill-strike`. */
export class MillFaultCard extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      fault: { attribute: false },
      run: { attribute: false },
      state: { type: String },
      blocked: { type: Boolean },
    };
  }

  static override readonly styles = [
    baseStyles,
    stackStyles,
    css`
      section {
        display: flex;
        flex-direction: column;
        gap: calc(var(--unit) * 3);
        block-size: 100%;
        padding: calc(var(--unit) * 4);
        border: 1px solid var(--line);
        border-radius: var(--radius);
        background: var(--panel);
      }

      h2 {
        font-size: var(--text);
        font-weight: 600;
      }

      .what {
        flex: 1;
      }
    `,
  ];

  /** The fault. */
  declare fault: Fault | undefined;
  /** Its last run in this visit. */
  declare run: RunResult | undefined;
  /** How things stand. */
  declare state: CardState;
  /** Whether another run is under way. */
  declare blocked: boolean;

  constructor() {
    super();
    this.fault = undefined;
    this.run = undefined;
    this.state = "idle";
    this.blocked = false;
  }

  override render(): TemplateResult | typeof nothing {
    const { fault, run } = this;
    if (fault === undefined) return nothing;
    return html`<section aria-labelledby="heading">
      <h2 id="heading">${fault.heading}</h2>
      <p class="soft what">${fault.what}</p>
      ${run === undefined ? nothing : readings(run)}
      <div class="line">
        <span id="outcome">${this.#outcome()}</span>
        <button
          type="button"
          id="strike"
          ?disabled=${this.blocked}
          @click=${() => this.dispatchEvent(new CustomEvent("mill-strike"))}
        >
          ${fault.action}
        </button>
      </div>
    </section>`;
  }

  #outcome(): TemplateResult {
    if (this.state === "running") return html`<mill-lamp state="busy">Running…</mill-lamp>`;
    if (this.state === "waiting")
      return html`<mill-lamp state="off">Waits for its turn</mill-lamp>`;
    if (this.run === undefined) return html`<mill-lamp state="off">Not run yet</mill-lamp>`;
    const { state, text } = verdictOf(this.run);
    return html`<mill-lamp .state=${state}>${text}</mill-lamp>`;
  }
}

function readings(run: RunResult): TemplateResult {
  const { acknowledgedBefore, acknowledgedAfter, readBack, outageMs } = run;
  const reading = (label: string, value: string, unit: string, source = SOURCE): TemplateResult =>
    html`<mill-reading
      .label=${label}
      .value=${value}
      .unit=${unit}
      .source=${source}
    ></mill-reading>`;
  const outage = formatMs(outageMs).split(" ");
  return html`<div class="readings">
    ${reading(
      "Acknowledged",
      formatCount(acknowledgedBefore + acknowledgedAfter),
      "records",
      "answers of the engine to this run's puts",
    )}
    ${reading("Lost", formatCount(readBack.lost), "records")}
    ${reading("Twice", formatCount(readBack.twice), "records")}
    ${reading(
      "Longest outage",
      outage[0] ?? "",
      outage[1] ?? "",
      "the longest time between two acknowledgements from the first fault on",
    )}
  </div>`;
}

customElements.define("mill-fault-card", MillFaultCard);

declare global {
  interface HTMLElementTagNameMap {
    "mill-fault-card": MillFaultCard;
  }
}
