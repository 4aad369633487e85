/** A long list of records of which only the rows in sight are drawn; a grid for keyboard and reader. */
import {
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type PropertyValues,
  type TemplateResult,
} from "lit";
import { ResizeController } from "../../controllers/resize-controller.ts";
import { baseStyles, shardClass, shardStyles } from "../../kit/base-styles.ts";
import { iconShape } from "../../kit/icons.ts";
import { formatBytes, formatCount } from "../../live/format.ts";
import { ROW_PX, rowWindow, scrollTo } from "../../records/row-window.ts";
import { previewOf, type RecordRow, rowId, shortSequenceNumber } from "../../records/rows.ts";
import { formatMoment, formatTimeOfDay } from "../../records/times.ts";
import { recordListStyles } from "./record-list-styles.ts";

const HEADINGS = [
  ["time", "Time"],
  ["shard", "Shard"],
  ["key", "Partition key"],
  ["sequence", "Sequence number"],
  ["size", "Size"],
  ["preview", "Data"],
] as const;

/** Rows that Page Up and Page Down go. */
const PAGE_ROWS = 12;

/** Distance from the end up to which the list counts as being at its end, in px. */
const AT_END_PX = ROW_PX;

/** Fires `mill-look` with a row as detail, and `mill-copy` with a text that is to be copied. */
export class MillRecordList extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      rows: { attribute: false },
      selected: { attribute: false },
      follow: { type: Boolean },
      held: { type: Number },
      first: { state: true },
      end: { state: true },
      active: { state: true },
      unseen: { state: true },
    };
  }

  static override readonly styles = [baseStyles, shardStyles, recordListStyles];

  /** The records, the oldest first. */
  declare rows: readonly RecordRow[];
  /** Sequence number of the record that is looked at. */
  declare selected: string | undefined;
  /** Whether the list stays at its end while it is there. */
  declare follow: boolean;
  /** Records that wait to be shown. */
  declare held: number;
  declare first: number;
  declare end: number;
  declare active: number;
  declare unseen: number;

  #atEnd = true;

  constructor() {
    super();
    this.rows = [];
    this.selected = undefined;
    this.follow = false;
    this.held = 0;
    this.first = 0;
    this.end = 0;
    this.active = 0;
    this.unseen = 0;
    new ResizeController(
      this,
      () => this.#fit(),
      () => this.#box,
    );
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("rows")) return;
    const before = changed.get("rows") ?? [];
    const more = this.rows.length - before.length;
    if (before.length === 0 || more < 0) this.#atEnd = true;
    if (this.follow && !this.#atEnd) this.unseen += Math.max(0, more);
    if (this.rows.length === 0) this.unseen = 0;
    this.active = Math.min(this.active, Math.max(0, this.rows.length - 1));
    this.#window();
  }

  protected override updated(changed: PropertyValues<this>): void {
    this.#space();
    if (changed.has("rows") && this.follow && this.#atEnd) this.toEnd();
  }

  get #box(): HTMLElement | null {
    return this.renderRoot.querySelector<HTMLElement>(".box");
  }

  /** Shows the newest record. */
  toEnd(): void {
    const box = this.#box;
    if (box === null) return;
    box.scrollTop = box.scrollHeight;
    this.#atEnd = true;
    this.unseen = 0;
    this.#window();
  }

  override render(): TemplateResult {
    const rows = this.rows.slice(this.first, this.end);
    const active = this.rows[this.active];
    const fresh = this.unseen + this.held;
    return html`<div class="frame">
      <div
        class="box"
        role="grid"
        tabindex="0"
        aria-label="Records; arrow keys go from record to record, Enter looks at one, C copies its sequence number"
        aria-rowcount=${this.rows.length + 1}
        aria-activedescendant=${this.#isDrawn(this.active) && active ? `row-${this.active}` : nothing}
        @scroll=${this.#onScroll}
        @keydown=${this.#onKey}
      >
        <div role="rowgroup" class="head">
          <div role="row" aria-rowindex="1" class="row">
            ${HEADINGS.map(
              ([name, text]) => html`<span role="columnheader" class=${name}>${text}</span>`,
            )}
          </div>
        </div>
        <div class="above" aria-hidden="true"></div>
        <div role="rowgroup">${rows.map((row, i) => this.#row(row, this.first + i))}</div>
        <div class="below" aria-hidden="true"></div>
      </div>
      ${
        fresh === 0
          ? nothing
          : html`<button type="button" class="main pill" @click=${this.#catchUp}>
              <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${iconShape("down")}</svg>
              ${formatCount(fresh)} new
            </button>`
      }
    </div>`;
  }

  #row(row: RecordRow, i: number): TemplateResult {
    const selected = row.sequenceNumber === this.selected;
    const { shardIndex, sequenceNumber, partitionKey } = row;
    return html`<div
      role="row"
      id="row-${i}"
      class="row ${i === this.active ? "active" : ""}"
      aria-rowindex=${i + 2}
      aria-selected=${selected ? "true" : "false"}
      data-record=${rowId(row)}
      @click=${() => this.#look(i)}
    >
      <span role="gridcell" class="time" title=${formatMoment(row.arrivalMs)}
        >${formatTimeOfDay(row.arrivalMs)}</span
      >
      <span role="gridcell" class="shard" title=${row.shardId}
        ><i class="swatch ${shardClass(shardIndex)}"></i>${shardIndex}</span
      >
      <span role="gridcell" class="key" title=${partitionKey}>${partitionKey}</span>
      <span role="gridcell" class="sequence" title=${sequenceNumber}
        >${shortSequenceNumber(sequenceNumber)}<button
          type="button"
          tabindex="-1"
          aria-label="Copy the sequence number"
          @click=${(event: Event) => this.#copy(event, row)}
        >
          <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${iconShape("copy")}</svg>
        </button></span
      >
      <span role="gridcell" class="size">${formatBytes(row.data.length)}</span>
      <span role="gridcell" class="preview">${previewOf(row.data)}</span>
    </div>`;
  }

  #isDrawn(i: number): boolean {
    return i >= this.first && i < this.end;
  }

  /** Heights by script and not as attributes, which the page's policy refuses. */
  #space(): void {
    const { abovePx, belowPx } = rowWindow(this.rows.length, this.#scrollPx, this.#heightPx);
    const above = this.renderRoot.querySelector<HTMLElement>(".above");
    const below = this.renderRoot.querySelector<HTMLElement>(".below");
    if (above !== null) above.style.blockSize = `${abovePx}px`;
    if (below !== null) below.style.blockSize = `${belowPx}px`;
  }

  get #scrollPx(): number {
    return this.#box?.scrollTop ?? 0;
  }

  /** Height for rows: the box without its heading. */
  get #heightPx(): number {
    return Math.max(0, (this.#box?.clientHeight ?? 0) - ROW_PX);
  }

  #window(): void {
    const { first, end } = rowWindow(this.rows.length, this.#scrollPx, this.#heightPx);
    this.first = first;
    this.end = end;
  }

  #fit(): void {
    this.#window();
    if (this.follow && this.#atEnd) this.toEnd();
  }

  #onScroll(): void {
    const box = this.#box;
    if (box === null) return;
    this.#atEnd = box.scrollHeight - box.scrollTop - box.clientHeight <= AT_END_PX;
    if (this.#atEnd) this.unseen = 0;
    this.#window();
  }

  #onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = this.rows[this.active];
    const next = nextRow(event.key, this.active, this.rows.length);
    if (next !== undefined) this.#goTo(next);
    else if (event.key === "Enter" || event.key === " ") this.#look(this.active);
    else if (event.key.toLowerCase() === "c" && row !== undefined) this.#copy(event, row);
    else return;
    event.preventDefault();
  }

  #goTo(i: number): void {
    const box = this.#box;
    this.active = i;
    if (box !== null) box.scrollTop = scrollTo(i, this.#scrollPx, this.#heightPx);
    this.#window();
  }

  #look(i: number): void {
    const row = this.rows[i];
    if (row === undefined) return;
    this.active = i;
    this.dispatchEvent(new CustomEvent("mill-look", { detail: row }));
  }

  #copy(event: Event, { sequenceNumber }: RecordRow): void {
    event.stopPropagation();
    this.dispatchEvent(new CustomEvent("mill-copy", { detail: sequenceNumber }));
  }

  #catchUp(): void {
    this.dispatchEvent(new CustomEvent("mill-catch-up"));
    this.#atEnd = true;
    this.toEnd();
    this.#box?.focus();
  }
}

/** Where a key leads in a list; undefined when it means nothing here. */
function nextRow(key: string, here: number, count: number): number | undefined {
  const last = count - 1;
  switch (key) {
    case "ArrowDown":
      return Math.min(last, here + 1);
    case "ArrowUp":
      return Math.max(0, here - 1);
    case "PageDown":
      return Math.min(last, here + PAGE_ROWS);
    case "PageUp":
      return Math.max(0, here - PAGE_ROWS);
    case "Home":
      return 0;
    case "End":
      return Math.max(0, last);
    default:
      return undefined;
  }
}

customElements.define("mill-record-list", MillRecordList);

declare global {
  interface HTMLElementTagNameMap {
    "mill-record-list": MillRecordList;
  }
}
