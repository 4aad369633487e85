/** An error in the engine's own words: its text, its code, and what to do about it. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { baseStyles } from "./base-styles.ts";

/** `<mill-notice heading="…" message="…" code="…" advice="…">` with buttons in its slot. */
export class MillNotice extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      heading: { type: String },
      message: { type: String },
      code: { type: String },
      advice: { type: String },
    };
  }

  static override readonly styles = [
    baseStyles,
    css`
      section {
        display: grid;
        gap: calc(var(--unit) * 2);
        max-inline-size: 76ch;
        padding: calc(var(--unit) * 5);
        border: 1px solid var(--hot);
        border-inline-start-width: 4px;
        border-radius: var(--radius);
        background: var(--hot-wash);
      }

      h2 {
        font-size: var(--text-large);
        font-weight: 600;
      }

      .message,
      code {
        font-family: var(--face-mono);
        overflow-wrap: anywhere;
      }

      .advice {
        font-weight: 500;
      }

      .actions {
        display: flex;
        gap: calc(var(--unit) * 2);
        margin-block-start: calc(var(--unit) * 2);
      }
    `,
  ];

  /** What did not work. */
  declare heading: string;
  /** The engine's text. */
  declare message: string;
  /** The engine's code. */
  declare code: string;
  /** What to do. */
  declare advice: string;

  constructor() {
    super();
    this.heading = "";
    this.message = "";
    this.code = "";
    this.advice = "";
  }

  override render(): TemplateResult {
    return html`<section role="alert">
      <h2>${this.heading}</h2>
      <p class="message">${this.message}</p>
      <p class="small">Code <code>${this.code}</code></p>
      <p class="advice">${this.advice}</p>
      <div class="actions"><slot></slot></div>
    </section>`;
  }
}

customElements.define("mill-notice", MillNotice);

declare global {
  interface HTMLElementTagNameMap {
    "mill-notice": MillNotice;
  }
}
