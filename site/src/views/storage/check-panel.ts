/** Reads and verifies all that the store holds, on a person's word. */
import { html, LitElement, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import type { CheckReport, Millrace } from "millrace";
import { ActionController } from "../../controllers/action-controller.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { stackStyles } from "../../kit/layout-styles.ts";
import { bytesQuantity, formatCount, formatNumberOf } from "../../live/format.ts";
import { lossText } from "../../storage/words.ts";
import "../../kit/lamp.ts";
import "../../kit/notice.ts";
import "../../kit/panel.ts";
import "../../kit/reading.ts";

const SOURCE = "the last check: counted while it was verified";

/** A button and the report. */
export class MillCheckPanel extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { millrace: { attribute: false }, report: { state: true } };
  }

  static override readonly styles = [baseStyles, stackStyles];

  /** The open engine. */
  declare millrace: Millrace | undefined;
  declare report: CheckReport | undefined;

  readonly #action = new ActionController(this);

  constructor() {
    super();
    this.millrace = undefined;
    this.report = undefined;
  }

  override render(): TemplateResult {
    const { busy, error, answer } = this.#action;
    return html`<mill-panel heading="Check">
      <div class="stack">
        <p class="soft">
          Reads every frame and segment of the store and verifies its checksums. Nothing is written,
          and records go on flowing.
        </p>
        ${this.report === undefined ? nothing : result(this.report)}
        ${
          error === undefined
            ? nothing
            : html`<mill-notice
                heading="The store could not be checked"
                .message=${error.message}
                .code=${error.code}
                .advice=${error.advice}
              ></mill-notice>`
        }
        <div class="line">
          <p class="small" role="status">${busy ? "Reading and verifying…" : answer}</p>
          <button type="button" id="check" ?disabled=${busy} @click=${this.#check}>
            Check the store
          </button>
        </div>
      </div>
    </mill-panel>`;
  }

  async #check(): Promise<void> {
    const { millrace } = this;
    if (millrace === undefined) return;
    await this.#action.run(async () => {
      this.report = await millrace.check();
      const { damage } = this.report;
      return damage.length === 0
        ? "Everything is whole."
        : `${formatNumberOf(damage.length, "place")} of the store damaged.`;
    });
  }
}

function result(report: CheckReport): TemplateResult {
  const { walFrames, walBytes, segments, segmentBytes, records, damage } = report;
  const wal = bytesQuantity(walBytes);
  const sealed = bytesQuantity(segmentBytes);
  return html`<div class="readings">
      <mill-reading
        label="Records"
        .value=${formatCount(records)}
        unit="read"
        .source=${SOURCE}
      ></mill-reading>
      <mill-reading
        label="Write-ahead log"
        .value=${wal.value}
        .unit=${`${wal.unit} in ${formatNumberOf(walFrames, "frame")}`}
        .source=${SOURCE}
      ></mill-reading>
      <mill-reading
        label="Segments"
        .value=${sealed.value}
        .unit=${`${sealed.unit} in ${formatCount(segments)}`}
        .source=${SOURCE}
      ></mill-reading>
    </div>
    ${
      damage.length === 0
        ? html`<p><mill-lamp state="good">No damage</mill-lamp></p>`
        : html`<ul class="stack">
            ${damage.map(
              (loss) => html`<li><mill-lamp state="hot">${lossText(loss)}</mill-lamp></li>`,
            )}
          </ul>`
    }`;
}

customElements.define("mill-check-panel", MillCheckPanel);

declare global {
  interface HTMLElementTagNameMap {
    "mill-check-panel": MillCheckPanel;
  }
}
