/** Asks before the stream is deleted: names what will be lost and wants the stream's name typed. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { baseStyles } from "../kit/base-styles.ts";
import "../kit/drawer.ts";

/** Fires `mill-confirmed` once the name was typed and confirmed. */
export class MillStartOver extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      streamName: { type: String },
      loss: { type: String },
      typed: { state: true },
    };
  }

  static override readonly styles = [
    baseStyles,
    css`
      form {
        display: grid;
        gap: calc(var(--unit) * 3);
      }

      label {
        font-weight: 500;
      }

      input {
        inline-size: 100%;
        min-block-size: 36px;
        margin-block-start: var(--unit);
        padding: 0 calc(var(--unit) * 2);
        border: 1px solid var(--line-strong);
        border-radius: var(--radius);
        background: var(--raised);
        color: var(--ink);
        font: var(--text) var(--face-mono);
      }
    `,
  ];

  /** What has to be typed. */
  declare streamName: string;
  /** What will be lost, in words. */
  declare loss: string;
  declare typed: string;

  constructor() {
    super();
    this.streamName = "";
    this.loss = "";
    this.typed = "";
  }

  /** Asks. */
  show(): void {
    this.typed = "";
    this.renderRoot.querySelector("mill-drawer")?.show();
  }

  override render(): TemplateResult {
    return html`<mill-drawer heading="Start over" placement="middle">
      <p>${this.loss}</p>
      <form @submit=${this.#confirm}>
        <label>
          Type <span class="mono">${this.streamName}</span> to delete it
          <input
            type="text"
            autocomplete="off"
            spellcheck="false"
            .value=${this.typed}
            @input=${this.#type}
          />
        </label>
        <button type="submit" class="danger" ?disabled=${this.typed !== this.streamName}>
          Delete the stream and start over
        </button>
      </form>
    </mill-drawer>`;
  }

  #type(event: Event): void {
    if (event.target instanceof HTMLInputElement) this.typed = event.target.value;
  }

  #confirm(event: Event): void {
    event.preventDefault();
    if (this.typed !== this.streamName) return;
    this.renderRoot.querySelector("mill-drawer")?.close();
    this.dispatchEvent(new CustomEvent("mill-confirmed"));
  }
}

customElements.define("mill-start-over", MillStartOver);

declare global {
  interface HTMLElementTagNameMap {
    "mill-start-over": MillStartOver;
  }
}
