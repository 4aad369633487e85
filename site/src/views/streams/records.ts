/** The records of a stream: where they are read from, the list, and the one that is looked at. */
import {
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type PropertyValues,
  type TemplateResult,
} from "lit";
import type { Stream, StreamDescription } from "millrace";
import { BeatController } from "../../controllers/beat-controller.ts";
import { goTo } from "../../controllers/navigation-controller.ts";
import { PAGE_RECORDS, RecordsController } from "../../controllers/records-controller.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { formStyles } from "../../kit/form-styles.ts";
import { iconShape } from "../../kit/icons.ts";
import { formatCount, formatNumberOf } from "../../live/format.ts";
import {
  type DataForm,
  type RecordsAddress,
  recordsOf,
  searchOfAddress,
} from "../../places/address.ts";
import { isComplete } from "../../records/position.ts";
import { matchesFilter, type RecordRow } from "../../records/rows.ts";
import { recordsStyles } from "./records-styles.ts";
import "../../kit/notice.ts";
import "../../kit/panel.ts";
import "./position-form.ts";
import "./put-form.ts";
import "./record-inspector.ts";
import "./record-list.ts";

const SUMMARY_MS = 5000;

/** One view over one stream. */
export class MillRecords extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      stream: { attribute: false },
      description: { attribute: false },
      address: { attribute: false },
      draft: { state: true },
      answer: { state: true },
      summary: { state: true },
    };
  }

  static override readonly styles = [baseStyles, formStyles, recordsStyles];

  /** The stream. */
  declare stream: Stream | undefined;
  /** The stream at the last reading. */
  declare description: StreamDescription | undefined;
  /** What the page's address says. */
  declare address: RecordsAddress | undefined;
  /** The same with what is not complete yet, as a sequence number that has to be typed first. */
  declare draft: RecordsAddress | undefined;
  declare answer: string;
  declare summary: string;

  readonly #records = new RecordsController(this);
  /** Whether the address that comes next is one that this view has asked for. */
  #ownMove = false;
  #filtered: { rows: readonly RecordRow[]; filter: string; found: readonly RecordRow[] } = {
    ...{ rows: [], filter: "", found: [] },
  };

  constructor() {
    super();
    this.stream = undefined;
    this.description = undefined;
    this.address = undefined;
    this.draft = undefined;
    this.answer = "";
    this.summary = "";
    new BeatController(this, SUMMARY_MS, () => this.#summarise());
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("address")) this.draft = this.address;
    const { stream, address } = this;
    if (stream === undefined || address === undefined) return;
    // What a link names is shown at once; what is changed by hand waits for the button.
    const byLink = changed.has("address") && !this.#ownMove;
    this.#ownMove = false;
    if (changed.has("stream") || (byLink && !this.#records.isAt(address))) {
      void this.#records.readPage(stream, address);
    }
  }

  override render(): TemplateResult | typeof nothing {
    const { address, draft } = this;
    if (address === undefined || draft === undefined) return nothing;
    const rows = this.#found(address.filter);
    const looked = rows.find(({ sequenceNumber }) => sequenceNumber === address.record);
    return html`<mill-panel heading="Read">
        <mill-position-form
          .description=${this.description}
          .address=${draft}
          @mill-position=${this.#position}
        ></mill-position-form>
        ${this.#controls(draft)}
      </mill-panel>
      ${this.#error()}
      <div class="main">
        <div class="left">
          ${this.#status(rows)}
          <mill-record-list
            .rows=${rows}
            .selected=${address.record}
            .follow=${this.#records.phase === "tailing"}
            .held=${this.#records.held}
            @mill-look=${this.#look}
            @mill-copy=${this.#copy}
            @mill-catch-up=${this.#catchUp}
          ></mill-record-list>
        </div>
        <div class="right">
          <div class="inspector ${looked === undefined ? "" : "filled"}">
            <mill-record-inspector
              .stream=${address.stream}
              .row=${looked}
              .form=${address.form}
              @mill-form=${(event: CustomEvent<DataForm>) => this.#set({ form: event.detail })}
              @mill-copy=${this.#copy}
              @mill-close=${() => this.#set({ record: undefined })}
            ></mill-record-inspector>
          </div>
          <div class="put">
            <mill-put-form .stream=${this.stream}></mill-put-form>
          </div>
        </div>
      </div>
      <div class="visually-hidden" role="status">${this.summary}</div>`;
  }

  #controls(draft: RecordsAddress): TemplateResult {
    const { phase, paused } = this.#records;
    const tailing = phase === "tailing";
    const more = this.#records.isAt(draft) && this.#records.total > 0;
    const ready = isComplete(draft);
    return html`<div class="controls">
      <button
        type="button"
        class="main"
        id="read"
        ?disabled=${!ready || phase !== "idle"}
        @click=${this.#read}
      >
        ${more ? `Read ${PAGE_RECORDS} more` : `Read ${PAGE_RECORDS}`}
      </button>
      <button type="button" id="tail" ?disabled=${!ready} @click=${this.#toggleTail}>
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
          ${iconShape(tailing ? "close" : "play")}
        </svg>
        ${tailing ? "Stop" : "Live tail"}
      </button>
      ${
        tailing
          ? html`<button type="button" id="hold" @click=${() => this.#records.togglePause()}>
              <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
                ${iconShape(paused ? "play" : "pause")}
              </svg>
              ${paused ? "Resume" : "Pause"}
            </button>`
          : nothing
      }
      <label class="filter">
        <span class="visually-hidden">Filter by text</span>
        <input
          type="search"
          placeholder="Filter: key, sequence number or data contains…"
          .value=${draft.filter}
          @input=${this.#filter}
        />
      </label>
    </div>`;
  }

  #status(rows: readonly RecordRow[]): TemplateResult {
    const { total, ended, phase, caughtUp } = this.#records;
    const all = this.#records.rows;
    const filtered =
      rows.length === all.length ? "" : `${formatCount(rows.length)} of them match. `;
    const dropped = total - all.length;
    const gone = dropped === 0 ? "" : `The oldest ${formatCount(dropped)} were let go. `;
    return html`<p class="status small" id="status">
      <span>${formatNumberOf(total, "record")} fetched. ${filtered}${gone}${this.answer}</span>
      <span class="soft">
        ${phase === "reading" ? "Reading…" : nothing}
        ${phase === "tailing" ? "Waiting for what comes." : nothing}
        ${phase === "idle" && ended ? this.#end() : nothing}
        ${phase === "idle" && !ended && caughtUp ? "This is the newest record for now." : nothing}
      </span>
    </p>`;
  }

  /** A closed shard has an end; the stream goes on in its children. */
  #end(): TemplateResult {
    const { openShards = [], closedShards = [], name = "" } = this.description ?? {};
    const shardIndex = this.address?.shardIndex;
    const children = [...openShards, ...closedShards].filter(
      (shard) =>
        shardIndex !== undefined &&
        (shard.parentShardIndex === shardIndex || shard.adjacentParentShardIndex === shardIndex),
    );
    return html`The shard is closed and this is its end.
    ${children.map(
      (child) =>
        html`<a href="./${searchOfAddress({ ...recordsOf(name), shardIndex: child.shardIndex })}"
          >Go on in shard ${child.shardIndex}</a
        > `,
    )}`;
  }

  #error(): TemplateResult | typeof nothing {
    const { error } = this.#records;
    if (error === undefined) return nothing;
    return html`<mill-notice
      heading="The records cannot be read"
      .message=${error.message}
      .code=${error.code}
      .advice=${error.advice}
    ></mill-notice>`;
  }

  #found(filter: string): readonly RecordRow[] {
    const { rows } = this.#records;
    if (filter === "") return rows;
    const before = this.#filtered;
    if (before.rows !== rows || before.filter !== filter) {
      const found = rows.filter((row) => matchesFilter(row, filter));
      this.#filtered = { rows, filter, found };
    }
    return this.#filtered.found;
  }

  #position(event: CustomEvent<RecordsAddress>): void {
    this.draft = { ...event.detail, record: undefined };
    // An address is only ever of a position that can be read; until then it stays as it was.
    if (isComplete(this.draft)) this.#go(this.draft);
  }

  #set(changed: Partial<RecordsAddress>): void {
    if (this.address !== undefined) this.#go({ ...this.address, ...changed });
  }

  #go(address: RecordsAddress): void {
    this.#ownMove = true;
    this.dispatchEvent(goTo(address, { replace: true }));
  }

  #filter({ target }: Event): void {
    if (target instanceof HTMLInputElement) this.#set({ filter: target.value });
  }

  #look(event: CustomEvent<RecordRow>): void {
    this.#set({ record: event.detail.sequenceNumber });
  }

  #read(): void {
    this.answer = "";
    if (this.stream !== undefined && this.draft !== undefined) {
      void this.#records.readPage(this.stream, this.draft);
    }
  }

  #toggleTail(): void {
    this.answer = "";
    if (this.#records.phase === "tailing") this.#records.stop();
    else if (this.stream !== undefined && this.draft !== undefined) {
      void this.#records.tail(this.stream, this.draft);
    }
  }

  #catchUp(): void {
    if (this.#records.paused) this.#records.togglePause();
  }

  async #copy(event: CustomEvent<string>): Promise<void> {
    try {
      await navigator.clipboard.writeText(event.detail);
      this.answer = "Copied.";
    } catch (error) {
      this.answer = `Not copied: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  #summarise(): void {
    const { total, phase } = this.#records;
    this.summary = `${formatNumberOf(total, "record")} fetched${phase === "tailing" ? ", live" : ""}.`;
  }
}

customElements.define("mill-records", MillRecords);

declare global {
  interface HTMLElementTagNameMap {
    "mill-records": MillRecords;
  }
}
