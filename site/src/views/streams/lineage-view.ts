/** The history of a stream's shards: a drawing over time, and the same as a table. */
import {
  css,
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  svg,
  type TemplateResult,
} from "lit";
import { ResizeController } from "../../controllers/resize-controller.ts";
import {
  baseStyles,
  shardClass,
  shardStyles,
  tableStyles,
  wordCellStyles,
} from "../../kit/base-styles.ts";
import { formStyles } from "../../kit/form-styles.ts";
import { formatNumberOf } from "../../live/format.ts";
import { shortHashKey } from "../../live/ring-geometry.ts";
import { recordsOf, searchOfAddress } from "../../places/address.ts";
import { formatMoment } from "../../records/times.ts";
import {
  type Edge,
  type Lane,
  type Lineage,
  type LineageShard,
  lineageOf,
  type Spacing,
} from "../../streams/lineage.ts";

const LANE_PX = 24;
const BAR_PX = 12;
const LABEL_PX = 68;
const AXIS_PX = 24;
const END_PX = 14;
const WIDTH_MIN_PX = 260;
const TICK_PX_MIN = 96;

/** Day and time where the axis spans more than a day, else the time alone. */
function tickText(atMs: number, spanMs: number): string {
  const moment = formatMoment(atMs);
  return spanMs > 86_400_000 ? moment.slice(5, 16) : moment.slice(11, 19);
}

function originText({ origin, parents }: Lane): string {
  if (origin === "created") return "created with the stream";
  return `${origin === "split" ? "split from" : "merged from"} ${parents.join(" and ")}`;
}

