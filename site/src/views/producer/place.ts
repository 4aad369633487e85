/** The Producer place: records made from templates, put with aggregation or without. */
import {
  css,
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type PropertyValues,
  type TemplateResult,
} from "lit";
import { BeatController } from "../../controllers/beat-controller.ts";
import type { OpenEngine } from "../../controllers/engine-controller.ts";
import { MediaController } from "../../controllers/media-controller.ts";
import { goTo } from "../../controllers/navigation-controller.ts";
import { PollController } from "../../controllers/poll-controller.ts";
import { baseStyles, preStyles } from "../../kit/base-styles.ts";
import { codeDrawer } from "../../kit/code-drawer.ts";
import { frameStyles, pairStyles, stackStyles } from "../../kit/layout-styles.ts";
import { formatCount, formatRate } from "../../live/format.ts";
import { type ProducerAddress, producerOf } from "../../places/address.ts";
import { contextOf, Playground } from "../../producer/playground.ts";
import { producerSamples } from "../../producer/samples.ts";
import {
  addressWith,
  isBlank,
  type PlaygroundSettings,
  type SettingsChange,
  settingsOf,
} from "../../producer/settings.ts";
import { fillIn } from "../../producer/template.ts";
import { type EdgeReading, edgeStrip, readEdge } from "../edge.ts";
import {
  codeButton,
  errorNotice,
  placeHeader,
  reopenNotice,
  startButton,
} from "../page-actions.ts";
import { placeStyles } from "../streams/place-styles.ts";
import "../../kit/panel.ts";
import "../../kit/reading.ts";
import "./template-form.ts";
import "./totals-table.ts";

const READING_MS = 1000;
const BEAT_MS = 250;
const SUMMARY_MS = 5000;
const SOURCE = "from producer.metrics(), over the last 4 seconds";

interface Example {
  readonly partitionKey: string;
  readonly data: string;
}

/** One reading of the engine. */
interface Reading extends EdgeReading {
  readonly streamNames: readonly string[];
}

