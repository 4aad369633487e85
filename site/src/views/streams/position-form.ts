/** Asks where records are read from: which shard, which of the five positions, and what those need. */
import {
  css,
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type TemplateResult,
} from "lit";
import type { StreamDescription } from "millrace";
import { baseStyles } from "../../kit/base-styles.ts";
import { formStyles } from "../../kit/form-styles.ts";
import { POSITION_TYPES, type PositionType, type RecordsAddress } from "../../places/address.ts";
import { positionWords } from "../../records/position.ts";
import { fromLocalInput, toLocalInput } from "../../records/times.ts";

/** How far before now a time begins that nobody has set yet, in ms. */
const TIME_BEFORE_MS = 300_000;

/** Fires `mill-position` with the address as it is set now. */
export class MillPositionForm extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { description: { attribute: false }, address: { attribute: false } };
  }

  static override readonly styles = [
    baseStyles,
    formStyles,
    css`
      .fields {
        display: flex;
        flex-wrap: wrap;
        align-items: flex-end;
        gap: calc(var(--unit) * 3);
      }

      label {
        flex: 1 1 180px;
        max-inline-size: 320px;
        font-size: var(--text-small);
      }

      label.wide {
        flex-basis: 340px;
        max-inline-size: none;
      }

      @media (max-width: 700px) {
        label {
          flex-basis: 100%;
          max-inline-size: none;
        }
      }
    `,
  ];

  /** The stream at the last reading. */
  declare description: StreamDescription | undefined;
  /** The position as it is set. */
  declare address: RecordsAddress | undefined;

  constructor() {
    super();
    this.description = undefined;
    this.address = undefined;
  }

  override render(): TemplateResult | typeof nothing {
    const { address } = this;
    if (address === undefined) return nothing;
    const { from } = address;
    return html`<div class="fields" role="group" aria-label="Position">
      <label>
        Shard
        <select name="shard" @change=${this.#takeShard}>
          <option value="" ?selected=${address.shardIndex === undefined}>
            All, merged by arrival
          </option>
          ${this.#shards(address)}
        </select>
      </label>
      <label>
        From
        <select name="from" @change=${this.#takeType}>
          ${POSITION_TYPES.map(
            (type) =>
              html`<option value=${type} ?selected=${type === from}>
                ${positionWords(type)} (${type})
              </option>`,
          )}
        </select>
      </label>
      ${from === "AT_TIMESTAMP" ? this.#time(address) : nothing}
      ${from.endsWith("SEQUENCE_NUMBER") ? this.#sequence(address) : nothing}
    </div>`;
  }

  #shards({ shardIndex: wanted }: RecordsAddress): TemplateResult[] {
    const { openShards = [], closedShards = [] } = this.description ?? {};
    const known = [
      ...openShards.map(({ shardIndex }) => ({ shardIndex, state: "" })),
      ...closedShards.map(({ shardIndex }) => ({ shardIndex, state: ", closed" })),
    ];
    // A link may name a shard that retention has dropped since; the engine says so when it is read.
    const all =
      wanted === undefined || known.some(({ shardIndex }) => shardIndex === wanted)
        ? known
        : [...known, { shardIndex: wanted, state: ", unknown" }];
    return all.map(
      ({ shardIndex, state }) =>
        html`<option value=${shardIndex} ?selected=${shardIndex === wanted}>
          Shard ${shardIndex}${state}
        </option>`,
    );
  }

  #time({ atMs }: RecordsAddress): TemplateResult {
    return html`<label>
      Time <span class="hint">local, with seconds</span>
      <input
        type="datetime-local"
        name="at"
        step="1"
        .value=${atMs === undefined ? "" : toLocalInput(atMs)}
        @change=${this.#takeTime}
      />
    </label>`;
  }

  #sequence({ sequence }: RecordsAddress): TemplateResult {
    return html`<label class="wide">
      Sequence number <span class="hint">its shard is the one that is read</span>
      <input
        type="text"
        name="sequence"
        class="mono"
        inputmode="numeric"
        autocomplete="off"
        spellcheck="false"
        .value=${sequence ?? ""}
        @input=${this.#takeSequence}
      />
    </label>`;
  }

  #takeShard({ target }: Event): void {
    if (!(target instanceof HTMLSelectElement)) return;
    this.#set({ shardIndex: target.value === "" ? undefined : Number(target.value) });
  }

  #takeType({ target }: Event): void {
    if (!(target instanceof HTMLSelectElement)) return;
    const { value } = target;
    const from: PositionType = POSITION_TYPES.find((type) => type === value) ?? "TRIM_HORIZON";
    const second = Math.floor((Date.now() - TIME_BEFORE_MS) / 1000) * 1000;
    this.#set(from === "AT_TIMESTAMP" ? { from, atMs: this.address?.atMs ?? second } : { from });
  }

  #takeTime({ target }: Event): void {
    if (target instanceof HTMLInputElement) this.#set({ atMs: fromLocalInput(target.value) });
  }

  #takeSequence({ target }: Event): void {
    if (!(target instanceof HTMLInputElement)) return;
    const digits = target.value.trim();
    this.#set({ sequence: digits === "" ? undefined : digits });
  }

  #set(changed: Partial<RecordsAddress>): void {
    if (this.address === undefined) return;
    const detail: RecordsAddress = { ...this.address, ...changed };
    this.dispatchEvent(new CustomEvent("mill-position", { detail }));
  }
}

customElements.define("mill-position-form", MillPositionForm);

declare global {
  interface HTMLElementTagNameMap {
    "mill-position-form": MillPositionForm;
  }
}
