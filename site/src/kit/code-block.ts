/** A piece of code that can be copied. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { baseStyles, preStyles } from "./base-styles.ts";
import { iconShape } from "./icons.ts";

/** `<mill-code-block heading="Put" .code=${text}>`. */
export class MillCodeBlock extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      heading: { type: String },
      code: { attribute: false },
      answer: { state: true },
    };
  }

  static override readonly styles = [
    baseStyles,
    preStyles,
    css`
      header {
        display: flex;
        align-items: center;
        justify-content: space-between;
        gap: calc(var(--unit) * 2);
        margin-block-end: var(--unit);
      }

      h3 {
        font-size: var(--text);
        font-weight: 600;
      }

      .actions {
        display: flex;
        align-items: center;
        gap: calc(var(--unit) * 2);
        color: var(--ink-soft);
        font-size: var(--text-small);
      }
    `,
  ];

  /** What the code does. */
  declare heading: string;
  /** The code as text. */
  declare code: string;
  /** What came of copying. */
  declare answer: string;

  constructor() {
    super();
    this.heading = "";
    this.code = "";
    this.answer = "";
  }

  override render(): TemplateResult {
    return html`<header>
        <h3 id="heading">${this.heading}</h3>
        <div class="actions">
          <span role="status">${this.answer}</span>
          <button type="button" @click=${this.#copy} aria-label="Copy: ${this.heading}">
            <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${iconShape("copy")}</svg>
            Copy
          </button>
        </div>
      </header>
      <pre tabindex="0" role="region" aria-labelledby="heading"><code>${this.code}</code></pre>`;
  }

  async #copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.code);
      this.answer = "Copied";
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.answer = `Not copied: ${reason}`;
    }
  }
}

customElements.define("mill-code-block", MillCodeBlock);

declare global {
  interface HTMLElementTagNameMap {
    "mill-code-block": MillCodeBlock;
  }
}