/** Draws what {@link lineageOf} lays out. */
export class MillLineage extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      stream: { type: String },
      shards: { attribute: false },
      nowMs: { attribute: false },
      spacing: { state: true },
      widthPx: { state: true },
    };
  }

  static override readonly styles = [
    baseStyles,
    shardStyles,
    tableStyles,
    wordCellStyles,
    formStyles,
    css`
      .picture {
        max-block-size: 460px;
        overflow: auto;
      }

      svg {
        display: block;
      }

      .bar {
        fill: currentColor;
      }

      .closed .bar {
        fill-opacity: 0.45;
      }

      .edge {
        fill: none;
        stroke: var(--line-strong);
        stroke-width: 1.5;
      }

      .grid {
        stroke: var(--line);
      }

      text {
        fill: var(--ink-soft);
        font: 12px var(--face-mono);
      }

      text.label {
        fill: var(--ink);
      }

      fieldset {
        display: flex;
        flex-wrap: wrap;
        gap: calc(var(--unit) * 4);
        margin-block-end: calc(var(--unit) * 2);
      }

      legend {
        float: inline-start;
        padding-inline-end: calc(var(--unit) * 2);
        line-height: 28px;
      }

      .scroll {
        max-block-size: 460px;
        overflow: auto;
        margin-block-start: calc(var(--unit) * 4);
      }

      a {
        color: var(--water);
      }
    `,
  ];

  /** Name of the stream. */
  declare stream: string;
  /** All shards that the stream still knows. */
  declare shards: readonly LineageShard[];
  /** The end of the axis: ms since the Unix epoch. */
  declare nowMs: number;
  declare spacing: Spacing;
  declare widthPx: number;

  constructor() {
    super();
    this.stream = "";
    this.shards = [];
    this.nowMs = 0;
    this.spacing = "time";
    this.widthPx = WIDTH_MIN_PX;
    new ResizeController(this, (widthPx) => {
      this.widthPx = Math.max(WIDTH_MIN_PX, Math.floor(widthPx));
    });
  }

  override render(): TemplateResult {
    const lineage = lineageOf(this.shards, this.nowMs, this.spacing);
    return html`<fieldset>
        <legend class="small">Spacing</legend>
        ${this.#choice("time", "by time")} ${this.#choice("events", "one step per reshard")}
      </fieldset>
      ${this.#picture(lineage)} ${this.#table(lineage.lanes)}`;
  }

  #choice(spacing: Spacing, text: string): TemplateResult {
    return html`<label class="choice small">
      <input
        type="radio"
        name="spacing"
        .checked=${this.spacing === spacing}
        @change=${() => {
          this.spacing = spacing;
        }}
      />
      ${text}
    </label>`;
  }

  #x(place: number): number {
    return LABEL_PX + place * (this.widthPx - LABEL_PX - END_PX);
  }

  #picture({ lanes, edges, ticks }: Lineage): TemplateResult {
    const height = AXIS_PX + lanes.length * LANE_PX + 4;
    const open = lanes.filter(({ endMs }) => endMs === undefined).length;
    const label = `${formatNumberOf(lanes.length, "shard")} over time, ${open} of them open; the table below has the same`;
    const spanMs = (ticks.at(-1)?.atMs ?? 0) - (ticks[0]?.atMs ?? 0);
    // Times that would stand in one another are left out; the line stays.
    const room = (this.widthPx - LABEL_PX) / Math.max(1, ticks.length - 1);
    const every = Math.max(1, Math.ceil(TICK_PX_MIN / room));
    return html`<div class="picture" tabindex="0" role="region" aria-label="Drawing of the lineage">
      <svg width=${this.widthPx} height=${height} role="img" aria-label=${label}>
        ${ticks.map(({ place, atMs }, i) => {
          const x = this.#x(place);
          const last = i === ticks.length - 1;
          const shown = last || (i % every === 0 && ticks.length - 1 - i >= every);
          return svg`<line class="grid" x1=${x} y1=${AXIS_PX - 6} x2=${x} y2=${height} />
            ${
              shown
                ? svg`<text x=${x} y="12" text-anchor=${last ? "end" : "start"}>${last ? "now" : tickText(atMs, spanMs)}</text>`
                : nothing
            }`;
        })}
        ${edges.map((edge) => this.#edge(edge))}${lanes.map((lane, i) => this.#lane(lane, i))}
      </svg>
    </div>`;
  }

  #lane({ shard, start, end, endMs }: Lane, i: number): TemplateResult {
    const y = AXIS_PX + i * LANE_PX + LANE_PX / 2;
    const x = this.#x(start);
    const width = Math.max(3, this.#x(end) - x);
    return svg`<g class="${shardClass(shard.shardIndex)} ${endMs === undefined ? "" : "closed"}">
      <text class="label" x="0" y=${y} dy="0.35em">shard ${shard.shardIndex}</text>
      <rect class="bar" x=${x} y=${y - BAR_PX / 2} width=${width} height=${BAR_PX} rx="2" />
    </g>`;
  }

  #edge({ from, to, fromPlace, toPlace }: Edge): TemplateResult {
    const y = (lane: number): number => AXIS_PX + lane * LANE_PX + LANE_PX / 2;
    const fromX = this.#x(fromPlace);
    const toX = this.#x(toPlace);
    const down = to > from ? 1 : -1;
    const startY = y(from) + (down * BAR_PX) / 2;
    const endY = y(to) - (down * BAR_PX) / 2;
    const middle = (startY + endY) / 2;
    return svg`<path class="edge" d="M${fromX} ${startY}C${fromX} ${middle} ${toX} ${middle} ${toX} ${endY}" />`;
  }

  #table(lanes: readonly Lane[]): TemplateResult {
    const rows = [...lanes].sort((a, b) => a.shard.shardIndex - b.shard.shardIndex);
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Table of the lineage">
      <table>
        <thead>
          <tr>
            <th scope="col">Shard</th>
            <th scope="col" class="words">State</th>
            <th scope="col" class="words">Origin</th>
            <th scope="col">Opened</th>
            <th scope="col">Closed</th>
            <th scope="col">Hash keys</th>
            <th scope="col">Records</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map((lane) => this.#row(lane))}
        </tbody>
      </table>
    </div>`;
  }

  #row(lane: Lane): TemplateResult {
    const { shard, startMs, endMs } = lane;
    const link = searchOfAddress({ ...recordsOf(this.stream), shardIndex: shard.shardIndex });
    return html`<tr data-shard=${shard.shardIndex}>
      <th scope="row" title=${shard.shardId}>Shard ${shard.shardIndex}</th>
      <td class="words">${endMs === undefined ? "open" : "closed"}</td>
      <td class="words">${originText(lane)}</td>
      <td>${formatMoment(startMs).slice(0, 19)}</td>
      <td>${endMs === undefined ? "–" : formatMoment(endMs).slice(0, 19)}</td>
      <td>${shortHashKey(shard.startingHashKey)} – ${shortHashKey(shard.endingHashKey)}</td>
      <td><a href="./${link}" aria-label="Read shard ${shard.shardIndex}">Read</a></td>
    </tr>`;
  }
}

customElements.define("mill-lineage", MillLineage);

declare global {
  interface HTMLElementTagNameMap {
    "mill-lineage": MillLineage;
  }
}
