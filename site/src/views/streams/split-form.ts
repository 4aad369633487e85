/** Asks where a shard is to be split: the place by slider, in step with the one on the ring. */
import {
  html,
  LitElement,
  type PropertyDeclarations,
  type PropertyValues,
  type TemplateResult,
} from "lit";
import { baseStyles } from "../../kit/base-styles.ts";
import { formStyles } from "../../kit/form-styles.ts";
import { formatShare } from "../../live/format.ts";
import { hexHashKey } from "../../live/ring-geometry.ts";
import { PLACES, splitKeyAt } from "../../streams/hash-keys.ts";
import type { RingShard } from "../ring.ts";
import { showCode } from "./act-events.ts";
import type { Cut } from "./reshard-ring.ts";
import "../../kit/slider.ts";

/** Fires `mill-cut` with another place, `mill-split` with the hash key, and `mill-cancel`. */
export class MillSplitForm extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      stream: { type: String },
      shard: { attribute: false },
      place: { type: Number },
      busy: { type: Boolean },
    };
  }

  static override readonly styles = [baseStyles, formStyles];

  /** Name of the stream. */
  declare stream: string;
  /** The shard that is to be split. */
  declare shard: RingShard | undefined;
  /** Where, in 1000 parts of it. */
  declare place: number;
  /** Whether an act is under way. */
  declare busy: boolean;

  constructor() {
    super();
    this.stream = "";
    this.shard = undefined;
    this.place = PLACES / 2;
    this.busy = false;
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    this.renderRoot.querySelector("mill-slider")?.focus();
  }

  override render(): TemplateResult {
    const { shard, place } = this;
    if (shard === undefined) return html``;
    const hashKey = splitKeyAt(shard, place);
    const act = { kind: "split", stream: this.stream, shardId: shard.shardId, hashKey } as const;
    const lower = formatShare(place / PLACES);
    const upper = formatShare(1 - place / PLACES);
    return html`<form @submit=${this.#split} @keydown=${this.#onKey}>
      <mill-slider
        label="Split shard ${shard.shardIndex} at"
        hint="Arrow keys move the place, Enter splits, Escape cancels. On the ring it can be dragged."
        .min=${1}
        .max=${PLACES - 1}
        .step=${1}
        .value=${place}
        .text=${`${lower} | ${upper}`}
        @mill-slide=${this.#slide}
      ></mill-slider>
      <p class="small soft">
        The upper child begins at hash key <span class="mono">${hexHashKey(hashKey)}</span>.
      </p>
      <div class="buttons">
        <button type="submit" class="main" ?disabled=${this.busy}>
          Split shard ${shard.shardIndex}
        </button>
        <button type="button" @click=${this.#cancel}>Cancel</button>
        <button type="button" @click=${() => this.dispatchEvent(showCode(act))}>Show code</button>
      </div>
    </form>`;
  }

  #slide(event: CustomEvent<number>): void {
    if (this.shard === undefined) return;
    const detail: Cut = { shardIndex: this.shard.shardIndex, place: event.detail };
    this.dispatchEvent(new CustomEvent("mill-cut", { detail }));
  }

  #onKey(event: KeyboardEvent): void {
    if (event.key === "Escape") this.#cancel();
    // The slider's input is in a tree of its own, out of reach for the form's implicit submission.
    const onSlider =
      event.target instanceof HTMLElement && event.target.localName === "mill-slider";
    if (event.key === "Enter" && onSlider) this.#split(event);
  }

  #split(event: Event): void {
    event.preventDefault();
    if (this.shard === undefined || this.busy) return;
    const detail = splitKeyAt(this.shard, this.place);
    this.dispatchEvent(new CustomEvent("mill-split", { detail }));
  }

  #cancel(): void {
    this.dispatchEvent(new CustomEvent("mill-cancel"));
  }
}

customElements.define("mill-split-form", MillSplitForm);

declare global {
  interface HTMLElementTagNameMap {
    "mill-split-form": MillSplitForm;
  }
}
