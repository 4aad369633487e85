/** Rates and throttles per shard; the table that tells in numbers what the ring shows. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { baseStyles, shardClass, shardStyles, tableStyles } from "../kit/base-styles.ts";
import { formatBytes, formatCount, formatRate } from "../live/format.ts";
import type { ShardRates } from "../live/rates.ts";
import { hexHashKey, shortHashKey } from "../live/ring-geometry.ts";
import type { RingShard } from "./ring.ts";

const NO_RATES: Omit<ShardRates, "shardIndex"> = {
  incomingRecordsPerSecond: 0,
  incomingBytesPerSecond: 0,
  throttledRecordsPerSecond: 0,
  outgoingRecordsPerSecond: 0,
  incomingRecords: 0,
  throttledRecords: 0,
};

/** Fires `mill-select` with the shard's index, or null for none, as detail. */
export class MillShardTable extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      shards: { attribute: false },
      rates: { attribute: false },
      selected: { attribute: false },
    };
  }

  static override readonly styles = [
    baseStyles,
    tableStyles,
    shardStyles,
    css`
      th button {
        min-block-size: 28px;
        padding: 0 calc(var(--unit) * 2);
        border-color: transparent;
        background: transparent;
      }

      th button[aria-pressed="true"] {
        border-color: var(--ink);
      }

      tr.selected {
        background: var(--water-wash);
      }

      .hot {
        color: var(--hot);
        font-weight: 600;
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
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Rates per shard">
      <table>
        <thead>
          <tr>
            <th scope="col">Shard</th>
            <th scope="col">In<br />records/s</th>
            <th scope="col">In<br />data</th>
            <th scope="col">Refused<br />records/s</th>
            <th scope="col">Out<br />records/s</th>
            <th scope="col">Committed<br />records</th>
            <th scope="col">Refused<br />records</th>
            <th scope="col">Hash keys</th>
          </tr>
        </thead>
        <tbody>
          ${this.shards.map((shard) => this.#row(shard))}
        </tbody>
      </table>
    </div>`;
  }

  #row(shard: RingShard): TemplateResult {
    const { shardIndex, startingHashKey, endingHashKey } = shard;
    const found = this.rates.find((rate) => rate.shardIndex === shardIndex);
    const rate = found ?? { shardIndex, ...NO_RATES };
    const selected = this.selected === shardIndex;
    const range = `${hexHashKey(startingHashKey)} to ${hexHashKey(endingHashKey)}`;
    const throttled = rate.throttledRecordsPerSecond > 0;
    return html`<tr class=${selected ? "selected" : ""}>
      <th scope="row">
        <button
          type="button"
          aria-pressed=${selected ? "true" : "false"}
          title=${shard.shardId}
          @click=${() => this.#select(selected ? null : shardIndex)}
        >
          <i class="swatch ${shardClass(shardIndex)}"></i>Shard ${shardIndex}
        </button>
      </th>
      <td>${formatRate(rate.incomingRecordsPerSecond)}</td>
      <td>${formatBytes(rate.incomingBytesPerSecond)}/s</td>
      <td class=${throttled ? "hot" : ""}>${formatRate(rate.throttledRecordsPerSecond)}</td>
      <td>${formatRate(rate.outgoingRecordsPerSecond)}</td>
      <td>${formatCount(rate.incomingRecords)}</td>
      <td>${formatCount(rate.throttledRecords)}</td>
      <td title=${range}>${shortHashKey(startingHashKey)} – ${shortHashKey(endingHashKey)}</td>
    </tr>`;
  }

  #select(shardIndex: number | null): void {
    this.dispatchEvent(new CustomEvent("mill-select", { detail: shardIndex }));
  }
}

customElements.define("mill-shard-table", MillShardTable);

declare global {
  interface HTMLElementTagNameMap {
    "mill-shard-table": MillShardTable;
  }
}
