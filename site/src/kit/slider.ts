/** A native range input with its label and its value in words. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { baseStyles } from "./base-styles.ts";

/** Fires `mill-slide` (a CustomEvent whose detail is the number) while it is moved. */
export class MillSlider extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      label: { type: String },
      hint: { type: String },
      min: { type: Number },
      max: { type: Number },
      step: { type: Number },
      value: { type: Number },
      text: { type: String },
    };
  }

  static override readonly styles = [
    baseStyles,
    css`
      .row {
        display: flex;
        align-items: baseline;
        justify-content: space-between;
        gap: calc(var(--unit) * 2);
      }

      label {
        font-weight: 500;
      }

      output {
        font-family: var(--face-mono);
        font-variant-numeric: tabular-nums;
      }

      input {
        display: block;
        inline-size: 100%;
        block-size: 24px;
        margin: var(--unit) 0;
        accent-color: var(--water);
        cursor: pointer;
      }

      p {
        color: var(--ink-soft);
        font-size: var(--text-small);
      }
    `,
  ];

  /** What is set. */
  declare label: string;
  /** One sentence on what it does. */
  declare hint: string;
  declare min: number;
  declare max: number;
  declare step: number;
  /** Position of the slider. */
  declare value: number;
  /** The value in words, with its unit. */
  declare text: string;

  constructor() {
    super();
    this.label = "";
    this.hint = "";
    this.min = 0;
    this.max = 100;
    this.step = 1;
    this.value = 0;
    this.text = "";
  }

  override render(): TemplateResult {
    return html`<div class="row">
        <label for="range">${this.label}</label>
        <output for="range">${this.text}</output>
      </div>
      <input
        id="range"
        type="range"
        min=${this.min}
        max=${this.max}
        step=${this.step}
        .value=${String(this.value)}
        aria-valuetext=${this.text}
        aria-describedby="hint"
        @input=${this.#slide}
      />
      <p id="hint">${this.hint}</p>`;
  }

  /** Puts the keyboard on the slider, as soon as it is drawn. */
  override focus(): void {
    void this.updateComplete.then(() => this.renderRoot.querySelector("input")?.focus());
  }

  #slide(event: Event): void {
    const { target } = event;
    if (!(target instanceof HTMLInputElement)) return;
    this.dispatchEvent(new CustomEvent("mill-slide", { detail: target.valueAsNumber }));
  }
}

customElements.define("mill-slider", MillSlider);

declare global {
  interface HTMLElementTagNameMap {
    "mill-slider": MillSlider;
  }
}
