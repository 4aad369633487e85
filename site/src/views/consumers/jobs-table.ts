/** The jobs of the engine as a table: how each is doing, how often it began anew, and why. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import type { JobSummary } from "millrace";
import { jobMark } from "../../consumers/words.ts";
import { baseStyles, tableStyles, wordCellStyles } from "../../kit/base-styles.ts";
import { stackedTableStyles } from "../../kit/stacked-table.ts";
import { formatClockTime, formatCount, formatRate } from "../../live/format.ts";
import "../../kit/lamp.ts";
import "../../kit/panel.ts";

/** A panel with a row for each job. */
export class MillJobsTable extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { jobs: { attribute: false } };
  }

  static override readonly styles = [
    baseStyles,
    tableStyles,
    stackedTableStyles,
    wordCellStyles,
    css`
      td.words {
        white-space: normal;
      }
    `,
  ];

  /** By name. */
  declare jobs: readonly JobSummary[];

  constructor() {
    super();
    this.jobs = [];
  }

  override render(): TemplateResult {
    return html`<mill-panel heading="Jobs">
      ${
        this.jobs.length === 0
          ? html`<p class="soft">
              No job is defined. A job is a group's worker that runs in a thread of its own, and is begun anew
              when it fails: see the code.
            </p>`
          : this.#table()
      }
    </mill-panel>`;
  }

  #table(): TemplateResult {
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Jobs">
      <table class="stacks" role="table">
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" scope="col">Job</th>
            <th role="columnheader" scope="col" class="words">State</th>
            <th role="columnheader" scope="col" class="words">Group</th>
            <th role="columnheader" scope="col">Records</th>
            <th role="columnheader" scope="col">Records/s</th>
            <th role="columnheader" scope="col">Restarts</th>
            <th role="columnheader" scope="col" class="words">Last error</th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${this.jobs.map((job) => row(job))}
        </tbody>
      </table>
    </div>`;
  }
}

function row(job: JobSummary): TemplateResult {
  const { name, groupName, restarts, records, recordsPerSecond, lastError } = job;
  const { state, text } = jobMark(job.state);
  const error =
    lastError === undefined ? "none" : `${formatClockTime(lastError.atMs)} ${lastError.message}`;
  return html`<tr role="row" data-job=${name} data-state=${job.state}>
    <th role="rowheader" scope="row">${name}</th>
    <td role="cell" class="words" data-label="State"><mill-lamp .state=${state}>${text}</mill-lamp></td>
    <td role="cell" class="words" data-label="Group">${groupName}</td>
    <td role="cell" data-label="Records">${formatCount(records)}</td>
    <td role="cell" data-label="Records/s">${formatRate(recordsPerSecond)}</td>
    <td role="cell" data-label="Restarts">${formatCount(restarts)}</td>
    <td role="cell" class="words" data-label="Last error">${error}</td>
  </tr>`;
}

customElements.define("mill-jobs-table", MillJobsTable);

declare global {
  interface HTMLElementTagNameMap {
    "mill-jobs-table": MillJobsTable;
  }
}
