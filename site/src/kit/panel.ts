/** A titled region of a view; what can be done with it goes into the slot `actions`. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { baseStyles } from "./base-styles.ts";

/** `<mill-panel heading="Shards">`. */
export class MillPanel extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { heading: { type: String } };
  }

  static override readonly styles = [
    baseStyles,
    css`
      section {
        block-size: 100%;
        padding: calc(var(--unit) * 4);
        border: 1px solid var(--line);
        border-radius: var(--radius);
        background: var(--panel);
      }

      header {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        justify-content: space-between;
        gap: calc(var(--unit) * 2);
        margin-block-end: calc(var(--unit) * 3);
      }

      h2 {
        font-size: var(--text);
        font-weight: 600;
      }

      .actions {
        display: flex;
        gap: calc(var(--unit) * 2);
      }
    `,
  ];

  /** Title of the region. */
  declare heading: string;

  constructor() {
    super();
    this.heading = "";
  }

  override render(): TemplateResult {
    return html`<section aria-labelledby="heading">
      <header>
        <h2 id="heading">${this.heading}</h2>
        <div class="actions"><slot name="actions"></slot></div>
      </header>
      <slot></slot>
    </section>`;
  }
}

customElements.define("mill-panel", MillPanel);

declare global {
  interface HTMLElementTagNameMap {
    "mill-panel": MillPanel;
  }
}
