/** The producer's controls and what came of its records. */
import {
  css,
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type TemplateResult,
} from "lit";
import { baseStyles } from "../kit/base-styles.ts";
import { formatCount } from "../live/format.ts";
import { RATES_PER_SECOND } from "../live/settings.ts";
import "../kit/panel.ts";
import "../kit/reading.ts";
import "../kit/slider.ts";

/** What the panel shows of the producer. */
export interface ProducerReadings {
  readonly acknowledged: number;
  readonly refused: number;
  readonly recordsInFlight: number;
  readonly latencyMs: number | undefined;
  readonly heldBack: boolean;
  /** Why nothing is put at present; empty while records flow. */
  readonly idleBecause: string;
}

const NOTHING_YET: ProducerReadings = {
  acknowledged: 0,
  refused: 0,
  recordsInFlight: 0,
  latencyMs: undefined,
  heldBack: false,
  idleBecause: "",
};

/** Fires `mill-rate` (records/s) and `mill-hot` (percent), each a CustomEvent with the number as detail. */
export class MillProducerPanel extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      ratePerSecond: { type: Number },
      hotPercent: { type: Number },
      readings: { attribute: false },
    };
  }

  static override readonly styles = [
    baseStyles,
    css`
      .controls {
        display: grid;
        gap: calc(var(--unit) * 4);
      }

      .readings {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(116px, 1fr));
        gap: calc(var(--unit) * 3);
        margin-block-start: calc(var(--unit) * 4);
        padding-block-start: calc(var(--unit) * 3);
        border-block-start: 1px solid var(--line);
      }

      .note {
        margin-block-start: calc(var(--unit) * 2);
        color: var(--warn);
      }
    `,
  ];

  /** Records/s that the producer aims at; one of the known rates. */
  declare ratePerSecond: number;
  /** Share of records with the hot key, in percent. */
  declare hotPercent: number;
  /** What came of the records. */
  declare readings: ProducerReadings;

  constructor() {
    super();
    this.ratePerSecond = 0;
    this.hotPercent = 0;
    this.readings = NOTHING_YET;
  }

  override render(): TemplateResult {
    const { acknowledged, refused, recordsInFlight, latencyMs } = this.readings;
    const latency = latencyMs === undefined ? "–" : formatCount(Math.max(1, latencyMs));
    const note = this.#note();
    return html`<mill-panel heading="Producer">
      <div class="controls">
        <mill-slider
          label="Rate"
          hint="A shard takes 1,000 records/s and 1 MiB/s, as on AWS; what is over is refused."
          .min=${0}
          .max=${RATES_PER_SECOND.length - 1}
          .value=${RATES_PER_SECOND.indexOf(this.ratePerSecond)}
          .text=${`${formatCount(this.ratePerSecond)} records/s`}
          @mill-slide=${(event: CustomEvent<number>) =>
            this.#tell("mill-rate", RATES_PER_SECOND[event.detail] ?? 0)}
        ></mill-slider>
        <mill-slider
          label="Hot key"
          hint="Share of records that get one key; the others have their client's address."
          .min=${0}
          .max=${100}
          .step=${5}
          .value=${this.hotPercent}
          .text=${`${this.hotPercent}% of records`}
          @mill-slide=${(event: CustomEvent<number>) => this.#tell("mill-hot", event.detail)}
        ></mill-slider>
      </div>
      <div class="readings">
        <mill-reading
          label="Acknowledged"
          .value=${formatCount(acknowledged)}
          unit="records"
          source="answers of putRecords since the engine opened"
        ></mill-reading>
        <mill-reading
          label="Refused"
          .value=${formatCount(refused)}
          unit="records"
          source="answers of putRecords since the engine opened; refused records are not put again"
        ></mill-reading>
        <mill-reading
          label="On their way"
          .value=${formatCount(recordsInFlight)}
          unit="records"
          source="put and not yet answered, at this moment"
        ></mill-reading>
        <mill-reading
          label="Acknowledged after"
          .value=${latency}
          unit="ms"
          source="median of the last 50 putRecords calls"
        ></mill-reading>
      </div>
      ${note === "" ? nothing : html`<p class="note small">${note}</p>`}
    </mill-panel>`;
  }

  #note(): string {
    if (this.readings.idleBecause !== "") return this.readings.idleBecause;
    return this.readings.heldBack
      ? "Held back: records become due faster than they are acknowledged."
      : "";
  }

  #tell(name: string, detail: number): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

customElements.define("mill-producer-panel", MillProducerPanel);

declare global {
  interface HTMLElementTagNameMap {
    "mill-producer-panel": MillProducerPanel;
  }
}
