/** The streams of the engine as a table: what each is, and what flows into it. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { baseStyles, tableStyles } from "../../kit/base-styles.ts";
import type { LampState } from "../../kit/lamp.ts";
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

      td.words {
        font-family: var(--face);
        text-align: start;
      }

      th.words {
        text-align: start;
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
      <table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col" class="words">Status</th>
            <th scope="col" class="words">Mode</th>
            <th scope="col">Open<br />shards</th>
            <th scope="col">Retention</th>
            <th scope="col">In<br />records/s</th>
            <th scope="col">In<br />data</th>
            <th scope="col"><span class="visually-hidden">Delete</span></th>
          </tr>
        </thead>
        <tbody>
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
    return html`<tr data-stream=${name}>
      <th scope="row">
        <a class="name" href="./${link}">
          <mill-ring-emblem .shards=${openShards}></mill-ring-emblem>${name}
        </a>
      </th>
      <td class="words"><mill-lamp .state=${statusLamp(status)}>${status}</mill-lamp></td>
      <td class="words">${mode}</td>
      <td>${formatCount(openShards.length)}</td>
      <td title="${retentionHours} hours">${retentionText(retentionHours)}</td>
      <td title=${source}>${formatRate(records)}</td>
      <td title=${source}>${formatBytes(bytes)}/s</td>
      <td>
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
