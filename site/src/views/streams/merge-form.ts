/** Asks which two neighbours are to be merged: the borders of a shard as choices, in step with the ring. */
import {
  html,
  LitElement,
  type PropertyDeclarations,
  type PropertyValues,
  type TemplateResult,
} from "lit";
import { baseStyles } from "../../kit/base-styles.ts";
import { formStyles } from "../../kit/form-styles.ts";
import { shortHashKey } from "../../live/ring-geometry.ts";
import { type Border, bordersOf } from "../../streams/hash-keys.ts";
import type { RingShard } from "../ring.ts";
import { showCode } from "./act-events.ts";
import type { Joint } from "./reshard-ring.ts";

function jointOf({ lower, upper }: Border<RingShard>): Joint {
  return { lower: lower.shardIndex, upper: upper.shardIndex };
}

/** Borders that a shard has: one or two, none when it owns the whole ring. */
export function bordersAt(shards: readonly RingShard[], shardIndex: number): Joint[] {
  return bordersOf(shards)
    .map(jointOf)
    .filter(({ lower, upper }) => lower === shardIndex || upper === shardIndex);
}

/** Fires `mill-joint` with another border, `mill-merge`, and `mill-cancel`. */
export class MillMergeForm extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      stream: { type: String },
      shards: { attribute: false },
      joint: { attribute: false },
      selected: { attribute: false },
      busy: { type: Boolean },
    };
  }

  static override readonly styles = [baseStyles, formStyles];

  /** Name of the stream. */
  declare stream: string;
  /** Open shards of the stream. */
  declare shards: readonly RingShard[];
  /** The border that is chosen. */
  declare joint: Joint | undefined;
  /** Index of the shard whose borders are offered. */
  declare selected: number | undefined;
  /** Whether an act is under way. */
  declare busy: boolean;

  constructor() {
    super();
    this.stream = "";
    this.shards = [];
    this.joint = undefined;
    this.selected = undefined;
    this.busy = false;
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    this.renderRoot.querySelector<HTMLInputElement>("input:checked")?.focus();
  }

  override render(): TemplateResult {
    const { joint } = this;
    if (joint === undefined) return html``;
    const offered = bordersAt(this.shards, this.selected ?? joint.lower);
    const known = offered.some(({ upper }) => upper === joint.upper);
    return html`<form @submit=${this.#merge} @keydown=${this.#onKey}>
      <fieldset>
        <legend>Merge at the border of</legend>
        ${(known ? offered : [joint, ...offered]).map((one) => this.#choice(one))}
      </fieldset>
      <div class="buttons">
        <button type="submit" class="main" ?disabled=${this.busy}>
          Merge shards ${joint.lower} and ${joint.upper}
        </button>
        <button type="button" @click=${this.#cancel}>Cancel</button>
        <button type="button" @click=${this.#code}>Show code</button>
      </div>
    </form>`;
  }

  #choice(joint: Joint): TemplateResult {
    const upper = this.#shard(joint.upper);
    const at = upper === undefined ? "" : shortHashKey(upper.startingHashKey);
    return html`<label class="choice">
      <input
        type="radio"
        name="joint"
        .checked=${joint.upper === this.joint?.upper}
        @change=${() => this.dispatchEvent(new CustomEvent("mill-joint", { detail: joint }))}
      />
      <span>
        shards ${joint.lower} and ${joint.upper} <span class="hint mono">${at}</span>
      </span>
    </label>`;
  }

  #shard(shardIndex: number): RingShard | undefined {
    return this.shards.find((shard) => shard.shardIndex === shardIndex);
  }

  #code(): void {
    const lower = this.#shard(this.joint?.lower ?? -1);
    const upper = this.#shard(this.joint?.upper ?? -1);
    if (lower === undefined || upper === undefined) return;
    const { stream } = this;
    this.dispatchEvent(
      showCode({ kind: "merge", stream, shardId: lower.shardId, adjacent: upper.shardId }),
    );
  }

  #onKey(event: KeyboardEvent): void {
    if (event.key === "Escape") this.#cancel();
  }

  #merge(event: Event): void {
    event.preventDefault();
    if (!this.busy) this.dispatchEvent(new CustomEvent("mill-merge"));
  }

  #cancel(): void {
    this.dispatchEvent(new CustomEvent("mill-cancel"));
  }
}

customElements.define("mill-merge-form", MillMergeForm);

declare global {
  interface HTMLElementTagNameMap {
    "mill-merge-form": MillMergeForm;
  }
}
