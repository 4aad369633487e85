/** What the log is made of: write-ahead log, segments, memory, and the identity of this life of it. */
import { html, LitElement, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import type { StorageReport } from "millrace";
import { baseStyles } from "../../kit/base-styles.ts";
import { stackStyles } from "../../kit/layout-styles.ts";
import { bytesQuantity, formatCount, formatNumberOf } from "../../live/format.ts";
import { shortId } from "../../storage/words.ts";
import "../../kit/lamp.ts";
import "../../kit/panel.ts";
import "../../kit/reading.ts";

const SOURCE = "the engine's storage report";

/** Readings of the log. */
export class MillLogPanel extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { storage: { attribute: false } };
  }

  static override readonly styles = [baseStyles, stackStyles];

  /** The engine's report. */
  declare storage: StorageReport | undefined;

  constructor() {
    super();
    this.storage = undefined;
  }

  override render(): TemplateResult {
    const { storage } = this;
    if (storage === undefined) return html`<mill-panel heading="Log"></mill-panel>`;
    return html`<mill-panel heading="Log">
      <div class="stack">
        <div class="readings">
          ${bytes("Write-ahead log", storage.walBytes, `in ${formatNumberOf(storage.walFrames, "frame")}`)}
          ${count("Segments", storage.segments, "sealed")}
          ${count("Commits", storage.commits, "since it opened")}
          ${bytes("Waiting for a commit", storage.unacknowledgedBytes)}
          ${bytes("In memory, not sealed", storage.dirtyBytes)}
          ${bytes("In memory, cached", storage.cachedBytes)}
          ${bytes("Memory of the core", storage.coreMemoryBytes)}
          ${text("Life of the log", shortId(storage.incarnation), "incarnation")}
        </div>
        <div class="line">
          <p>
            ${
              storage.witnessed
                ? html`<mill-lamp state="good">
                    A witness outside the store notices a log that came back empty or older
                  </mill-lamp>`
                : html`<mill-lamp state="warn">
                    No witness here: a log that came back empty would look like a new one
                  </mill-lamp>`
            }
          </p>
        </div>
        ${trouble("Segments stay behind", storage.sealFailure)}
        ${trouble("Retention is paused", storage.retentionPausedBecause)}
        ${trouble("The call trail is not written", storage.trailFailure)}
      </div>
    </mill-panel>`;
  }
}

function text(label: string, value: string, unit: string): TemplateResult {
  return html`<mill-reading
    label=${label}
    .value=${value}
    .unit=${unit}
    .source=${SOURCE}
  ></mill-reading>`;
}

function bytes(label: string, byteLength: number, more = ""): TemplateResult {
  const { value, unit } = bytesQuantity(byteLength);
  return text(label, value, `${unit} ${more}`);
}

function count(label: string, value: number, unit: string): TemplateResult {
  return text(label, formatCount(value), unit);
}

function trouble(what: string, why: string | undefined): TemplateResult | typeof nothing {
  if (why === undefined) return nothing;
  return html`<p><mill-lamp state="warn">${what}: ${why}</mill-lamp></p>`;
}

customElements.define("mill-log-panel", MillLogPanel);

declare global {
  interface HTMLElementTagNameMap {
    "mill-log-panel": MillLogPanel;
  }
}
