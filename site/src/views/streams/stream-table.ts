/** The streams of the engine as a table: what each is, and what flows into it. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { baseStyles, tableStyles, wordCellStyles } from "../../kit/base-styles.ts";
import type { LampState } from "../../kit/lamp.ts";
import { stackedTableStyles } from "../../kit/stacked-table.ts";
import { formatBytes, formatCount, formatRate } from "../../live/format.ts";
import { searchOfAddress } from "../../places/address.ts";
import { retentionText, type StreamReading } from "../../streams/readings.ts";
import "../../kit/lamp.ts";
import "./ring-emblem.ts";

/** Lamp of a stream's status. */
export function statusLamp(status: string): LampState {
  if (status === "ACTIVE") return "good";
  return status === "DELETING" ? "warn" : "busy";
}

/** Fires `mill-delete` with the stream's name as detail. */
export class MillStreamTable extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { streams: { attribute: false } };
  }

  static override readonly styles = [
    baseStyles,
    tableStyles,
    stackedTableStyles,
    wordCellStyles,
    css`
      .name {
        display: inline-flex;
        align-items: center;
        gap: calc(var(--unit) * 2);
        color: var(--ink);
        font-weight: 600;
        text-underline-offset: 3px;
      }

      .name:hover {
        color: var(--water);
      }

      tbody th,
      tbody td {
        padding-block: calc(var(--unit) * 2);
      }
    `,
  ];

  /** The streams in the order of their names. */
  declare streams: readonly StreamReading[];

  constructor() {
    super();
    this.streams = [];
  }

  override render(): TemplateResult {
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Streams">
      <table class="stacks" role="table">
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" scope="col">Name</th>
            <th role="columnheader" scope="col" class="words">Status</th>
            <th role="columnheader" scope="col" class="words">Mode</th>
            <th role="columnheader" scope="col">Open<br />shards</th>
            <th role="columnheader" scope="col">Retention</th>
            <th role="columnheader" scope="col">In<br />records/s</th>
            <th role="columnheader" scope="col">In<br />data</th>
            <th role="columnheader" scope="col"><span class="visually-hidden">Delete</span></th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${this.streams.map((stream) => this.#row(stream))}
        </tbody>
      </table>
    </div>`;
  }

  #row({ description, rates }: StreamReading): TemplateResult {
    const { name, status, mode, openShards, retentionHours } = description;
    const records = rates.reduce((sum, rate) => sum + rate.incomingRecordsPerSecond, 0);
    const bytes = rates.reduce((sum, rate) => sum + rate.incomingBytesPerSecond, 0);
    const address = { place: "streams", view: "shards", stream: name } as const;
    const link = searchOfAddress({ ...address, shardIndex: undefined });
    const source = "Committed between the last two readings, by the engine's counters";
    return html`<tr role="row" data-stream=${name}>
      <th role="rowheader" scope="row">
        <a class="name" href="./${link}">
          <mill-ring-emblem .shards=${openShards}></mill-ring-emblem>${name}
        </a>
      </th>
      <td role="cell" class="words" data-label="Status">
        <mill-lamp .state=${statusLamp(status)}>${status}</mill-lamp>
      </td>
      <td role="cell" class="words" data-label="Mode">${mode}</td>
      <td role="cell" data-label="Open shards">${formatCount(openShards.length)}</td>
      <td role="cell" data-label="Retention" title="${retentionHours} hours">
        ${retentionText(retentionHours)}
      </td>
      <td role="cell" data-label="In, records/s" title=${source}>${formatRate(records)}</td>
      <td role="cell" data-label="In, data" title=${source}>${formatBytes(bytes)}/s</td>
      <td role="cell" class="wide">
        <button
          type="button"
          class="danger"
          aria-label="Delete ${name}"
          @click=${() => this.dispatchEvent(new CustomEvent("mill-delete", { detail: name }))}
        >
          Delete
        </button>
      </td>
    </tr>`;
  }
}

customElements.define("mill-stream-table", MillStreamTable);

declare global {
  interface HTMLElementTagNameMap {
    "mill-stream-table": MillStreamTable;
  }
}