/** Fires `mill-reopen`. */
export class MillProducer extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      engine: { attribute: false },
      address: { attribute: false },
      summary: { state: true },
    };
  }

  static override readonly styles = [
    baseStyles,
    placeStyles,
    frameStyles,
    stackStyles,
    pairStyles,
    preStyles,
    css`
      pre {
        max-block-size: 300px;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
    `,
  ];

  /** The open engine. */
  declare engine: OpenEngine | undefined;
  /** What the producer is set to. */
  declare address: ProducerAddress;
  declare summary: string;

  readonly #media = new MediaController(this);
  readonly #poll = new PollController<Reading | undefined>(this, READING_MS, async () => {
    const millrace = this.engine?.millrace;
    if (millrace === undefined) return undefined;
    const [edge, streams] = await Promise.all([readEdge(millrace), millrace.streams.list()]);
    return { ...edge, streamNames: streams.map(({ name }) => name) };
  });

  #settings = settingsOf(producerOf());
  /** Made when a template changes, so that it stands still to be read. */
  #example: Example | undefined;

  constructor() {
    super();
    this.engine = undefined;
    this.address = producerOf();
    this.summary = "";
    new BeatController(this, BEAT_MS, () => undefined);
    new BeatController(this, SUMMARY_MS, () => this.#summarise());
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const playground = this.#playground;
    if (changed.has("engine")) this.#poll.restart();
    if (playground === undefined) return;
    // The rail's link says nothing: the playground is then as it was left.
    const left = playground.address;
    if (changed.has("address") && isBlank(this.address) && left !== undefined && !isBlank(left)) {
      this.address = left;
      void this.updateComplete.then(() => this.dispatchEvent(goTo(left, { replace: true })));
    }
    if (!changed.has("address") && !changed.has("engine")) return;
    this.#settings = settingsOf(this.address);
    this.#example = exampleOf(this.#settings);
    playground.address = this.address;
    playground.set(this.#settings);
  }

  get #playground(): Playground | undefined {
    return this.engine === undefined ? undefined : Playground.of(this.engine.millrace);
  }

  override render(): TemplateResult {
    const reading = this.#poll.value;
    const playground = this.#playground;
    const settings = this.#settings;
    return html`<div class="page">
        ${this.#header(playground)}
        ${reopenNotice("The streams cannot be read", this.#poll.error, () => this.dispatchEvent(new CustomEvent("mill-reopen")))}
        ${errorNotice("The producer stopped", playground?.error)}
        ${errorNotice("Some records were not stored", playground?.lastFailure)}
        <div class="pair">
          <mill-template-form
            .settings=${settings}
            .streamNames=${reading?.streamNames ?? []}
            @mill-settings=${this.#take}
          ></mill-template-form>
          <div class="stack">
            ${playground === undefined ? nothing : this.#readings(playground)} ${exampleView(this.#example)}
          </div>
        </div>
        <mill-panel heading="What was put in this visit">
          <mill-totals-table
            .aggregated=${playground?.totals.aggregated}
            .single=${playground?.totals.single}
          ></mill-totals-table>
        </mill-panel>
        <div class="visually-hidden" role="status">${this.summary}</div>
      </div>
      ${edgeStrip(reading, this.#media.online)}
      ${codeDrawer(producerSamples(settings))}`;
  }

  #header(playground: Playground | undefined): TemplateResult {
    const running = playground?.running === true;
    const about =
      "Makes records from templates and puts them: one by one, or many in one record as the KPL does.";
    return placeHeader("Producer", about, [
      startButton({ running, onToggle: () => this.#toggle(playground) }),
      codeButton(() => this.renderRoot.querySelector("mill-drawer")?.show()),
    ]);
  }

  #readings(playground: Playground): TemplateResult {
    const { user, stored } = playground.rates(performance.now());
    const shown = (label: string, value: string, unit: string, source: string): TemplateResult =>
      html`<mill-reading
        label=${label}
        .value=${value}
        .unit=${unit}
        .source=${source}
      ></mill-reading>`;
    return html`<mill-panel heading="Now">
      <div class="stack">
        <div class="readings">
          ${shown("User records", formatRate(user), "stored per second", SOURCE)}
          ${shown("Stream's records", formatRate(stored), "stored per second", SOURCE)}
          ${shown("Waiting", formatCount(playground.outstanding), "user records", "from producer.outstandingRecords")}
          ${shown("Made", formatCount(playground.made), "records", "counted by this page")}
        </div>
        ${
          playground.heldBack
            ? html`<p>Held back: more records wait than the shards take. Lower the rate or aggregate.</p>`
            : nothing
        }
      </div>
    </mill-panel>`;
  }

  #take({ detail }: CustomEvent<SettingsChange>): void {
    const address = addressWith(this.address, detail);
    this.address = address;
    const playground = this.#playground;
    if (playground !== undefined) playground.address = address;
    this.dispatchEvent(goTo(address, { replace: true }));
  }

  async #toggle(playground: Playground | undefined): Promise<void> {
    if (playground === undefined) return;
    await (playground.running ? playground.stop() : playground.start());
    this.requestUpdate();
    await this.#poll.refresh();
  }

  #summarise(): void {
    const playground = this.#playground;
    if (playground?.running !== true) return;
    const { user, stored } = playground.rates(performance.now());
    this.summary =
      `${formatRate(user)} user records per second in ${formatRate(stored)} records of the ` +
      `stream, ${formatCount(playground.outstanding)} waiting.`;
  }
}

/** A record as the templates make it; undefined while they do not read. */
function exampleOf({ key, data }: PlaygroundSettings): Example | undefined {
  if (key.template === undefined || data.template === undefined) return undefined;
  const context = contextOf(0);
  return {
    partitionKey: fillIn(key.template, context),
    data: fillIn(data.template, context),
  };
}

function exampleView(example: Example | undefined): TemplateResult | typeof nothing {
  if (example === undefined) return nothing;
  const { partitionKey, data: text } = example;
  const bytes = new TextEncoder().encode(text).byteLength;
  return html`<mill-panel heading="A record as an example">
    <div class="stack">
      <p>Partition key <code class="mono">${partitionKey}</code></p>
      <pre tabindex="0" role="region" aria-label="Data">${text}</pre>
      <p class="small soft">${formatCount(bytes)} bytes of data${isJson(text) ? ", JSON" : ", no JSON"}</p>
    </div>
  </mill-panel>`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

customElements.define("mill-producer", MillProducer);

declare global {
  interface HTMLElementTagNameMap {
    "mill-producer": MillProducer;
  }
}
