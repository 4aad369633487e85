/** The shards of a stream: its ring, splits and merges, what is set for all of them, and their history. */
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
import { goTo } from "../../controllers/navigation-controller.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { iconShape } from "../../kit/icons.ts";
import type { ShardsAddress } from "../../places/address.ts";
import { canSplit, PLACES } from "../../streams/hash-keys.ts";
import type { StreamReading } from "../../streams/readings.ts";
import { shardIdOf } from "../../streams/samples.ts";
import type { RingShard } from "../ring.ts";
import { changed } from "./act-events.ts";
import { bordersAt } from "./merge-form.ts";
import type { Cut, Joint } from "./reshard-ring.ts";
import "../../kit/notice.ts";
import "../../kit/panel.ts";
import "../shard-inspector.ts";
import "../shard-table.ts";
import "./lineage-view.ts";
import "./reshard-ring.ts";
import "./split-form.ts";
import "./stream-settings.ts";

/** One view over one stream. */
export class MillShards extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      stream: { attribute: false },
      reading: { attribute: false },
      address: { attribute: false },
      cut: { state: true },
      joint: { state: true },
      hint: { state: true },
    };
  }

  static override readonly styles = [
    baseStyles,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: calc(var(--unit) * 4);
      }

      .top {
        display: grid;
        grid-template-columns: minmax(0, 1.05fr) minmax(0, 1fr);
        gap: calc(var(--unit) * 4);
      }

      .stack {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        align-content: start;
        gap: calc(var(--unit) * 4);
      }

      .actions {
        display: flex;
        gap: calc(var(--unit) * 2);
        margin-block-start: calc(var(--unit) * 3);
      }

      kbd {
        padding: 0 5px;
        border: 1px solid currentColor;
        border-radius: 4px;
        font: 600 11px/16px var(--face-mono);
      }

      .answer {
        min-block-size: 1.5em;
        margin-block-start: calc(var(--unit) * 3);
      }

      @media (max-width: 960px) {
        .top {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];

  /** The stream. */
  declare stream: Stream | undefined;
  /** The stream at the last reading. */
  declare reading: StreamReading | undefined;
  /** Which shard is looked at. */
  declare address: ShardsAddress | undefined;
  declare cut: Cut | undefined;
  declare joint: Joint | undefined;
  declare hint: string;

  readonly #action = new ActionController(this);

  constructor() {
    super();
    this.stream = undefined;
    this.reading = undefined;
    this.address = undefined;
    this.cut = undefined;
    this.joint = undefined;
    this.hint = "";
  }

  override render(): TemplateResult | typeof nothing {
    const { reading, address } = this;
    if (reading === undefined || address === undefined) return nothing;
    const { description, rates } = reading;
    const { openShards, closedShards } = description;
    const selected = address.shardIndex;
    return html`<div class="top" @keydown=${this.#onKey}>
        <mill-panel heading="Ring of hash keys">
          <mill-reshard-ring
            .shards=${openShards}
            .rates=${rates}
            .selected=${selected}
            .cut=${this.cut}
            .joint=${this.joint}
            still
            @mill-select=${this.#select}
            @mill-cut=${this.#moveCut}
            @mill-joint=${this.#chooseJoint}
          ></mill-reshard-ring>
          <mill-shard-inspector .shards=${openShards} .rates=${rates} .selected=${selected}>
          </mill-shard-inspector>
        </mill-panel>
        <div class="stack">
          <mill-panel heading="Reshard">
            ${this.#buttons()} ${this.#form(openShards)}
            <p class="answer small" role="status">${this.#action.answer || this.hint}</p>
            ${this.#error()}
          </mill-panel>
          <mill-panel heading="The whole stream">
            <mill-stream-settings .stream=${this.stream} .description=${description}>
            </mill-stream-settings>
          </mill-panel>
        </div>
      </div>
      <mill-panel heading="Open shards">
        <mill-shard-table
          .shards=${openShards}
          .rates=${rates}
          .selected=${selected}
          @mill-select=${this.#select}
        ></mill-shard-table>
      </mill-panel>
      <mill-panel heading="Lineage">
        <mill-lineage
          .stream=${description.name}
          .shards=${[...closedShards, ...openShards]}
          .nowMs=${Date.now()}
        ></mill-lineage>
      </mill-panel>`;
  }

  #buttons(): TemplateResult | typeof nothing {
    if (this.cut !== undefined || this.joint !== undefined) return nothing;
    return html`<p class="small soft">
        Select a shard on the ring, then split it where you like or merge it with a neighbour. A
        closed shard stays readable until its records expire.
      </p>
      <div class="actions">
        <button type="button" id="split" aria-keyshortcuts="S" @click=${this.#beginSplit}>
          <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${iconShape("split")}</svg>
          Split <kbd aria-hidden="true">S</kbd>
        </button>
        <button type="button" id="merge" aria-keyshortcuts="M" @click=${this.#beginMerge}>
          <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${iconShape("merge")}</svg>
          Merge <kbd aria-hidden="true">M</kbd>
        </button>
      </div>`;
  }

  #form(openShards: readonly RingShard[]): TemplateResult | typeof nothing {
    const stream = this.address?.stream ?? "";
    if (this.cut !== undefined) {
      const { shardIndex, place } = this.cut;
      return html`<mill-split-form
        .stream=${stream}
        .shard=${openShards.find((shard) => shard.shardIndex === shardIndex)}
        .place=${place}
        .busy=${this.#action.busy}
        @mill-cut=${this.#moveCut}
        @mill-split=${this.#split}
        @mill-cancel=${this.#cancel}
      ></mill-split-form>`;
    }
    if (this.joint === undefined) return nothing;
    return html`<mill-merge-form
      .stream=${stream}
      .shards=${openShards}
      .joint=${this.joint}
      .selected=${this.address?.shardIndex}
      .busy=${this.#action.busy}
      @mill-joint=${this.#chooseJoint}
      @mill-merge=${this.#merge}
      @mill-cancel=${this.#cancel}
    ></mill-merge-form>`;
  }

  #error(): TemplateResult | typeof nothing {
    const { error } = this.#action;
    if (error === undefined) return nothing;
    return html`<mill-notice
      heading="Nothing was resharded"
      .message=${error.message}
      .code=${error.code}
      .advice=${error.advice}
    ></mill-notice>`;
  }

  #onKey(event: KeyboardEvent): void {
    const typing = event.composedPath().some((target) => target instanceof HTMLInputElement);
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key !== "s" && key !== "m") return;
    event.preventDefault();
    if (key === "s") this.#beginSplit();
    else this.#beginMerge();
  }

  #selectedShard(): RingShard | undefined {
    const open = this.reading?.description.openShards ?? [];
    return open.find(({ shardIndex }) => shardIndex === this.address?.shardIndex);
  }

  #beginSplit(): void {
    const shard = this.#begin("split");
    if (shard === undefined) return;
    if (!canSplit(shard))
      this.hint = `Shard ${shard.shardIndex} owns too few hash keys to be split.`;
    else this.cut = { shardIndex: shard.shardIndex, place: PLACES / 2 };
  }

  #beginMerge(): void {
    const shard = this.#begin("merge");
    if (shard === undefined) return;
    const borders = bordersAt(this.reading?.description.openShards ?? [], shard.shardIndex);
    this.joint = borders.at(-1);
    if (this.joint === undefined) this.hint = "The stream has only one open shard.";
  }

  #begin(what: string): RingShard | undefined {
    this.#action.clear();
    this.cut = undefined;
    this.joint = undefined;
    const shard = this.#selectedShard();
    this.hint = shard === undefined ? `Select the shard to ${what} first.` : "";
    return shard;
  }

  #moveCut(event: CustomEvent<Cut>): void {
    this.cut = event.detail;
  }

  #chooseJoint(event: CustomEvent<Joint>): void {
    this.#action.clear();
    this.hint = "";
    this.joint = event.detail;
  }

  #cancel(): void {
    this.cut = undefined;
    this.joint = undefined;
    this.#focusRing();
  }

  async #split(event: CustomEvent<string>): Promise<void> {
    const { stream, cut } = this;
    if (stream === undefined || cut === undefined) return;
    await this.#reshard(async () => {
      const children = await stream.split(shardIdOf(cut.shardIndex), event.detail);
      const [first] = children;
      this.#look(first?.shardIndex);
      const indexes = children.map(({ shardIndex }) => shardIndex).join(" and ");
      return `Shard ${cut.shardIndex} was split into ${indexes}.`;
    });
  }

  async #merge(): Promise<void> {
    const { stream, joint } = this;
    if (stream === undefined || joint === undefined) return;
    await this.#reshard(async () => {
      const child = await stream.merge(shardIdOf(joint.lower), shardIdOf(joint.upper));
      this.#look(child?.shardIndex);
      return `Shards ${joint.lower} and ${joint.upper} were merged into ${child?.shardIndex ?? "one"}.`;
    });
  }

  async #reshard(act: () => Promise<string>): Promise<void> {
    const done = await this.#action.run(act);
    if (!done) return;
    this.dispatchEvent(changed());
    this.#cancel();
  }

  /** The keyboard goes back to where the act began. */
  #focusRing(): void {
    const ring = this.renderRoot.querySelector("mill-reshard-ring");
    ring?.renderRoot.querySelector<SVGSVGElement>("svg")?.focus();
  }

  #select(event: CustomEvent<number | null>): void {
    this.cut = undefined;
    this.joint = undefined;
    this.hint = "";
    this.#look(event.detail ?? undefined);
  }

  #look(shardIndex: number | undefined): void {
    if (this.address === undefined) return;
    this.dispatchEvent(goTo({ ...this.address, shardIndex }, { replace: true }));
  }
}

customElements.define("mill-shards", MillShards);

declare global {
  interface HTMLElementTagNameMap {
    "mill-shards": MillShards;
  }
}
