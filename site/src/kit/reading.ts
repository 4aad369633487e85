/** One number of an instrument: what it is, its value, its unit, and where it comes from. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { baseStyles } from "./base-styles.ts";

/** `<mill-reading label="Refused" value="12" unit="records" source="…">`. */
export class MillReading extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      label: { type: String },
      value: { type: String },
      unit: { type: String },
      source: { type: String },
    };
  }

  static override readonly styles = [
    baseStyles,
    css`
      .label {
        color: var(--ink-soft);
        font-size: var(--text-small);
      }

      .value {
        font-family: var(--face-mono);
        font-size: var(--text-large);
        font-variant-numeric: tabular-nums;
        line-height: 1.3;
      }

      .unit {
        color: var(--ink-soft);
        font-size: var(--text-small);
      }
    `,
  ];

  /** What is read. */
  declare label: string;
  /** The number as text. */
  declare value: string;
  /** Unit of the number. */
  declare unit: string;
  /** Which meter it comes from, and over which time. */
  declare source: string;

  constructor() {
    super();
    this.label = "";
    this.value = "";
    this.unit = "";
    this.source = "";
  }

  override render(): TemplateResult {
    return html`<div title=${this.source}>
      <div class="label">${this.label}</div>
      <div><span class="value">${this.value}</span> <span class="unit">${this.unit}</span></div>
      <span class="visually-hidden">(${this.source})</span>
    </div>`;
  }
}

customElements.define("mill-reading", MillReading);

declare global {
  interface HTMLElementTagNameMap {
    "mill-reading": MillReading;
  }
}
