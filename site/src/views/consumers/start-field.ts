/** Asks for one of the three positions that a group can begin at. */
import { html, LitElement, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import type { GroupStart } from "millrace";
import { baseStyles } from "../../kit/base-styles.ts";
import { formStyles } from "../../kit/form-styles.ts";
import { stackStyles } from "../../kit/layout-styles.ts";
import { positionWords } from "../../records/position.ts";
import { fromLocalInput, toLocalInput } from "../../records/times.ts";

const TYPES = ["TRIM_HORIZON", "AT_TIMESTAMP", "LATEST"] as const;
/** How far before now a time begins that nobody has set yet, in ms. */
const TIME_BEFORE_MS = 60_000;

/** Fires `mill-start` with the position as it is set now. */
export class MillStartField extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { label: { type: String }, type: { state: true }, atMs: { state: true } };
  }

  static override readonly styles = [baseStyles, formStyles, stackStyles];

  /** What begins there. */
  declare label: string;
  declare type: (typeof TYPES)[number];
  /** Milliseconds since the Unix epoch. */
  declare atMs: number;

  constructor() {
    super();
    this.label = "";
    this.type = "TRIM_HORIZON";
    this.atMs = Date.now() - TIME_BEFORE_MS;
  }

  override render(): TemplateResult {
    return html`<div class="stack">
      <label>
        ${this.label}
        <select name="from" @change=${this.#takeType}>
          ${TYPES.map(
            (type) =>
              html`<option value=${type} ?selected=${type === this.type}>
                ${positionWords(type)} (${type})
              </option>`,
          )}
        </select>
      </label>
      ${
        this.type === "AT_TIMESTAMP"
          ? html`<label>
              Time <span class="hint">local, with seconds</span>
              <input
                type="datetime-local"
                name="at"
                step="1"
                .value=${toLocalInput(this.atMs)}
                @change=${this.#takeTime}
              />
            </label>`
          : nothing
      }
    </div>`;
  }

  #takeType({ target }: Event): void {
    if (!(target instanceof HTMLSelectElement)) return;
    this.type = TYPES.find((type) => type === target.value) ?? "TRIM_HORIZON";
    this.#tell();
  }

  #takeTime({ target }: Event): void {
    if (!(target instanceof HTMLInputElement)) return;
    this.atMs = fromLocalInput(target.value) ?? this.atMs;
    this.#tell();
  }

  #tell(): void {
    const detail: GroupStart = this.type === "AT_TIMESTAMP" ? new Date(this.atMs) : this.type;
    this.dispatchEvent(new CustomEvent("mill-start", { detail }));
  }
}

customElements.define("mill-start-field", MillStartField);

declare global {
  interface HTMLElementTagNameMap {
    "mill-start-field": MillStartField;
  }
}
