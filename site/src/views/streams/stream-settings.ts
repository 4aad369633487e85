/** What is set for a stream as a whole: the number of its shards, and how long it keeps records. */
import {
  css,
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type PropertyValues,
  type TemplateResult,
} from "lit";
import type { Stream, StreamDescription } from "millrace";
import { ActionController } from "../../controllers/action-controller.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { formStyles } from "../../kit/form-styles.ts";
import { formatNumberOf } from "../../live/format.ts";
import { changed, showCode } from "./act-events.ts";
import "../../kit/notice.ts";

/** Two small forms over one stream. */
export class MillStreamSettings extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      stream: { attribute: false },
      description: { attribute: false },
      shards: { state: true },
      hours: { state: true },
    };
  }

  static override readonly styles = [
    baseStyles,
    formStyles,
    css`
      :host {
        display: grid;
        gap: calc(var(--unit) * 4);
      }

      p.hint {
        margin-block-start: var(--unit);
      }
    `,
  ];

  /** The stream. */
  declare stream: Stream | undefined;
  /** The stream as it was at the last reading. */
  declare description: StreamDescription | undefined;
  declare shards: number;
  declare hours: number;

  readonly #action = new ActionController(this);

  constructor() {
    super();
    this.stream = undefined;
    this.description = undefined;
    this.shards = 0;
    this.hours = 0;
  }

  protected override willUpdate(given: PropertyValues<this>): void {
    if (!given.has("description")) return;
    const before = given.get("description");
    const now = this.description;
    // What a person is typing is not overwritten by a reading that says nothing new.
    if (before?.openShards.length !== now?.openShards.length) {
      this.shards = now?.openShards.length ?? 0;
    }
    if (before?.retentionHours !== now?.retentionHours) this.hours = now?.retentionHours ?? 0;
  }

  override render(): TemplateResult | typeof nothing {
    const { description } = this;
    if (description === undefined) return nothing;
    const { name, retentionHours } = description;
    const { shards, hours } = this;
    const increase = hours >= retentionHours;
    return html`<form novalidate @submit=${this.#scale}>
        <div class="side">
          <label>
            Open shards <span class="hint">uniform scaling, half to double</span>
            <input
              type="number"
              name="shards"
              inputmode="numeric"
              .value=${String(shards)}
              @input=${this.#take}
            />
          </label>
          <button type="submit" ?disabled=${this.#action.busy}>Scale</button>
          <button
            type="button"
            aria-label="Show the code of scaling"
            @click=${() => this.dispatchEvent(showCode({ kind: "scale", stream: name, shards }))}
          >
            Code
          </button>
        </div>
      </form>
      <form novalidate @submit=${this.#retain}>
        <div class="side">
          <label>
            Retention in hours <span class="hint">24 to 8,760</span>
            <input
              type="number"
              name="hours"
              inputmode="numeric"
              .value=${String(hours)}
              @input=${this.#take}
            />
          </label>
          <button type="submit" ?disabled=${this.#action.busy}>Retain</button>
          <button
            type="button"
            aria-label="Show the code of retaining"
            @click=${() =>
              this.dispatchEvent(showCode({ kind: "retain", stream: name, hours, increase }))}
          >
            Code
          </button>
        </div>
        ${
          increase
            ? nothing
            : html`<p class="hint small">
                Records that are older than ${formatNumberOf(hours, "hour")} will be dropped.
              </p>`
        }
      </form>
      <p class="small" role="status">${this.#action.answer}</p>
      ${this.#error()}`;
  }

  #error(): TemplateResult | typeof nothing {
    const { error } = this.#action;
    if (error === undefined) return nothing;
    return html`<mill-notice
      heading="Nothing was changed"
      .message=${error.message}
      .code=${error.code}
      .advice=${error.advice}
    ></mill-notice>`;
  }

  #take({ target }: Event): void {
    if (!(target instanceof HTMLInputElement)) return;
    if (target.name === "shards") this.shards = target.valueAsNumber;
    else this.hours = target.valueAsNumber;
  }

  #scale(event: Event): void {
    const { stream, shards } = this;
    void this.#act(event, async () => {
      await stream?.scale(shards);
      return `The stream has ${formatNumberOf(shards, "open shard")}.`;
    });
  }

  #retain(event: Event): void {
    const { stream, hours } = this;
    void this.#act(event, async () => {
      await stream?.retain(hours);
      return `Records are kept for ${formatNumberOf(hours, "hour")}.`;
    });
  }

  async #act(event: Event, act: () => Promise<string>): Promise<void> {
    event.preventDefault();
    await this.#action.run(act);
    this.dispatchEvent(changed());
  }
}

customElements.define("mill-stream-settings", MillStreamSettings);

declare global {
  interface HTMLElementTagNameMap {
    "mill-stream-settings": MillStreamSettings;
  }
}
