/** One record in full: where it is, and its data as JSON, text or bytes. */
import {
  css,
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type TemplateResult,
} from "lit";
import { baseStyles, preStyles } from "../../kit/base-styles.ts";
import { iconShape } from "../../kit/icons.ts";
import { formatBytes } from "../../live/format.ts";
import { DATA_FORMS, type DataForm, recordsOf, searchOfAddress } from "../../places/address.ts";
import { hexDump, prettyJson, SHOWN_BYTES_MAX, textOf } from "../../records/data-forms.ts";
import type { RecordRow } from "../../records/rows.ts";
import { formatMoment } from "../../records/times.ts";

const NAMES: Readonly<Record<DataForm, string>> = { json: "JSON", text: "Text", hex: "Hex" };

/** Fires `mill-form` with a form of data, `mill-copy` with a text, and `mill-close`. */
export class MillRecordInspector extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      stream: { type: String },
      row: { attribute: false },
      form: { type: String },
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
        margin-block-end: calc(var(--unit) * 2);
      }

      h3 {
        font-size: var(--text);
        font-weight: 600;
      }

      dl {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr);
        gap: var(--unit) calc(var(--unit) * 3);
        font-size: var(--text-small);
      }

      dt {
        color: var(--ink-soft);
      }

      dd {
        font-family: var(--face-mono);
        overflow-wrap: anywhere;
      }

      .bar {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        font-size: var(--text);
        gap: calc(var(--unit) * 2);
        margin-block: calc(var(--unit) * 3);
      }

      .bar button[aria-pressed="true"] {
        border-color: var(--ink);
        background: var(--water-wash);
      }

      pre {
        max-block-size: 46dvh;
        line-height: 1.55;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }

      pre.hex {
        white-space: pre;
      }

      a {
        color: var(--water);
      }
    `,
  ];

  /** Name of the stream. */
  declare stream: string;
  /** The record. */
  declare row: RecordRow | undefined;
  /** How its data is shown. */
  declare form: DataForm;

  constructor() {
    super();
    this.stream = "";
    this.row = undefined;
    this.form = "json";
  }

  override render(): TemplateResult {
    const { row } = this;
    if (row === undefined) {
      return html`<p class="soft small">
        Select a record to see all of it. Enter looks at the record that the arrow keys are on.
      </p>`;
    }
    const { shardIndex, sequenceNumber } = row;
    const link = searchOfAddress({
      ...recordsOf(this.stream),
      ...{ shardIndex, from: "AT_SEQUENCE_NUMBER", sequence: sequenceNumber },
      ...{ record: sequenceNumber, form: this.form },
    });
    const address = new URL(link, document.baseURI).href;
    return html`<header>
        <h3>Record</h3>
        <button type="button" aria-label="Close the record" @click=${this.#close}>
          <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${iconShape("close")}</svg>
        </button>
      </header>
      <dl>
        <dt>Arrived</dt>
        <dd>${formatMoment(row.arrivalMs)}</dd>
        <dt>Shard</dt>
        <dd>${row.shardId}</dd>
        <dt>Partition key</dt>
        <dd class="key">${row.partitionKey}</dd>
        <dt>Sequence number</dt>
        <dd class="sequence">${sequenceNumber}</dd>
        <dt>Size</dt>
        <dd>${formatBytes(row.data.length)} of data</dd>
      </dl>
      <div class="bar">
        ${this.#copyButton("Copy the number", sequenceNumber)}
        ${this.#copyButton("Copy the link", address)}
        <a href="./${link}">Read from here</a>
      </div>
      <div class="bar" role="group" aria-label="Form of the data">
        ${DATA_FORMS.map((form) => this.#formButton(form))}
      </div>
      ${this.#data(row.data)}`;
  }

  #formButton(form: DataForm): TemplateResult {
    return html`<button
      type="button"
      aria-pressed=${this.form === form ? "true" : "false"}
      @click=${() => this.dispatchEvent(new CustomEvent("mill-form", { detail: form }))}
    >
      ${NAMES[form]}
    </button>`;
  }

  #copyButton(text: string, value: string): TemplateResult {
    return html`<button
      type="button"
      @click=${() => this.dispatchEvent(new CustomEvent("mill-copy", { detail: value }))}
    >
      ${text}
    </button>`;
  }

  #data(data: Uint8Array): TemplateResult {
    const shown = data.subarray(0, SHOWN_BYTES_MAX);
    const more = data.length - shown.length;
    const rest =
      more === 0
        ? nothing
        : html`<p class="small soft">${formatBytes(more)} more are not shown here.</p>`;
    if (this.form === "hex") return html`${this.#block(hexDump(shown), "hex")}${rest}`;
    if (this.form === "text") return html`${this.#block(textOf(shown), "text")}${rest}`;
    const parsed = prettyJson(data);
    if ("json" in parsed) return this.#block(parsed.json, "json");
    return html`<p class="small soft">Not JSON (${parsed.problem}); shown as text.</p>
      ${this.#block(textOf(shown), "text")}${rest}`;
  }

  #block(text: string, form: DataForm): TemplateResult {
    return html`<pre class=${form} tabindex="0" role="region" aria-label="Data of the record">${text}</pre>`;
  }

  #close(): void {
    this.dispatchEvent(new CustomEvent("mill-close"));
  }
}

customElements.define("mill-record-inspector", MillRecordInspector);

declare global {
  interface HTMLElementTagNameMap {
    "mill-record-inspector": MillRecordInspector;
  }
}
