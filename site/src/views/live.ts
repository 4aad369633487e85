/** Live: the access log through the engine, from the producer over the ring to the consumer. */
import {
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type PropertyValues,
  type TemplateResult,
} from "lit";
import { BeatController } from "../controllers/beat-controller.ts";
import { ConsumerController } from "../controllers/consumer-controller.ts";
import type { OpenEngine } from "../controllers/engine-controller.ts";
import { LedgerController } from "../controllers/ledger-controller.ts";
import { MediaController } from "../controllers/media-controller.ts";
import { MeterController } from "../controllers/meter-controller.ts";
import { ProducerController } from "../controllers/producer-controller.ts";
import { baseStyles } from "../kit/base-styles.ts";
import { frameStyles } from "../kit/layout-styles.ts";
import { AccessLogSource } from "../live/access-log-source.ts";
import { describeError, type ShownError } from "../live/advice.ts";
import { formatCount, formatNumberOf, formatRate } from "../live/format.ts";
import { type LiveSettings, searchOf, settingsOf } from "../live/settings.ts";
import type { StatusColumns, StatusTotal } from "../live/status-history.ts";
import { weigh } from "../live/verdict.ts";
import type { DiskReadings } from "./disk-panel.ts";
import { edgeStrip } from "./edge.ts";
import { liveStyles } from "./live-styles.ts";
import { codeButton, pauseButton, reopenNotice } from "./page-actions.ts";
import type { ProducerReadings } from "./producer-panel.ts";
import type { MillRing } from "./ring.ts";
import "../kit/panel.ts";
import "./code-drawer.ts";
import "./disk-panel.ts";
import "./producer-panel.ts";
import "./ring.ts";
import "./shard-inspector.ts";
import "./shard-table.ts";
import "./start-over.ts";
import "./status-panel.ts";

/** Pause between two drawings of the numbers, in ms. */
const BEAT_MS = 250;

/** Pause between two summaries for screen readers, in ms. */
const SUMMARY_MS = 5000;

/** Share of the storage quota at which the producer stops by itself. */
const FULL_SHARE = 0.9;

