/** Asks before the stream is deleted: names what will be lost and wants the stream's name typed. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { baseStyles } from "../kit/base-styles.ts";
import { formStyles } from "../kit/form-styles.ts";
import "../kit/drawer.ts";

/** Fires `mill-confirmed` once the name was typed and confirmed. */
export class MillStartOver extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      heading: { type: String },
      action: { type: String },
      streamName: { type: String },
      loss: { type: String },
      typed: { state: true },
    };
  }

  static override readonly styles = [
    baseStyles,
    formStyles,
    css`
      form {
        display: grid;
        gap: calc(var(--unit) * 3);
      }
    `,
  ];

  /** What is about to be done, in two or three words. */
  declare heading: string;
  /** The same on the button that does it. */
  declare action: string;
  /** What has to be typed. */
  declare streamName: string;
  /** What will be lost, in words. */
  declare loss: string;
  declare typed: string;

  constructor() {
    super();
    this.heading = "Start over";
    this.action = "Delete the stream and start over";
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
    return html`<mill-drawer .heading=${this.heading} placement="middle">
      <p>${this.loss}</p>
      <form @submit=${this.#confirm}>
        <label>
          Type <span class="mono">${this.streamName}</span> to delete it
          <input
            type="text"
            class="mono"
            autocomplete="off"
            spellcheck="false"
            .value=${this.typed}
            @input=${this.#type}
          />
        </label>
        <button type="submit" class="danger" ?disabled=${this.typed !== this.streamName}>
          ${this.action}
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
