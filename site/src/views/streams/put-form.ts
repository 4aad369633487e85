/** Puts one record by hand and tells where it went. */
import {
  css,
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type TemplateResult,
} from "lit";
import type { Stream } from "millrace";
import { ActionController } from "../../controllers/action-controller.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { formStyles } from "../../kit/form-styles.ts";
import { shortSequenceNumber } from "../../records/rows.ts";
import { showCode } from "./act-events.ts";
import "../../kit/notice.ts";

/** Fires `mill-put` when a record was stored. */
export class MillPutForm extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { stream: { attribute: false }, key: { state: true }, data: { state: true } };
  }

  static override readonly styles = [
    baseStyles,
    formStyles,
    css`
      summary {
        font-size: var(--text);
        font-weight: 600;
        cursor: pointer;
      }

      form {
        margin-block-start: calc(var(--unit) * 3);
      }

      p {
        overflow-wrap: anywhere;
      }
    `,
  ];

  /** The stream. */
  declare stream: Stream | undefined;
  declare key: string;
  declare data: string;

  readonly #action = new ActionController(this);

  constructor() {
    super();
    this.stream = undefined;
    this.key = "user-1";
    this.data = '{"hello": "stream"}';
  }

  override render(): TemplateResult {
    const { key, data } = this;
    const name = this.stream?.name ?? "";
    return html`<details>
      <summary>Put one record</summary>
      <form novalidate @submit=${this.#put}>
        <label>
          Partition key <span class="hint">its MD5 decides the shard</span>
          <input
            type="text"
            name="key"
            class="mono"
            autocomplete="off"
            .value=${key}
            @input=${this.#take}
          />
        </label>
        <label>
          Data
          <textarea name="data" rows="3" .value=${data} @input=${this.#take}></textarea>
        </label>
        <div class="buttons">
          <button type="submit" ?disabled=${this.#action.busy}>Put</button>
          <button
            type="button"
            @click=${() => this.dispatchEvent(showCode({ kind: "put", stream: name, key, data }))}
          >
            Show code
          </button>
        </div>
        <p class="small" role="status">${this.#action.answer}</p>
        ${this.#error()}
      </form>
    </details>`;
  }

  #error(): TemplateResult | typeof nothing {
    const { error } = this.#action;
    if (error === undefined) return nothing;
    return html`<mill-notice
      heading="The record was not stored"
      .message=${error.message}
      .code=${error.code}
      .advice=${error.advice}
    ></mill-notice>`;
  }

  #take({ target }: Event): void {
    if (target instanceof HTMLTextAreaElement) this.data = target.value;
    else if (target instanceof HTMLInputElement) this.key = target.value;
  }

  async #put(event: Event): Promise<void> {
    event.preventDefault();
    const { stream, key, data } = this;
    if (stream === undefined) return;
    const done = await this.#action.run(async () => {
      const { shardId, sequenceNumber } = await stream.putRecord({ partitionKey: key, data });
      return `Stored in ${shardId}, sequence number ${shortSequenceNumber(sequenceNumber)}.`;
    });
    if (done) this.dispatchEvent(new CustomEvent("mill-put"));
  }
}

customElements.define("mill-put-form", MillPutForm);

declare global {
  interface HTMLElementTagNameMap {
    "mill-put-form": MillPutForm;
  }
}