/** Fires `mill-reopen` and `mill-start-over` when the engine has to be opened anew or emptied. */
export class MillLive extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      engine: { attribute: false },
      active: { type: Boolean },
      settings: { state: true },
      paused: { state: true },
      summary: { state: true },
      sourceError: { state: true },
    };
  }

  static override readonly styles = [baseStyles, frameStyles, liveStyles];

  /** The open engine. */
  declare engine: OpenEngine | undefined;
  /** Whether this is the place that is shown; records flow either way. */
  declare active: boolean;
  declare settings: LiveSettings;
  declare paused: boolean;
  declare summary: string;
  declare sourceError: ShownError | undefined;

  readonly #source = new AccessLogSource();
  readonly #media = new MediaController(this);
  readonly #producer = new ProducerController(this, {
    source: this.#source,
    settings: () => ({ ...this.settings, paused: this.#idleBecause() !== "" }),
    onLandings: (landings, weight) => this.#ring?.land(landings, weight),
  });
  readonly #consumer = new ConsumerController(this);
  readonly #ledger = new LedgerController(this, () => this.#producer.acknowledged);
  readonly #meter = new MeterController(this, () => this.#producer.acknowledged);
  #loading: AbortController | undefined;
  #totals: readonly StatusTotal[] = [];
  #columns: StatusColumns | undefined;

  constructor() {
    super();
    this.engine = undefined;
    this.active = true;
    this.settings = settingsOf(location.search);
    this.paused = false;
    this.summary = "";
    this.sourceError = undefined;
    new BeatController(this, BEAT_MS, () => this.#beat());
    new BeatController(this, SUMMARY_MS, () => this.#summarise());
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (!this.#source.complete) void this.#load();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#loading?.abort();
  }

  /** Out of sight nothing is drawn; what flows is counted all the same. */
  protected override shouldUpdate(changed: PropertyValues<this>): boolean {
    return this.active || changed.has("active") || changed.has("engine");
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("active") && this.active) this.settings = settingsOf(location.search);
    if (!changed.has("engine") || this.engine === undefined) return;
    this.#producer.attach(this.engine.stream);
    this.#consumer.attach(this.engine.stream, this.engine.openedMs);
    this.#ledger.attach(this.engine);
    this.#meter.attach(this.engine);
  }

  /** Query of the address that stands for the settings as they are. */
  get search(): string {
    return searchOf(this.settings);
  }

  /** Deletes the stream and begins with an empty one, after the person has confirmed it. */
  startOver(): void {
    this.#ledger.forget();
    this.dispatchEvent(new CustomEvent("mill-start-over"));
  }

  get #ring(): MillRing | null {
    return this.renderRoot.querySelector("mill-ring");
  }

  override render(): TemplateResult {
    const shards = this.engine?.stream.description.openShards ?? [];
    const rates = this.#meter.reading?.rates ?? [];
    const selected = this.settings.shardIndex;
    return html`<div class="page">
        ${this.#header(shards.length)} ${this.#errors()}
        <div class="top">
          <mill-panel heading="Ring of hash keys">
            <mill-ring
              .shards=${shards}
              .rates=${rates}
              .selected=${selected}
              .still=${this.#media.reducedMotion}
              @mill-select=${this.#select}
            ></mill-ring>
            <mill-shard-inspector .shards=${shards} .rates=${rates} .selected=${selected}>
            </mill-shard-inspector>
          </mill-panel>
          <div class="stack">
            <mill-producer-panel
              .ratePerSecond=${this.settings.ratePerSecond}
              .hotPercent=${this.settings.hotPercent}
              .readings=${this.#producerReadings()}
              @mill-rate=${(event: CustomEvent<number>) => this.#set({ ratePerSecond: event.detail })}
              @mill-hot=${(event: CustomEvent<number>) => this.#set({ hotPercent: event.detail })}
            ></mill-producer-panel>
            <mill-disk-panel
              .readings=${this.#diskReadings()}
              @mill-read-all=${() => this.#ledger.readAll()}
              @mill-stop-reading=${() => this.#ledger.stopReading()}
              @mill-stop-opening=${() => this.#ledger.stopOpening()}
              @mill-start-over=${() => this.renderRoot.querySelector("mill-start-over")?.show()}
            ></mill-disk-panel>
          </div>
        </div>
        <mill-panel heading="Shards">
          <mill-shard-table
            .shards=${shards}
            .rates=${rates}
            .selected=${selected}
            @mill-select=${this.#select}
          ></mill-shard-table>
        </mill-panel>
        <mill-status-panel
          .totals=${this.#totals}
          .columns=${this.#columns}
          .failed=${this.#consumer.failed}
          .lastFailure=${this.#consumer.lastFailure ?? ""}
        ></mill-status-panel>
      </div>
      ${edgeStrip(this.#meter.reading, this.#media.online)}
      ${this.#dialogs()}
      <div class="visually-hidden" role="status">${this.summary}</div>`;
  }

  #header(shards: number): TemplateResult {
    return html`<header>
      <div>
        <h1>Live</h1>
        <p class="soft">
          A web server's access log, 10,000 real lines over and over, through
          ${formatNumberOf(shards, "shard")} in this browser and onto its disk.
        </p>
      </div>
      <div class="actions">
        ${pauseButton({ paused: this.paused, onToggle: () => this.#togglePause(), main: true })}
        ${codeButton(() => this.renderRoot.querySelector("mill-code-drawer")?.show())}
      </div>
    </header>`;
  }

  /** One notice at a time: what stops the producer mostly stops the others, too. */
  #errors(): TemplateResult | typeof nothing {
    const errors: [string, ShownError | undefined][] = [
      ["The producer stopped", this.#producer.error],
      ["The consumer stopped", this.#consumer.error],
      ["The meters cannot be read", this.#meter.error],
      ["The access log could not be loaded", this.sourceError],
    ];
    const [heading, error] = errors.find(([, one]) => one !== undefined) ?? ["", undefined];
    return reopenNotice(heading, error, () => this.#reopen());
  }

  #dialogs(): TemplateResult | typeof nothing {
    const { engine } = this;
    if (engine === undefined) return nothing;
    const held = (this.#ledger.found ?? 0) + this.#producer.acknowledged;
    const { name } = engine.stream;
    const loss =
      `The stream ${name} and the ${formatNumberOf(held, "record")} it is known to hold will be ` +
      "deleted from this device. There is no other copy.";
    return html`<mill-code-drawer
        .settings=${this.settings}
        .shards=${engine.stream.description.openShards.length}
      ></mill-code-drawer>
      <mill-start-over
        .streamName=${name}
        .loss=${loss}
        @mill-confirmed=${this.startOver}
      ></mill-start-over>`;
  }

  #producerReadings(): ProducerReadings {
    const { acknowledged, refused, recordsInFlight, latencyMs, heldBack } = this.#producer;
    const idleBecause = this.#idleBecause();
    return { acknowledged, refused, recordsInFlight, latencyMs, heldBack, idleBecause };
  }

  #diskReadings(): DiskReadings {
    const ledger = this.#ledger;
    const { opening, promised, found, fullRead, fullReadExpected } = ledger;
    const { reading } = this.#meter;
    const verdict = weigh({
      storage: reading?.storage,
      acknowledgedBefore: reading?.acknowledgedBefore ?? 0,
      committed: reading?.committed ?? 0,
      promised,
      found,
      fullRead:
        fullRead.phase === "done"
          ? { expected: fullReadExpected, records: fullRead.records }
          : undefined,
      dataLoss: this.engine?.dataLoss ?? [],
    });
    const readBack = this.#consumer.records;
    const { storage } = reading ?? { storage: undefined };
    return { verdict, storage, opening, promised, readBack, fullRead, fullReadExpected };
  }

  /** Why nothing is put at present; empty while records flow. */
  #idleBecause(): string {
    if (this.paused) return "Paused.";
    if (this.#media.hidden) return "Waiting: the tab is out of sight.";
    const storage = this.#meter.reading?.storage;
    const share = (storage?.usageBytes ?? 0) / (storage?.quotaBytes ?? Number.POSITIVE_INFINITY);
    if (share >= FULL_SHARE)
      return "Stopped: the disk quota is nearly used up. Start over to free it.";
    return "";
  }

  #beat(): void {
    if (this.engine === undefined) return;
    const second = Math.floor(Date.now() / 1000);
    const settled = this.paused && this.#producer.recordsInFlight === 0;
    if (!settled) this.#consumer.history.observe(second - 1);
    // A second more than the running one, so that a second is drawn when all of it has been read.
    if (!this.paused) this.#columns = this.#consumer.history.columns(second - 1);
    this.#totals = this.#consumer.history.totals(second - 1);
    if (this.#producer.acknowledged > 0) this.#ledger.keepWitness();
  }

  #summarise(): void {
    const rates = this.#meter.reading?.rates ?? [];
    const incoming = rates.reduce((sum, rate) => sum + rate.incomingRecordsPerSecond, 0);
    const refused = rates.reduce((sum, rate) => sum + rate.throttledRecordsPerSecond, 0);
    this.summary = this.paused
      ? "Paused."
      : `${formatRate(incoming)} records per second committed, ${formatRate(refused)} refused, ` +
        `${formatCount(this.#producer.acknowledged)} acknowledged.`;
  }

  #togglePause(): void {
    this.paused = !this.paused;
  }

  #select(event: CustomEvent<number | null>): void {
    this.#set({ shardIndex: event.detail ?? undefined });
  }

  #set(changed: Partial<LiveSettings>): void {
    this.settings = { ...this.settings, ...changed };
    history.replaceState(null, "", `${location.pathname}${this.search}`);
  }

  #reopen(): void {
    if (this.sourceError !== undefined) void this.#load();
    this.dispatchEvent(new CustomEvent("mill-reopen"));
  }

  async #load(): Promise<void> {
    this.#loading?.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    this.sourceError = undefined;
    try {
      const address = new URL("access-log/apache_combined.log", document.baseURI);
      await this.#source.load(address, signal);
    } catch (error) {
      if (!signal.aborted) this.sourceError = describeError(error);
    }
  }
}

customElements.define("mill-live", MillLive);

declare global {
  interface HTMLElementTagNameMap {
    "mill-live": MillLive;
  }
}
