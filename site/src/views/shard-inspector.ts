/** What is selected on the ring: one shard with its range and its rates. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { baseStyles, shardClass, shardStyles } from "../kit/base-styles.ts";
import { formatRate, formatShare } from "../live/format.ts";
import type { ShardRates } from "../live/rates.ts";
import { arcsOf, hexHashKey } from "../live/ring-geometry.ts";
import type { RingShard } from "./ring.ts";

/** Shows the selected shard, or how to select one. */
export class MillShardInspector extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      shards: { attribute: false },
      rates: { attribute: false },
      selected: { attribute: false },
    };
  }

  static override readonly styles = [
    baseStyles,
    shardStyles,
    css`
      .box {
        min-block-size: 96px;
        margin-block-start: calc(var(--unit) * 3);
        padding-block-start: calc(var(--unit) * 3);
        border-block-start: 1px solid var(--line);
        font-size: var(--text-small);
      }

      h3 {
        font-size: var(--text);
        font-weight: 600;
      }

      p {
        overflow-wrap: anywhere;
      }
    `,
  ];

  /** Open shards of the stream. */
  declare shards: readonly RingShard[];
  /** Their rates at the last reading. */
  declare rates: readonly ShardRates[];
  /** Index of the shard that is looked at. */
  declare selected: number | undefined;

  constructor() {
    super();
    this.shards = [];
    this.rates = [];
    this.selected = undefined;
  }

  override render(): TemplateResult {
    const shard = this.shards.find(({ shardIndex }) => shardIndex === this.selected);
    if (shard === undefined) {
      return html`<div class="box soft">
        <p>
          A record leaves the hub for the shard that the engine answered: the MD5 of its partition
          key decides. Inside the arc every key has one place of its own, in order of appearance.
          Paddles outside show where the last seconds'
          records went; the outer digits are the first of the hash keys there.
        </p>
        <p>Select a shard with the pointer or the arrow keys.</p>
      </div>`;
    }
    const rate = this.rates.find(({ shardIndex }) => shardIndex === shard.shardIndex);
    const total = this.rates.reduce((sum, each) => sum + each.incomingRecordsPerSecond, 0);
    const incoming = rate?.incomingRecordsPerSecond ?? 0;
    const [arc] = arcsOf([shard]);
    const width = arc === undefined ? 0 : arc.end - arc.start;
    return html`<div class="box">
      <h3>
        <i class="swatch ${shardClass(shard.shardIndex)}"></i
        ><span class="mono">${shard.shardId}</span>
      </h3>
      <p class="mono soft">${hexHashKey(shard.startingHashKey)}</p>
      <p class="mono soft">${hexHashKey(shard.endingHashKey)}</p>
      <p>
        Owns ${formatShare(width)} of the ring and takes
        ${formatShare(total === 0 ? 0 : incoming / total)} of the records:
        ${formatRate(incoming)} records/s, ${formatRate(rate?.throttledRecordsPerSecond ?? 0)}
        refused/s.
      </p>
    </div>`;
  }
}

customElements.define("mill-shard-inspector", MillShardInspector);

declare global {
  interface HTMLElementTagNameMap {
    "mill-shard-inspector": MillShardInspector;
  }
}
