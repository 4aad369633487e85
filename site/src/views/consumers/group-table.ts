/** The consumer groups of the engine as a table: what each reads, who works, and how far behind it is. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import type { GroupReading } from "../../consumers/groups-meter.ts";
import { ageText, groupMark, iteratorAgeOf, lagOf } from "../../consumers/words.ts";
import { baseStyles, nameLinkStyles, tableStyles, wordCellStyles } from "../../kit/base-styles.ts";
import { stackedTableStyles } from "../../kit/stacked-table.ts";
import { formatCount } from "../../live/format.ts";
import { searchOfAddress } from "../../places/address.ts";
import "../../kit/lamp.ts";

/** A table with a link for each group. */
export class MillGroupTable extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { readings: { attribute: false }, selected: { type: String } };
  }

  static override readonly styles = [
    baseStyles,
    tableStyles,
    stackedTableStyles,
    wordCellStyles,
    nameLinkStyles,
    css`
      tbody th,
      tbody td {
        padding-block: calc(var(--unit) * 2);
      }

      th a {
        font-weight: 600;
      }

      a[aria-current="true"] {
        color: var(--water);
      }
    `,
  ];

  /** The groups in the order of their names. */
  declare readings: readonly GroupReading[];
  /** Name of the group that is looked at. */
  declare selected: string;

  constructor() {
    super();
    this.readings = [];
    this.selected = "";
  }

  override render(): TemplateResult {
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Consumer groups">
      <table class="stacks" role="table">
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" scope="col">Group</th>
            <th role="columnheader" scope="col" class="words">Stream</th>
            <th role="columnheader" scope="col" class="words">State</th>
            <th role="columnheader" scope="col">Workers</th>
            <th role="columnheader" scope="col">Leases owned</th>
            <th role="columnheader" scope="col">Lag in records</th>
            <th role="columnheader" scope="col">Iterator age</th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${this.readings.map((reading) => this.#row(reading))}
        </tbody>
      </table>
    </div>`;
  }

  #row({ description }: GroupReading): TemplateResult {
    const { definition, leases, workers } = description;
    const { name, streamName } = definition;
    const { state, text } = groupMark(description);
    const owned = leases.filter(({ owner }) => owner !== null).length;
    const open = leases.filter(({ status }) => status !== "ended").length;
    const stream = searchOfAddress({
      ...{ place: "streams", view: "shards", stream: streamName, shardIndex: undefined },
    });
    return html`<tr role="row" data-group=${name}>
      <th role="rowheader" scope="row">
        <a
          href="./${searchOfAddress({ place: "consumers", group: name })}"
          aria-current=${name === this.selected ? "true" : "false"}
          >${name}</a
        >
      </th>
      <td role="cell" class="words" data-label="Stream"><a href="./${stream}">${streamName}</a></td>
      <td role="cell" class="words" data-label="State">
        <mill-lamp .state=${state}>${text}</mill-lamp>
      </td>
      <td role="cell" data-label="Workers">${formatCount(workers.length)}</td>
      <td role="cell" data-label="Leases owned">${formatCount(owned)} of ${formatCount(open)}</td>
      <td role="cell" data-label="Lag in records">${formatCount(lagOf(description))}</td>
      <td role="cell" data-label="Iterator age">${ageText(iteratorAgeOf(description))}</td>
    </tr>`;
  }
}

customElements.define("mill-group-table", MillGroupTable);

declare global {
  interface HTMLElementTagNameMap {
    "mill-group-table": MillGroupTable;
  }
}
