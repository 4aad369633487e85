/** Asks for what a stream is created with, creates it, and shows the engine's own words when it refuses. */
import {
  css,
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type TemplateResult,
} from "lit";
import type { Millrace } from "millrace";
import { ActionController } from "../../controllers/action-controller.ts";
import { goTo } from "../../controllers/navigation-controller.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { formStyles } from "../../kit/form-styles.ts";
import type { Act } from "../../streams/samples.ts";
import { changed, showCode } from "./act-events.ts";
import "../../kit/drawer.ts";
import "../../kit/notice.ts";

type Wanted = Extract<Act, { kind: "create" }>;

const FIRST: Wanted = {
  kind: "create",
  stream: "",
  mode: "PROVISIONED",
  shards: 4,
  retentionHours: 24,
};

/** `show()` opens it; goes to the new stream when there is one. */
export class MillCreateStream extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { millrace: { attribute: false }, wanted: { state: true } };
  }

  static override readonly styles = [
    baseStyles,
    formStyles,
    css`
      .pair {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(160px, 1fr));
        gap: calc(var(--unit) * 3);
      }
    `,
  ];

  /** The open engine. */
  declare millrace: Millrace | undefined;
  declare wanted: Wanted;

  readonly #action = new ActionController(this);

  constructor() {
    super();
    this.millrace = undefined;
    this.wanted = FIRST;
  }

  /** Asks. */
  show(): void {
    this.wanted = FIRST;
    this.#action.clear();
    this.renderRoot.querySelector("mill-drawer")?.show();
  }

  override render(): TemplateResult {
    const { stream, mode } = this.wanted;
    return html`<mill-drawer heading="Create a stream" placement="middle">
      <form novalidate @submit=${this.#create}>
        <label>
          Name
          <span class="hint">1 to 128 of a-z, A-Z, 0-9, _ . -</span>
          <input
            type="text"
            name="stream"
            class="mono"
            autocomplete="off"
            spellcheck="false"
            .value=${stream}
            @input=${this.#take}
          />
        </label>
        <fieldset>
          <legend>Mode</legend>
          ${this.#mode("PROVISIONED", "a fixed number of shards, resharded by hand")}
          ${this.#mode("ON_DEMAND", "begins with 4 shards and scales by itself")}
        </fieldset>
        <div class="pair">
          ${mode === "PROVISIONED" ? this.#number("shards", "Shards", "1 to 500") : nothing}
          ${this.#number("retentionHours", "Retention in hours", "24 to 8,760")}
        </div>
        ${this.#error()}
        <div class="buttons">
          <button type="submit" class="main" ?disabled=${this.#action.busy}>Create</button>
          <button type="button" @click=${() => this.dispatchEvent(showCode(this.wanted))}>
            Show code
          </button>
        </div>
      </form>
    </mill-drawer>`;
  }

  #mode(mode: Wanted["mode"], hint: string): TemplateResult {
    return html`<label class="choice">
      <input
        type="radio"
        name="mode"
        .value=${mode}
        .checked=${this.wanted.mode === mode}
        @change=${() => {
          this.wanted = { ...this.wanted, mode };
        }}
      />
      <span><span class="mono">${mode}</span> <span class="hint">${hint}</span></span>
    </label>`;
  }

  #number(field: "shards" | "retentionHours", label: string, limits: string): TemplateResult {
    return html`<label>
      ${label} <span class="hint">${limits}</span>
      <input
        type="number"
        name=${field}
        inputmode="numeric"
        .value=${String(this.wanted[field])}
        @input=${this.#take}
      />
    </label>`;
  }

  #error(): TemplateResult | typeof nothing {
    const { error } = this.#action;
    if (error === undefined) return nothing;
    return html`<mill-notice
      heading="The stream was not created"
      .message=${error.message}
      .code=${error.code}
      .advice=${error.advice}
    ></mill-notice>`;
  }

  #take({ target }: Event): void {
    if (!(target instanceof HTMLInputElement)) return;
    const value = target.type === "number" ? target.valueAsNumber : target.value;
    this.wanted = { ...this.wanted, [target.name]: value };
  }

  async #create(event: Event): Promise<void> {
    event.preventDefault();
    const { millrace } = this;
    if (millrace === undefined) return;
    const { stream, mode, shards, retentionHours } = this.wanted;
    const done = await this.#action.run(async () => {
      const spec = mode === "ON_DEMAND" ? { mode } : { mode, shards };
      await millrace.streams.create(stream, { ...spec, retentionHours });
      return `${stream} was created.`;
    });
    if (!done) return;
    this.renderRoot.querySelector("mill-drawer")?.close();
    this.dispatchEvent(changed());
    this.dispatchEvent(goTo({ place: "streams", view: "shards", stream, shardIndex: undefined }));
  }
}

customElements.define("mill-create-stream", MillCreateStream);

declare global {
  interface HTMLElementTagNameMap {
    "mill-create-stream": MillCreateStream;
  }
}
