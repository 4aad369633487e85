/** How much of something is used: a bar with its words, and a mark for screen readers. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { baseStyles } from "./base-styles.ts";

/** `<mill-gauge label="Used" .share=${0.4} text="4 of 10 GiB" source="…">`. */
export class MillGauge extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      label: { type: String },
      share: { type: Number },
      text: { type: String },
      source: { type: String },
    };
  }

  static override readonly styles = [
    baseStyles,
    css`
      .row {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        justify-content: space-between;
        gap: 0 calc(var(--unit) * 3);
      }

      .label {
        color: var(--ink-soft);
        font-size: var(--text-small);
      }

      .bar {
        block-size: 8px;
        margin-block-start: var(--unit);
        overflow: hidden;
        border: 1px solid var(--line-strong);
        border-radius: 4px;
        background: var(--ground);
      }

      svg {
        display: block;
        inline-size: 100%;
        block-size: 100%;
        fill: var(--water);
      }

      .warn svg {
        fill: var(--warn);
      }

      .hot svg {
        fill: var(--hot);
      }
    `,
  ];

  /** What is used. */
  declare label: string;
  /** Used part, 0 to 1. */
  declare share: number;
  /** The same in words, with units. */
  declare text: string;
  /** Where the number comes from. */
  declare source: string;

  constructor() {
    super();
    this.label = "";
    this.share = 0;
    this.text = "";
    this.source = "";
  }

  override render(): TemplateResult {
    const percent = Math.min(100, Math.max(0, this.share * 100));
    // What is there is never shown as nothing.
    const width = this.share > 0 ? Math.max(0.5, percent) : 0;
    return html`<div title=${this.source}>
      <div class="row">
        <span class="label" id="label">${this.label}</span>
        <span class="mono">${this.text}</span>
      </div>
      <div class="bar ${levelOf(this.share)}" aria-hidden="true">
        <svg viewBox="0 0 100 1" preserveAspectRatio="none">
          <rect width=${width} height="1" />
        </svg>
      </div>
      <meter
        class="visually-hidden"
        min="0"
        max="100"
        .value=${percent}
        aria-labelledby="label"
      ></meter>
      <span class="visually-hidden">(${this.source})</span>
    </div>`;
  }
}

function levelOf(share: number): string {
  if (share >= 0.95) return "hot";
  return share >= 0.8 ? "warn" : "";
}

customElements.define("mill-gauge", MillGauge);

declare global {
  interface HTMLElementTagNameMap {
    "mill-gauge": MillGauge;
  }
}
