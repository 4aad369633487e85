/** The leases of a group: who reads which shard, how far, and how far behind. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import type { LeaseDescription } from "millrace";
import type { GroupTally } from "../../consumers/group-tally.ts";
import { ageText, checkpointText, checkpointTitle, leaseMark } from "../../consumers/words.ts";
import {
  baseStyles,
  shardClass,
  shardStyles,
  tableStyles,
  wordCellStyles,
} from "../../kit/base-styles.ts";
import { stackedTableStyles } from "../../kit/stacked-table.ts";
import { formatBytes, formatCount } from "../../live/format.ts";
import "../../kit/lamp.ts";

/** A row for each lease. */
export class MillLeaseTable extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      leases: { attribute: false },
      tally: { attribute: false },
      memberId: { type: String },
      drawn: { type: Number },
    };
  }

  static override readonly styles = [
    baseStyles,
    tableStyles,
    shardStyles,
    stackedTableStyles,
    wordCellStyles,
    css`
      .swatch {
        inline-size: 10px;
        block-size: 10px;
      }

      .owner {
        display: block;
        font-family: var(--face-mono);
      }
    `,
  ];

  /** By shard index. */
  declare leases: readonly LeaseDescription[];
  /** What this tab's workers did. */
  declare tally: GroupTally | undefined;
  /** Names this tab among the owners. */
  declare memberId: string;
  /** Number of the reading; the tally itself stays the same object. */
  declare drawn: number;

  constructor() {
    super();
    this.leases = [];
    this.tally = undefined;
    this.memberId = "";
    this.drawn = 0;
  }

  override render(): TemplateResult {
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Leases">
      <table class="stacks" role="table">
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" scope="col">Shard</th>
            <th role="columnheader" scope="col" class="words">Lease</th>
            <th role="columnheader" scope="col" class="words">Owner</th>
            <th role="columnheader" scope="col">Counter</th>
            <th role="columnheader" scope="col">Checkpoint</th>
            <th role="columnheader" scope="col">Lag in records</th>
            <th role="columnheader" scope="col">Iterator age</th>
            <th role="columnheader" scope="col">In hand</th>
            <th role="columnheader" scope="col">Counted once</th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${this.leases.map((lease) => this.#row(lease))}
        </tbody>
      </table>
    </div>`;
  }

  #row(lease: LeaseDescription): TemplateResult {
    const { shardId, shardIndex, leaseCounter, checkpoint, lagRecords, iteratorAgeMs } = lease;
    const { state, text } = leaseMark(lease);
    const here = this.#isHere(lease);
    const shard = here ? this.tally?.shard(shardId) : undefined;
    return html`<tr
      role="row"
      data-shard=${shardIndex}
      data-status=${lease.status}
      data-here=${here ? "yes" : "no"}
    >
      <th role="rowheader" scope="row">
        <span class="swatch ${shardClass(shardIndex)}"></span>Shard ${shardIndex}
      </th>
      <td role="cell" class="words" data-label="Lease">
        <mill-lamp .state=${state}>${text}</mill-lamp>
      </td>
      <td role="cell" class="words" data-label="Owner">${this.#owner(lease)}</td>
      <td role="cell" data-label="Counter">${formatCount(leaseCounter)}</td>
      <td role="cell" data-label="Checkpoint" title=${checkpointTitle(checkpoint)}>
        ${checkpointText(checkpoint)}
      </td>
      <td role="cell" data-label="Lag in records">${formatCount(lagRecords)}</td>
      <td role="cell" data-label="Iterator age">${ageText(iteratorAgeMs)}</td>
      <td role="cell" data-label="In hand">
        ${shard === undefined ? "not here" : formatCount(shard.inHand)}
      </td>
      <td
        role="cell"
        data-label="Counted once"
        data-records=${shard?.counted.records ?? ""}
        title=${shard === undefined ? "" : formatBytes(shard.counted.bytes)}
      >
        ${shard === undefined ? "not here" : formatCount(shard.counted.records)}
      </td>
    </tr>`;
  }

  #isHere({ owner }: LeaseDescription): boolean {
    return owner !== null && owner.memberId === this.memberId;
  }

  #owner(lease: LeaseDescription): TemplateResult {
    const { owner } = lease;
    if (owner === null) return html`<span class="soft">nobody</span>`;
    const where = this.#isHere(lease) ? "this tab" : "another tab";
    return html`<span class="owner">${owner.workerId}</span>
      <span class="soft small">${where}</span>`;
  }
}

customElements.define("mill-lease-table", MillLeaseTable);

declare global {
  interface HTMLElementTagNameMap {
    "mill-lease-table": MillLeaseTable;
  }
}
