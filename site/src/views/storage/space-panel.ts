/** How much space is used of how much, and whether the browser may take it back. */
import { html, LitElement, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import type { StorageReport } from "millrace";
import { baseStyles } from "../../kit/base-styles.ts";
import { stackStyles } from "../../kit/layout-styles.ts";
import { formatBytes, formatShare } from "../../live/format.ts";
import "../../kit/gauge.ts";
import "../../kit/lamp.ts";
import "../../kit/panel.ts";
import "../../kit/reading.ts";

/** Fires `mill-persist`. */
export class MillSpacePanel extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      storage: { attribute: false },
      busy: { type: Boolean },
      answer: { type: String },
    };
  }

  static override readonly styles = [baseStyles, stackStyles];

  /** The engine's report. */
  declare storage: StorageReport | undefined;
  /** Whether the browser is being asked. */
  declare busy: boolean;
  /** What the browser answered last. */
  declare answer: string;

  constructor() {
    super();
    this.storage = undefined;
    this.busy = false;
    this.answer = "";
  }

  override render(): TemplateResult {
    const { storage } = this;
    if (storage === undefined) return html`<mill-panel heading="Space"></mill-panel>`;
    return html`<mill-panel heading="Space">
      <div class="stack">
        ${this.#quota(storage)} ${this.#budget(storage)}
        ${
          storage.full
            ? html`<mill-lamp state="hot">
                The store is full: new records are refused until there is room, reads go on
              </mill-lamp>`
            : nothing
        }
        <div class="line">
          <p>
            ${
              storage.persistent
                ? html`<mill-lamp state="good">Kept until you delete it</mill-lamp>`
                : html`<mill-lamp state="warn">
                    The browser may evict this site's data when the device is short of space
                  </mill-lamp>`
            }
          </p>
          ${
            storage.persistent
              ? nothing
              : html`<button
                  type="button"
                  id="persist"
                  ?disabled=${this.busy}
                  @click=${() => this.dispatchEvent(new CustomEvent("mill-persist"))}
                >
                  Ask to keep it
                </button>`
          }
        </div>
        <p class="small" role="status">${this.answer}</p>
      </div>
    </mill-panel>`;
  }

  #quota({ usageBytes, quotaBytes }: StorageReport): TemplateResult {
    const source = "the browser's estimate for this site, all of its data together";
    if (usageBytes === undefined || quotaBytes === undefined || quotaBytes === 0) {
      return html`<p class="soft">The browser does not say how much space this site has.</p>`;
    }
    const share = usageBytes / quotaBytes;
    return html`<mill-gauge
      label="Quota of this site"
      .share=${share}
      .text=${`${formatBytes(usageBytes)} of ${formatBytes(quotaBytes)}, ${formatShare(share)}`}
      .source=${source}
    ></mill-gauge>`;
  }

  #budget({ storedBytes, budgetBytes }: StorageReport): TemplateResult {
    const source = "the engine's storage report: WAL frames and segments that it keeps";
    if (budgetBytes === undefined) {
      return html`<mill-reading
        label="Kept by this engine"
        .value=${formatBytes(storedBytes)}
        unit="no budget of its own"
        .source=${source}
      ></mill-reading>`;
    }
    return html`<mill-gauge
      label="Budget of this engine"
      .share=${storedBytes / budgetBytes}
      .text=${`${formatBytes(storedBytes)} of ${formatBytes(budgetBytes)}`}
      .source=${source}
    ></mill-gauge>`;
  }
}

customElements.define("mill-space-panel", MillSpacePanel);

declare global {
  interface HTMLElementTagNameMap {
    "mill-space-panel": MillSpacePanel;
  }
}
