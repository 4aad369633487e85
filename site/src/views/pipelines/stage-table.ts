/** The stages of a pipeline as a table: the drawing's twin. */
import { html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import type { PipelineEdge } from "millrace";
import { ageText } from "../../consumers/words.ts";
import { baseStyles, nameLinkStyles, tableStyles, wordCellStyles } from "../../kit/base-styles.ts";
import { stackedTableStyles } from "../../kit/stacked-table.ts";
import { formatCount, formatRate } from "../../live/format.ts";
import { searchOfAddress } from "../../places/address.ts";
import type { Flows } from "./graph.ts";

/** A row for each stage. */
export class MillStageTable extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { edges: { attribute: false }, flows: { attribute: false } };
  }

  static override readonly styles = [
    baseStyles,
    tableStyles,
    stackedTableStyles,
    wordCellStyles,
    nameLinkStyles,
  ];

  /** The stages. */
  declare edges: readonly PipelineEdge[];
  /** What flows. */
  declare flows: Flows;

  constructor() {
    super();
    this.edges = [];
    this.flows = { incoming: () => 0, processed: () => 0 };
  }

  override render(): TemplateResult {
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Stages">
      <table class="stacks" role="table">
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" scope="col">Stage</th>
            <th role="columnheader" scope="col" class="words">From</th>
            <th role="columnheader" scope="col" class="words">Does</th>
            <th role="columnheader" scope="col" class="words">To</th>
            <th role="columnheader" scope="col" class="words">Group</th>
            <th role="columnheader" scope="col">Records/s</th>
            <th role="columnheader" scope="col">Lag in records</th>
            <th role="columnheader" scope="col">Iterator age</th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${this.edges.map((edge) => this.#row(edge))}
        </tbody>
      </table>
    </div>`;
  }

  #row(edge: PipelineEdge): TemplateResult {
    const { stage, from, to, operators, groupName, group, lagRecords, iteratorAgeMs } = edge;
    const processed = this.flows.processed(stage);
    return html`<tr role="row" data-stage=${stage} data-processed=${Math.round(processed)}>
      <th role="rowheader" scope="row">${stage}</th>
      <td role="cell" class="words" data-label="From">${streamLink(from)}</td>
      <td role="cell" class="words" data-label="Does">${operators.join(", ") || "as it is"}</td>
      <td role="cell" class="words" data-label="To">${streamLink(to)}</td>
      <td role="cell" class="words" data-label="Group">
        ${
          group === undefined
            ? "none yet"
            : html`<a href="./${searchOfAddress({ place: "consumers", group: groupName })}"
                >${groupName}</a
              >`
        }
      </td>
      <td role="cell" data-label="Records/s">${formatRate(processed)}</td>
      <td role="cell" data-label="Lag in records">${formatCount(lagRecords)}</td>
      <td role="cell" data-label="Iterator age">${ageText(iteratorAgeMs)}</td>
    </tr>`;
  }
}

function streamLink(stream: string): TemplateResult {
  const search = searchOfAddress({
    ...{ place: "streams", view: "shards", stream, shardIndex: undefined },
  });
  return html`<a href="./${search}">${stream}</a>`;
}

customElements.define("mill-stage-table", MillStageTable);

declare global {
  interface HTMLElementTagNameMap {
    "mill-stage-table": MillStageTable;
  }
}
