/** What aggregation saves: user records against the records of the stream that hold them. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { baseStyles, tableStyles } from "../../kit/base-styles.ts";
import { stackedTableStyles } from "../../kit/stacked-table.ts";
import { formatBytes, formatCount, formatMs } from "../../live/format.ts";
import type { PutTotals } from "../../producer/put-totals.ts";

const fine = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** A row for each way to put. */
export class MillTotalsTable extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { aggregated: { attribute: false }, single: { attribute: false } };
  }

  static override readonly styles = [
    baseStyles,
    tableStyles,
    stackedTableStyles,
    css`
      thead th {
        white-space: normal;
      }
    `,
  ];

  /** With aggregation. */
  declare aggregated: PutTotals | undefined;
  /** Without. */
  declare single: PutTotals | undefined;

  constructor() {
    super();
    this.aggregated = undefined;
    this.single = undefined;
  }

  override render(): TemplateResult {
    return html`<div class="scroll" tabindex="0" role="region" aria-label="What was put">
      <table class="stacks" role="table">
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" scope="col">Way</th>
            <th role="columnheader" scope="col">User records</th>
            <th role="columnheader" scope="col">Stored records</th>
            <th role="columnheader" scope="col">User records per stored one</th>
            <th role="columnheader" scope="col">User bytes</th>
            <th role="columnheader" scope="col">Stored bytes</th>
            <th role="columnheader" scope="col">Calls</th>
            <th role="columnheader" scope="col">Retries</th>
            <th role="columnheader" scope="col">Failed</th>
            <th role="columnheader" scope="col">Put to stored, mean</th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${row("aggregated", "Aggregated", this.aggregated)} ${row("single", "One by one", this.single)}
        </tbody>
      </table>
    </div>`;
  }
}

function row(way: string, name: string, totals: PutTotals | undefined): TemplateResult {
  const { userRecords = 0, storedRecords = 0, userBytes = 0, storedBytes = 0 } = totals ?? {};
  const { calls = 0, retries = 0, failed = 0, latencySumMs = 0 } = totals ?? {};
  const cell = (label: string, value: string, key = ""): TemplateResult =>
    html`<td role="cell" data-label=${label} data-key=${key}>${value}</td>`;
  const perStored = storedRecords === 0 ? "none yet" : fine.format(userRecords / storedRecords);
  return html`<tr role="row" data-way=${way}>
    <th role="rowheader" scope="row">${name}</th>
    ${cell("User records", formatCount(userRecords), "user")}
    ${cell("Stored records", formatCount(storedRecords), "stored")}
    ${cell("User records per stored one", perStored)}
    ${cell("User bytes", formatBytes(userBytes))} ${cell("Stored bytes", formatBytes(storedBytes))}
    ${cell("Calls", formatCount(calls))} ${cell("Retries", formatCount(retries))}
    ${cell("Failed", formatCount(failed), "failed")}
    ${cell("Put to stored, mean", userRecords === 0 ? "none yet" : formatMs(latencySumMs / userRecords))}
  </tr>`;
}

customElements.define("mill-totals-table", MillTotalsTable);

declare global {
  interface HTMLElementTagNameMap {
    "mill-totals-table": MillTotalsTable;
  }
}
