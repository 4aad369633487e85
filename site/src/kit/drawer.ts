/** A native dialog: at the side as a drawer, or in the middle to ask something. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { baseStyles } from "./base-styles.ts";
import { iconShape } from "./icons.ts";

/** `<mill-drawer heading="Code">`; `show()` opens it over the page, Escape or its button closes it. */
export class MillDrawer extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      heading: { type: String },
      placement: { type: String },
    };
  }

  static override readonly styles = [
    baseStyles,
    css`
      dialog {
        padding: 0;
        border: 1px solid var(--line);
        background: var(--panel);
        color: var(--ink);
        box-shadow: var(--shadow);
      }

      dialog::backdrop {
        background: oklch(15% 0.02 225 / 55%);
      }

      dialog.side {
        inline-size: min(100%, 620px);
        max-inline-size: none;
        block-size: 100dvh;
        max-block-size: none;
        margin: 0 0 0 auto;
        border-width: 0 0 0 1px;
      }

      dialog.middle {
        inline-size: min(100% - 32px, 460px);
        border-radius: var(--radius);
      }

      header {
        position: sticky;
        inset-block-start: 0;
        z-index: 1;
        display: flex;
        align-items: center;
        justify-content: space-between;
        padding: calc(var(--unit) * 3) calc(var(--unit) * 5);
        border-block-end: 1px solid var(--line);
        background: var(--panel);
      }

      h2 {
        font-size: var(--text-large);
        font-weight: 600;
      }

      .body {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: calc(var(--unit) * 5);
        padding: calc(var(--unit) * 5);
      }
    `,
  ];

  /** Title of the dialog. */
  declare heading: string;
  /** Where it stands. */
  declare placement: "side" | "middle";

  constructor() {
    super();
    this.heading = "";
    this.placement = "side";
  }

  /** Opens the dialog over the page. */
  show(): void {
    this.renderRoot.querySelector("dialog")?.showModal();
  }

  /** Closes the dialog. */
  close(): void {
    this.renderRoot.querySelector("dialog")?.close();
  }

  override render(): TemplateResult {
    return html`<dialog class=${this.placement} aria-labelledby="heading">
      <header>
        <h2 id="heading">${this.heading}</h2>
        <button type="button" aria-label="Close" @click=${this.close}>
          <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${iconShape("close")}</svg>
        </button>
      </header>
      <div class="body"><slot></slot></div>
    </dialog>`;
  }
}

customElements.define("mill-drawer", MillDrawer);

declare global {
  interface HTMLElementTagNameMap {
    "mill-drawer": MillDrawer;
  }
}
