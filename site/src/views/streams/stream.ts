/** One stream: what it is at a glance, its two views, and what can be done with it. */
import {
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type PropertyValues,
  type TemplateResult,
} from "lit";
import type { Millrace, Stream } from "millrace";
import { BeatController } from "../../controllers/beat-controller.ts";
import { PollController } from "../../controllers/poll-controller.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { formatBytes, formatCount, formatNumberOf, formatRate } from "../../live/format.ts";
import {
  type RecordsAddress,
  recordsOf,
  type ShardsAddress,
  searchOfAddress,
} from "../../places/address.ts";
import { formatMoment } from "../../records/times.ts";
import { retentionText, StreamMeter, type StreamReading } from "../../streams/readings.ts";
import { codeButton, errorNotice, pauseButton } from "../page-actions.ts";
import { showCode } from "./act-events.ts";
import { placeStyles } from "./place-styles.ts";
import { streamStyles } from "./stream-styles.ts";
import { statusLamp } from "./stream-table.ts";
import "../../kit/lamp.ts";
import "../../kit/reading.ts";
import "./records.ts";
import "./ring-emblem.ts";
import "./shards.ts";

const READING_MS = 1000;
const SUMMARY_MS = 5000;

/** Fires `mill-delete` with the stream's name. */
export class MillStream extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      millrace: { attribute: false },
      address: { attribute: false },
      summary: { state: true },
    };
  }

  static override readonly styles = [baseStyles, placeStyles, streamStyles];

  /** The open engine. */
  declare millrace: Millrace | undefined;
  /** Which stream and which of its views is shown. */
  declare address: ShardsAddress | RecordsAddress | undefined;
  declare summary: string;

  #meter = new StreamMeter();
  #stream: Stream | undefined;
  readonly #poll = new PollController(this, READING_MS, async () => {
    const name = this.address?.stream;
    if (this.millrace === undefined || name === undefined) return undefined;
    const stream = await this.millrace.streams.get(name);
    // One handle for as long as it is the same stream, so that a reading of records is not begun anew.
    if (this.#stream?.description.uid !== stream.description.uid) this.#stream = stream;
    return await this.#meter.read(this.#stream ?? stream);
  });

  constructor() {
    super();
    this.millrace = undefined;
    this.address = undefined;
    this.summary = "";
    new BeatController(this, SUMMARY_MS, () => this.#summarise());
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get("address");
    const other = changed.has("address") && before?.stream !== this.address?.stream;
    if (!changed.has("millrace") && !other) return;
    this.#stream = undefined;
    this.#meter = new StreamMeter();
    this.#poll.restart();
  }

  override render(): TemplateResult | typeof nothing {
    const { address } = this;
    if (address === undefined) return nothing;
    return html`<div class="page" @mill-changed=${() => this.#poll.refresh()}>
      ${this.#header(address)} ${this.#error()} ${this.#facts()} ${this.#tabs(address)}
      ${this.#view(address)}
      <div class="visually-hidden" role="status">${this.summary}</div>
    </div>`;
  }

  #header({ stream }: ShardsAddress | RecordsAddress): TemplateResult {
    const shards = this.#poll.value?.description.openShards ?? [];
    const list = searchOfAddress({ place: "streams", view: "list" });
    return html`<header class="head">
      <div>
        <p class="small"><a href="./${list}">Streams</a></p>
        <h1><mill-ring-emblem .shards=${shards}></mill-ring-emblem>${stream}</h1>
      </div>
      <div class="actions">
        ${pauseButton({
          paused: this.#poll.paused,
          onToggle: () => this.#poll.togglePause(),
          what: "the meters",
        })}
        ${codeButton(() => this.#showCode())}
        <button
          type="button"
          class="danger"
          @click=${() => this.dispatchEvent(new CustomEvent("mill-delete", { detail: stream }))}
        >
          Delete
        </button>
      </div>
    </header>`;
  }

  #error(): TemplateResult | typeof nothing {
    return errorNotice(
      "The stream cannot be read",
      this.#poll.error,
      html`<button type="button" @click=${() => this.#poll.refresh()}>Try again</button>`,
    );
  }

  #facts(): TemplateResult | typeof nothing {
    const reading = this.#poll.value;
    if (reading === undefined) return nothing;
    const { status, mode, openShards, closedShards, retentionHours, createdMs, recordKibMax } =
      reading.description;
    const facts: [string, TemplateResult | string, string][] = [
      ["Status", html`<mill-lamp .state=${statusLamp(status)}>${status}</mill-lamp>`, ""],
      ["Mode", mode, ""],
      ["Open shards", formatCount(openShards.length), ""],
      ["Closed shards", formatCount(closedShards.length), "Readable until retention drops them"],
      ["Retention", retentionText(retentionHours), `${retentionHours} hours`],
      ["In", `${formatRate(recordsPerSecond(reading))} records/s`, "Between the last two readings"],
      ["Largest record", formatBytes(recordKibMax * 1024), "Key and data together"],
      ["Created", formatMoment(createdMs).slice(0, 19), ""],
    ];
    return html`<dl class="facts">
      ${facts.map(
        ([term, value, title]) =>
          html`<div title=${title}>
            <dt>${term}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>`;
  }

  #tabs({ stream, view }: ShardsAddress | RecordsAddress): TemplateResult {
    const shards: ShardsAddress = {
      ...{ place: "streams", view: "shards", stream, shardIndex: undefined },
    };
    const tab = (target: ShardsAddress | RecordsAddress, text: string): TemplateResult =>
      html`<a
        href="./${searchOfAddress(target)}"
        aria-current=${target.view === view ? "page" : "false"}
        >${text}</a
      >`;
    return html`<nav class="tabs" aria-label="Views of the stream">
      ${tab(shards, "Shards")} ${tab(recordsOf(stream), "Records")}
    </nav>`;
  }

  #view(address: ShardsAddress | RecordsAddress): TemplateResult | typeof nothing {
    const reading = this.#poll.value;
    if (reading === undefined) {
      return this.#poll.error === undefined ? html`<p>Reading the stream…</p>` : nothing;
    }
    if (address.view === "shards") {
      return html`<mill-shards
        .stream=${this.#stream}
        .reading=${reading}
        .address=${address}
      ></mill-shards>`;
    }
    return html`<mill-records
      .stream=${this.#stream}
      .description=${reading.description}
      .address=${address}
    ></mill-records>`;
  }

  #showCode(): void {
    const { address } = this;
    if (address === undefined) return;
    const { stream } = address;
    this.dispatchEvent(
      showCode(
        address.view === "shards" ? { kind: "shards", stream } : { kind: "records", view: address },
      ),
    );
  }

  #summarise(): void {
    const reading = this.#poll.value;
    if (reading === undefined || this.#poll.paused) return;
    const { status, openShards } = reading.description;
    this.summary = `${status}, ${formatNumberOf(openShards.length, "open shard")}, ${formatRate(recordsPerSecond(reading))} records per second in.`;
  }
}

function recordsPerSecond({ rates }: StreamReading): number {
  return rates.reduce((sum, rate) => sum + rate.incomingRecordsPerSecond, 0);
}

customElements.define("mill-stream", MillStream);

declare global {
  interface HTMLElementTagNameMap {
    "mill-stream": MillStream;
  }
}
