/** The Streams place: the list of streams, or one stream with its shards or records. */
import {
  css,
  html,
  LitElement,
  type nothing,
  type PropertyDeclarations,
  type PropertyValues,
  type TemplateResult,
} from "lit";
import { ActionController } from "../../controllers/action-controller.ts";
import type { OpenEngine } from "../../controllers/engine-controller.ts";
import { MediaController } from "../../controllers/media-controller.ts";
import { goTo } from "../../controllers/navigation-controller.ts";
import { PollController } from "../../controllers/poll-controller.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { frameStyles } from "../../kit/layout-styles.ts";
import type { ShownError } from "../../live/advice.ts";
import type { Address } from "../../places/address.ts";
import { StreamsMeter } from "../../streams/readings.ts";
import type { Act } from "../../streams/samples.ts";
import { edgeStrip, readEdge } from "../edge.ts";
import { reopenNotice } from "../page-actions.ts";
import "../start-over.ts";
import "./act-code.ts";
import "./stream-list.ts";
import "./stream.ts";

const READING_MS = 1000;

const LIST: Address = { place: "streams", view: "list" };

/** Fires `mill-start-over` instead of deleting the stream of the Live place itself. */
export class MillStreams extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      engine: { attribute: false },
      address: { attribute: false },
      doomed: { state: true },
    };
  }

  static override readonly styles = [
    baseStyles,
    frameStyles,
    css`
      .view {
        flex: 1;
      }

      mill-notice {
        margin: calc(var(--unit) * 5) calc(var(--unit) * 6);
      }

      @media (max-width: 700px) {
        mill-notice {
          margin: calc(var(--unit) * 3);
        }
      }
    `,
  ];

  /** The open engine. */
  declare engine: OpenEngine | undefined;
  /** Which of the views is shown, and how. */
  declare address: Address;
  /** Name of the stream that is about to be deleted. */
  declare doomed: string;

  readonly #media = new MediaController(this);
  readonly #action = new ActionController(this);
  #meter = new StreamsMeter();
  readonly #streams = new PollController(this, READING_MS, async () => {
    const { engine } = this;
    if (engine === undefined) return undefined;
    const edge = await readEdge(engine.millrace);
    return { ...edge, streams: await this.#meter.read(engine.millrace) };
  });

  constructor() {
    super();
    this.engine = undefined;
    this.address = LIST;
    this.doomed = "";
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("engine")) return;
    this.#meter = new StreamsMeter();
    this.#streams.restart();
  }

  override render(): TemplateResult {
    const reading = this.#streams.value;
    return html`<div
        class="view"
        @mill-show-code=${this.#showCode}
        @mill-changed=${() => this.#streams.refresh()}
      >
        ${this.#notice("The streams cannot be read", this.#streams.error)}
        ${this.#notice("The stream was not deleted", this.#action.error)} ${this.#view()}
      </div>
      ${edgeStrip(reading, this.#media.online)}
      <mill-act-code></mill-act-code>
      <mill-start-over
        .heading=${"Delete a stream"}
        .action=${"Delete the stream"}
        .streamName=${this.doomed}
        .loss=${this.#loss()}
        @mill-confirmed=${this.#delete}
      ></mill-start-over>`;
  }

  #view(): TemplateResult {
    const { engine, address } = this;
    const reading = this.#streams.value;
    if (address.place === "streams" && address.view !== "list") {
      return html`<mill-stream
        .millrace=${engine?.millrace}
        .address=${address}
        @mill-delete=${this.#askToDelete}
      ></mill-stream>`;
    }
    return html`<mill-stream-list
      .millrace=${engine?.millrace}
      .streams=${reading?.streams}
      .paused=${this.#streams.paused}
      @mill-pause=${() => this.#streams.togglePause()}
      @mill-delete=${this.#askToDelete}
    ></mill-stream-list>`;
  }

  #notice(heading: string, error: ShownError | undefined): TemplateResult | typeof nothing {
    return reopenNotice(heading, error, () => this.dispatchEvent(new CustomEvent("mill-reopen")));
  }

  #loss(): string {
    const { doomed } = this;
    const again =
      doomed === this.engine?.stream.name ? " The Live place begins again with an empty one." : "";
    return `The stream ${doomed} and all its records will be deleted from this device. There is no other copy.${again}`;
  }

  #showCode(event: CustomEvent<Act>): void {
    this.renderRoot.querySelector("mill-act-code")?.show(event.detail);
  }

  #askToDelete(event: CustomEvent<string>): void {
    this.doomed = event.detail;
    this.renderRoot.querySelector("mill-start-over")?.show();
  }

  async #delete(): Promise<void> {
    const { engine, doomed } = this;
    if (engine === undefined) return;
    if (doomed === engine.stream.name) {
      this.dispatchEvent(new CustomEvent("mill-start-over"));
    } else {
      await this.#action.run(async () => {
        await engine.millrace.streams.delete(doomed);
        return `${doomed} was deleted.`;
      });
      if (this.#action.error !== undefined) return;
    }
    this.dispatchEvent(goTo(LIST));
    await this.#streams.refresh();
  }
}

customElements.define("mill-streams", MillStreams);

declare global {
  interface HTMLElementTagNameMap {
    "mill-streams": MillStreams;
  }
}
