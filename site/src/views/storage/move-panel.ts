/** The log as one file: written to a download, or read from one into an engine of a new name. */
import {
  css,
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type TemplateResult,
} from "lit";
import { importLog, type Millrace } from "millrace";
import { ActionController } from "../../controllers/action-controller.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { formStyles } from "../../kit/form-styles.ts";
import { stackStyles } from "../../kit/layout-styles.ts";
import { formatBytes, formatNumberOf } from "../../live/format.ts";
import { collect, offerDownload } from "../../storage/download.ts";
import "../../kit/notice.ts";
import "../../kit/panel.ts";

/** Two small forms. */
export class MillMovePanel extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      millrace: { attribute: false },
      exportedBytes: { state: true },
      name: { state: true },
      file: { state: true },
    };
  }

  static override readonly styles = [
    baseStyles,
    formStyles,
    stackStyles,
    css`
      input[type="file"] {
        padding-block: calc(var(--unit) * 1.5);
      }
    `,
  ];

  /** The open engine. */
  declare millrace: Millrace | undefined;
  /** Bytes exported so far; undefined while nothing is exported. */
  declare exportedBytes: number | undefined;
  /** Name of the engine that is imported into. */
  declare name: string;
  declare file: File | undefined;

  readonly #export = new ActionController(this);
  readonly #import = new ActionController(this);
  #stopping = new AbortController();

  constructor() {
    super();
    this.millrace = undefined;
    this.exportedBytes = undefined;
    this.name = "";
    this.file = undefined;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopping.abort();
  }

  override render(): TemplateResult {
    return html`<mill-panel heading="Export and import">
      <div class="stack">
        <p class="soft">
          The whole log as one file. Records of encrypted streams stay encrypted in it, and the keys
          stay here.
        </p>
        <div class="line">
          <p class="small" role="status">
            ${
              this.exportedBytes === undefined
                ? this.#export.answer
                : `${formatBytes(this.exportedBytes)} so far…`
            }
          </p>
          ${
            this.#export.busy
              ? html`<button type="button" @click=${() => this.#stopping.abort()}>Stop</button>`
              : html`<button type="button" id="export" @click=${this.#save}>Export</button>`
          }
        </div>
        ${notice("The log was not exported", this.#export)}
        <form class="line" novalidate @submit=${this.#load}>
          <label>
            File to import
            <input type="file" name="file" accept=".millrace" @change=${this.#pick} />
          </label>
          <div class="side">
            <label>
              Into a new engine named
              <input
                type="text"
                class="mono"
                name="name"
                autocomplete="off"
                spellcheck="false"
                .value=${this.name}
                @input=${this.#type}
              />
            </label>
            <button
              type="submit"
              ?disabled=${this.#import.busy || this.file === undefined || this.name === ""}
            >
              Import
            </button>
          </div>
          <p class="small" role="status">
            ${this.#import.busy ? "Writing and verifying…" : this.#import.answer}
          </p>
        </form>
        ${notice("The file was not imported", this.#import)}
      </div>
    </mill-panel>`;
  }

  async #save(): Promise<void> {
    const { millrace } = this;
    if (millrace === undefined) return;
    this.#stopping = new AbortController();
    const { signal } = this.#stopping;
    this.exportedBytes = 0;
    await this.#export.run(async () => {
      const file = await collect(millrace.export(), signal, (bytes) => {
        this.exportedBytes = bytes;
      });
      if (file === undefined) return "Stopped: nothing was saved.";
      offerDownload(file, `${millrace.name}.millrace`);
      return `${formatBytes(file.size)} handed to the browser as ${millrace.name}.millrace.`;
    });
    this.exportedBytes = undefined;
  }

  #pick({ target }: Event): void {
    if (target instanceof HTMLInputElement) this.file = target.files?.[0];
  }

  #type({ target }: Event): void {
    if (target instanceof HTMLInputElement) this.name = target.value;
  }

  #load(event: Event): void {
    event.preventDefault();
    const { file, name } = this;
    if (file === undefined || name === "") return;
    void this.#import.run(async () => {
      const { frames, segments } = await importLog(name, file);
      const parts = `${formatNumberOf(frames, "frame")} and ${formatNumberOf(segments, "segment")}`;
      return `Imported ${parts}: open it with open({ name: "${name}" }).`;
    });
  }
}

function notice(heading: string, { error }: ActionController): TemplateResult | typeof nothing {
  if (error === undefined) return nothing;
  return html`<mill-notice
    .heading=${heading}
    .message=${error.message}
    .code=${error.code}
    .advice=${error.advice}
  ></mill-notice>`;
}

customElements.define("mill-move-panel", MillMovePanel);

declare global {
  interface HTMLElementTagNameMap {
    "mill-move-panel": MillMovePanel;
  }
}
