/** The runs of this visit as a table: what befell the engine, what was lost, and how long it took. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import type { RunResult } from "../../faults/run-result.ts";
import { flawsOf, toldByKind } from "../../faults/words.ts";
import { baseStyles, tableStyles, wordCellStyles } from "../../kit/base-styles.ts";
import { stackedTableStyles } from "../../kit/stacked-table.ts";
import { formatClockTime, formatCount, formatMs } from "../../live/format.ts";
import "../../kit/lamp.ts";
import "../../kit/panel.ts";

/** A table of runs, the newest first. */
export class MillRunTable extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { runs: { attribute: false } };
  }

  static override readonly styles = [
    baseStyles,
    tableStyles,
    stackedTableStyles,
    wordCellStyles,
    css`
      th.words,
      td.words {
        white-space: normal;
      }

      td {
        vertical-align: baseline;
      }

      time {
        margin-inline-start: calc(var(--unit) * 2);
        color: var(--ink-soft);
        font: 400 var(--text-small) var(--face-mono);
      }
    `,
  ];

  /** The runs, the newest first. */
  declare runs: readonly RunResult[];

  constructor() {
    super();
    this.runs = [];
  }

  override render(): TemplateResult {
    return html`<mill-panel heading="Runs of this visit">
      ${
        this.runs.length === 0
          ? html`<p class="soft">Nothing has befallen the engine yet.</p>`
          : this.#table()
      }
    </mill-panel>`;
  }

  #table(): TemplateResult {
    return html`<div class="scroll" tabindex="0" role="region" aria-label="What befell the engine">
      <table class="stacks" role="table">
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" scope="col">Fault</th>
            <th role="columnheader" scope="col">Times</th>
            <th role="columnheader" scope="col">Acknowledged<br />before</th>
            <th role="columnheader" scope="col">Acknowledged<br />from then on</th>
            <th role="columnheader" scope="col">Lost</th>
            <th role="columnheader" scope="col">Twice</th>
            <th role="columnheader" scope="col">Longest<br />outage</th>
            <th role="columnheader" scope="col" class="words">Told</th>
            <th role="columnheader" scope="col" class="words">Outcome</th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${this.runs.map((run) => row(run))}
        </tbody>
      </table>
    </div>`;
  }
}

function row(run: RunResult): TemplateResult {
  const { heading, beganMs, times, acknowledgedBefore, acknowledgedAfter, readBack } = run;
  return html`<tr role="row" data-fault=${run.fault}>
    <th role="rowheader" scope="row">${heading}<time>${formatClockTime(beganMs)}</time></th>
    <td role="cell" data-label="Times">${formatCount(times)}</td>
    <td role="cell" data-label="Acknowledged before">${formatCount(acknowledgedBefore)}</td>
    <td role="cell" data-label="Acknowledged from then on">${formatCount(acknowledgedAfter)}</td>
    <td role="cell" data-label="Lost" data-count="lost">${formatCount(readBack.lost)}</td>
    <td role="cell" data-label="Twice" data-count="twice">${formatCount(readBack.twice)}</td>
    <td role="cell" data-label="Longest outage">${formatMs(run.outageMs)}</td>
    <td role="cell" data-label="Told" class="words">${toldByKind(run)}</td>
    <td role="cell" data-label="Outcome" class="words">${outcome(run)}</td>
  </tr>`;
}

function outcome(run: RunResult): TemplateResult {
  const flaws = flawsOf(run);
  const hidden = run.wasHidden ? "; the tab was out of sight, which makes times longer" : "";
  return flaws.length === 0
    ? html`<mill-lamp state="good">Whole and in order${hidden}</mill-lamp>`
    : html`<mill-lamp state="hot">${flaws.join(", ")}${hidden}</mill-lamp>`;
}

customElements.define("mill-run-table", MillRunTable);

declare global {
  interface HTMLElementTagNameMap {
    "mill-run-table": MillRunTable;
  }
}
