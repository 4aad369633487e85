/** Asks what is put, where and how fast: stream, templates, rate, aggregation. */
import {
  css,
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type TemplateResult,
} from "lit";
import { baseStyles } from "../../kit/base-styles.ts";
import { formStyles } from "../../kit/form-styles.ts";
import { stackStyles } from "../../kit/layout-styles.ts";
import { formatCount } from "../../live/format.ts";
import {
  PLAYGROUND_STREAM,
  type PlaygroundSettings,
  RATES_PER_SECOND,
  type SettingsChange,
  type TemplateField,
} from "../../producer/settings.ts";
import { TEMPLATE_FUNCTIONS } from "../../producer/template-functions.ts";
import "../../kit/panel.ts";
import "../../kit/slider.ts";

/** Fires `mill-settings` with a change. */
export class MillTemplateForm extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { settings: { attribute: false }, streamNames: { attribute: false } };
  }

  static override readonly styles = [
    baseStyles,
    formStyles,
    stackStyles,
    css`
      .problem {
        color: var(--hot);
        font-size: var(--text);
      }

      summary {
        font-size: var(--text);
        cursor: pointer;
      }

      dl {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr);
        gap: var(--unit) calc(var(--unit) * 4);
        margin-block-start: calc(var(--unit) * 2);
        font-size: var(--text);
      }
    `,
  ];

  /** The settings as they are. */
  declare settings: PlaygroundSettings | undefined;
  /** Streams that there are. */
  declare streamNames: readonly string[];

  constructor() {
    super();
    this.settings = undefined;
    this.streamNames = [];
  }

  override render(): TemplateResult | typeof nothing {
    const { settings } = this;
    if (settings === undefined) return nothing;
    const { key, data, ratePerSecond, aggregation } = settings;
    return html`<mill-panel heading="Records">
      <form class="stack" novalidate @submit=${(event: Event) => event.preventDefault()}>
        ${this.#streams(settings)}
        <label>
          Partition key <span class="hint">a template; its MD5 decides the shard</span>
          <input
            type="text"
            name="key"
            class="mono"
            autocomplete="off"
            spellcheck="false"
            aria-invalid=${key.problem === "" ? "false" : "true"}
            .value=${key.text}
            @input=${(event: Event) => this.#takeText(event, (keyText) => ({ keyText }))}
          />
        </label>
        ${problem(key)}
        <label>
          Data <span class="hint">a template; any text will do</span>
          <textarea
            name="data"
            rows="8"
            spellcheck="false"
            aria-invalid=${data.problem === "" ? "false" : "true"}
            .value=${data.text}
            @input=${(event: Event) => this.#takeText(event, (dataText) => ({ dataText }))}
          ></textarea>
        </label>
        ${problem(data)} ${placeholders()}
        <mill-slider
          label="Rate"
          hint="User records that the producer is given each second"
          .min=${0}
          .max=${RATES_PER_SECOND.length - 1}
          .value=${Math.max(0, RATES_PER_SECOND.indexOf(ratePerSecond))}
          .text=${`${formatCount(ratePerSecond)} records/s`}
          @mill-slide=${(event: CustomEvent<number>) => {
            const chosen = RATES_PER_SECOND[event.detail];
            if (chosen !== undefined) this.#tell({ ratePerSecond: chosen });
          }}
        ></mill-slider>
        <label class="choice">
          <input
            type="checkbox"
            name="aggregation"
            .checked=${aggregation}
            @change=${({ target }: Event) => {
              if (target instanceof HTMLInputElement) this.#tell({ aggregation: target.checked });
            }}
          />
          <span>
            Aggregate
            <span class="hint">packs user records of one shard into one record, as the KPL does</span>
          </span>
        </label>
      </form>
    </mill-panel>`;
  }

  #streams({ streamName }: PlaygroundSettings): TemplateResult {
    const names = [...new Set([PLAYGROUND_STREAM, ...this.streamNames, streamName])];
    return html`<label>
      Stream
      <select
        name="stream"
        @change=${({ target }: Event) => {
          if (target instanceof HTMLSelectElement) this.#tell({ streamName: target.value });
        }}
      >
        ${names.map(
          (name) =>
            html`<option value=${name} ?selected=${name === streamName}>
              ${name}${this.streamNames.includes(name) ? "" : name === PLAYGROUND_STREAM ? " (is made at the start)" : " (is not there)"}
            </option>`,
        )}
      </select>
    </label>`;
  }

  #takeText({ target }: Event, changeOf: (text: string) => SettingsChange): void {
    if (target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement) {
      this.#tell(changeOf(target.value));
    }
  }

  #tell(detail: SettingsChange): void {
    this.dispatchEvent(new CustomEvent("mill-settings", { detail }));
  }
}

function problem({ problem: text }: TemplateField): TemplateResult | typeof nothing {
  return text === "" ? nothing : html`<p class="problem" role="alert">${text}</p>`;
}

function placeholders(): TemplateResult {
  return html`<details>
    <summary>Placeholders</summary>
    <dl>
      ${Object.values(TEMPLATE_FUNCTIONS).map(
        ({ usage, what }) => html`<dt class="mono">{{${usage}}}</dt>
          <dd>${what}</dd>`,
      )}
    </dl>
  </details>`;
}

customElements.define("mill-template-form", MillTemplateForm);

declare global {
  interface HTMLElementTagNameMap {
    "mill-template-form": MillTemplateForm;
  }
}
