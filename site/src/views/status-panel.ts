/** What the live consumer makes of the records: responses per status code, as a plot and as a table. */
import { css, html, LitElement, type PropertyDeclarations, svg, type TemplateResult } from "lit";
import { baseStyles, tableStyles } from "../kit/base-styles.ts";
import { formatCount, formatNumberOf, formatRate, formatShare } from "../live/format.ts";
import { dashOf, meaningOf, strokeNameOf } from "../live/status-codes.ts";
import type { StatusColumns, StatusTotal } from "../live/status-history.ts";
import "../kit/panel.ts";
import "./status-plot.ts";

/** A panel over totals and columns that its view hands in. */
export class MillStatusPanel extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      totals: { attribute: false },
      columns: { attribute: false },
      failed: { type: Number },
      lastFailure: { type: String },
      hiddenCodes: { state: true },
    };
  }

  static override readonly styles = [
    baseStyles,
    tableStyles,
    css`
      .sides {
        display: grid;
        grid-template-columns: minmax(0, 1.7fr) minmax(0, 1fr);
        gap: calc(var(--unit) * 6);
      }

      @media (max-width: 860px) {
        .sides {
          grid-template-columns: minmax(0, 1fr);
        }
      }

      th button {
        min-block-size: 28px;
        padding: 0 calc(var(--unit) * 2);
        border-color: transparent;
        background: transparent;
        font-family: var(--face-mono);
      }

      th button[aria-pressed="false"] {
        color: var(--ink-soft);
        text-decoration: line-through;
      }

      .sample {
        inline-size: 28px;
        block-size: 8px;
        flex: none;
        fill: none;
        stroke: currentColor;
        stroke-width: 2;
      }

      .good {
        color: var(--water);
      }
      .moved {
        color: var(--ink-soft);
      }
      .refused {
        color: var(--warn);
      }
      .broken {
        color: var(--hot);
      }

      td.meaning {
        color: var(--ink-soft);
        font-family: var(--face);
        font-size: var(--text-small);
        text-align: start;
      }

      @media (max-width: 700px) {
        .meaning {
          display: none;
        }

        th button {
          padding-inline: 0;
        }
      }

      .note {
        margin-block-start: calc(var(--unit) * 2);
        overflow-wrap: anywhere;
      }
    `,
  ];

  /** Totals per status code. */
  declare totals: readonly StatusTotal[];
  /** Counts per second. */
  declare columns: StatusColumns | undefined;
  /** Records that the transform refused. */
  declare failed: number;
  /** Its reason for the last of them. */
  declare lastFailure: string;
  declare hiddenCodes: ReadonlySet<number>;

  constructor() {
    super();
    this.totals = [];
    this.columns = undefined;
    this.failed = 0;
    this.lastFailure = "";
    this.hiddenCodes = new Set();
  }

  override render(): TemplateResult {
    const total = this.totals.reduce((sum, { count }) => sum + count, 0);
    return html`<mill-panel heading="Consumer: responses per status code">
      <div class="sides">
        <mill-status-plot .columns=${this.columns} .hiddenCodes=${this.hiddenCodes}>
        </mill-status-plot>
        <div>
          <div class="scroll" tabindex="0" role="region" aria-label="Responses per status code">
            <table>
              <thead>
                <tr>
                  <th scope="col">Status</th>
                  <th scope="col" class="meaning"><span class="visually-hidden">Meaning</span></th>
                  <th scope="col">records/s</th>
                  <th scope="col">records</th>
                  <th scope="col">share</th>
                </tr>
              </thead>
              <tbody>
                ${this.totals.map((row) => this.#row(row, total))}
              </tbody>
            </table>
          </div>
          <p class="note small soft">${this.#note(total)}</p>
        </div>
      </div>
    </mill-panel>`;
  }

  #row({ status, count, ratePerSecond }: StatusTotal, total: number): TemplateResult {
    const shown = !this.hiddenCodes.has(status);
    return html`<tr>
      <th scope="row">
        <button
          type="button"
          aria-pressed=${shown ? "true" : "false"}
          title="Show or hide the line of ${status}"
          @click=${() => this.#toggle(status)}
        >
          <svg class="sample ${strokeNameOf(status)}" viewBox="0 0 28 8" aria-hidden="true">
            ${svg`<path d="M0 4h28" stroke-dasharray=${dashOf(status).join(" ") || "none"} />`}
          </svg>
          ${status}
        </button>
      </th>
      <td class="meaning">${meaningOf(status)}</td>
      <td>${formatRate(ratePerSecond)}</td>
      <td>${formatCount(count)}</td>
      <td>${formatShare(total === 0 ? 0 : count / total)}</td>
    </tr>`;
  }

  #note(total: number): string {
    if (this.failed > 0) {
      return `The transform refused ${formatNumberOf(this.failed, "record")}; last: ${this.lastFailure}`;
    }
    if (total === 0) return "No record has been read yet.";
    return "Read live through the plugin @millrace/transform-access-log; rates over the last 5 s.";
  }

  #toggle(status: number): void {
    const hidden = new Set(this.hiddenCodes);
    if (!hidden.delete(status)) hidden.add(status);
    this.hiddenCodes = hidden;
  }
}

customElements.define("mill-status-panel", MillStatusPanel);

declare global {
  interface HTMLElementTagNameMap {
    "mill-status-panel": MillStatusPanel;
  }
}
