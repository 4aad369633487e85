/** Whether what was acknowledged is on disk, the counts that prove it, and the disk itself. */
import {
  css,
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type TemplateResult,
} from "lit";
import type { StorageReport } from "millrace";
import type { Recount } from "../controllers/recount-controller.ts";
import { baseStyles } from "../kit/base-styles.ts";
import { bytesQuantity, formatBytes, formatClockTime, formatCount } from "../live/format.ts";
import type { Verdict } from "../live/verdict.ts";
import "../kit/lamp.ts";
import "../kit/panel.ts";
import "../kit/reading.ts";

/** What the panel shows. */
export interface DiskReadings {
  readonly verdict: Verdict;
  readonly storage: StorageReport | undefined;
  /** Count of the records that were there at opening. */
  readonly opening: Recount;
  /** Records that earlier visits had been told of; undefined when the page does not remember. */
  readonly promised: number | undefined;
  /** Records that the live consumer has read back. */
  readonly readBack: number;
  readonly fullRead: Recount;
  /** Records acknowledged in all when the full read began. */
  readonly fullReadExpected: number;
}

/** Fires `mill-read-all`, `mill-stop-reading`, `mill-stop-opening` and `mill-start-over`. */
export class MillDiskPanel extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { readings: { attribute: false } };
  }

  static override readonly styles = [
    baseStyles,
    css`
      .verdict {
        font-size: var(--text-large);
        font-weight: 600;
      }

      .detail {
        margin-block: var(--unit) calc(var(--unit) * 3);
        overflow-wrap: anywhere;
      }

      .readings {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(116px, 1fr));
        gap: calc(var(--unit) * 3);
        padding-block: calc(var(--unit) * 3);
        border-block-start: 1px solid var(--line);
      }

      .line {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: calc(var(--unit) * 2) calc(var(--unit) * 3);
        padding-block-start: calc(var(--unit) * 3);
        border-block-start: 1px solid var(--line);
      }

      .line p {
        flex: 1 1 200px;
      }

      .line + .line {
        margin-block-start: calc(var(--unit) * 3);
      }
    `,
  ];

  /** What is shown. */
  declare readings: DiskReadings | undefined;

  constructor() {
    super();
    this.readings = undefined;
  }

  override render(): TemplateResult {
    const { readings } = this;
    if (readings === undefined) return html`<mill-panel heading="Disk"></mill-panel>`;
    const { verdict } = readings;
    return html`<mill-panel heading="Disk">
      <mill-lamp class="verdict" .state=${verdict.state}>${verdict.text}</mill-lamp>
      <p class="detail small soft">${verdict.detail}</p>
      ${this.#counts(readings)}
      <div class="line">
        <p class="small soft">${fullReadText(readings)}</p>
        ${
          readings.fullRead.phase === "running"
            ? html`<button type="button" @click=${() => this.#tell("mill-stop-reading")}>Stop</button>`
            : html`<button type="button" @click=${() => this.#tell("mill-read-all")}>
                Read all again
              </button>`
        }
      </div>
      <div class="line">
        <p class="small soft">Deletes every record of this stream and begins with an empty one.</p>
        <button type="button" @click=${() => this.#tell("mill-start-over")}>Start over…</button>
      </div>
    </mill-panel>`;
  }

  #counts({ opening, promised, readBack, storage }: DiskReadings): TemplateResult {
    const used = storage?.usageBytes;
    const usedQuantity = bytesQuantity(used ?? 0);
    const quota = storage?.quotaBytes;
    const wal = bytesQuantity(storage?.walBytes ?? 0);
    return html`<div class="readings">
        <mill-reading
          label="Found at opening"
          .value=${"records" in opening ? formatCount(opening.records) : "–"}
          unit=${opening.phase === "running" ? "records so far" : "records"}
          source="read from TRIM_HORIZON when the engine opened; only what earlier visits wrote"
        ></mill-reading>
        <mill-reading
          label="Read back live"
          .value=${formatCount(readBack)}
          unit="records"
          source="what the live consumer has read of this visit's records; readers see only what is committed"
        ></mill-reading>
        <mill-reading
          label="Storage used"
          .value=${used === undefined ? "–" : usedQuantity.value}
          unit=${used === undefined ? "unknown" : quotaText(usedQuantity.unit, quota)}
          source="the browser's estimate for this site, all of its data together"
        ></mill-reading>
        <mill-reading
          label="Write-ahead log"
          .value=${wal.value}
          .unit=${wal.unit}
          .source=${`the engine's storage report: WAL frames, beside ${formatCount(storage?.segments ?? 0)} sealed segments`}
        ></mill-reading>
      </div>
      ${
        opening.phase === "running"
          ? html`<div class="line">
            <p class="small soft">Counting what earlier visits left in the log…</p>
            <button type="button" @click=${() => this.#tell("mill-stop-opening")}>Stop counting</button>
          </div>`
          : html`<p class="detail small soft">${openingText(opening, promised) || nothing}</p>`
      }`;
  }

  #tell(name: string): void {
    this.dispatchEvent(new CustomEvent(name));
  }
}

function quotaText(unit: string, quota: number | undefined): string {
  if (quota === undefined || quota === 0) return unit;
  return `${unit} of ${formatBytes(quota)}`;
}

function openingText(opening: Recount, promised: number | undefined): string {
  switch (opening.phase) {
    case "done":
      if (opening.records === 0 && promised === undefined) return "The log was empty at opening.";
      if (promised === undefined) return "Earlier visits left these records.";
      return promised > opening.records
        ? `Earlier visits had been told of ${formatCount(promised)} records.`
        : `Earlier visits had been told of ${formatCount(promised)} records: none is missing.`;
    case "stopped":
      return "The count of earlier records was stopped.";
    case "failed":
      return `Earlier records could not be counted. ${opening.error.code}: ${opening.error.message}`;
    default:
      return "";
  }
}

function fullReadText({ fullRead, fullReadExpected }: DiskReadings): string {
  switch (fullRead.phase) {
    case "none":
      return "A fresh read from TRIM_HORIZON counts what the log really holds.";
    case "running":
      return `Reading: ${formatCount(fullRead.records)} of at least ${formatCount(fullReadExpected)} records.`;
    case "stopped":
      return `Stopped after ${formatCount(fullRead.records)} records.`;
    case "failed":
      return `${fullRead.error.code}: ${fullRead.error.message}`;
    case "done":
      return (
        `At ${formatClockTime(fullRead.finishedMs)}: ${formatCount(fullRead.records)} records read, ` +
        `${formatCount(fullReadExpected)} had been acknowledged when the read began.`
      );
  }
}

customElements.define("mill-disk-panel", MillDiskPanel);

declare global {
  interface HTMLElementTagNameMap {
    "mill-disk-panel": MillDiskPanel;
  }
}
