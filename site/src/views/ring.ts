/** The ring of hash keys: a canvas for what moves, and an SVG twin for pointer, keyboard and reader. */
import {
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type PropertyValues,
  svg,
  type TemplateResult,
} from "lit";
import type { Landing } from "../controllers/producer-controller.ts";
import { ResizeController } from "../controllers/resize-controller.ts";
import { baseStyles, shardClass, shardStyles } from "../kit/base-styles.ts";
import { formatRate } from "../live/format.ts";
import type { ShardRates } from "../live/rates.ts";
import {
  type Arc,
  arcPath,
  arcsOf,
  type HashKeyRange,
  KeyPlaces,
  pointAt,
  shortHashKey,
} from "../live/ring-geometry.ts";
import { ARC_RADIUS, ARC_WIDTH, RING_SIZE, RingPainter } from "./ring-painter.ts";
import { ringStyles } from "./ring-styles.ts";

const CENTRE = RING_SIZE / 2;
const ARC_GAP = 0.006;
const TICKS = 16;
const TICK_RADIUS = 202;

/** Share of the turn below which an arc has no room for its number. */
const LABEL_SHARE_MIN = 0.02;

/** Time over which the records of one call leave the hub, in ms. */
const SPREAD_MS = 60;

/** A shard as the ring shows it. */
export interface RingShard extends HashKeyRange {
  readonly shardId: string;
}

/** Fires `mill-select` with the shard's index, or null for none, as detail. */
export class MillRing extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      shards: { attribute: false },
      rates: { attribute: false },
      selected: { attribute: false },
      still: { type: Boolean },
    };
  }

  static override readonly styles = [baseStyles, shardStyles, ringStyles];

  /** Open shards of the stream. */
  declare shards: readonly RingShard[];
  /** Their rates at the last reading. */
  declare rates: readonly ShardRates[];
  /** Index of the shard that is looked at. */
  declare selected: number | undefined;
  /** Whether nothing may move: counts only. */
  declare still: boolean;

  readonly #places = new KeyPlaces();
  #arcs: readonly Arc[] = [];
  #painter: RingPainter | undefined;
  /** Whether the ring has a size; a place that is not shown has none. */
  #shown = false;
  #frame: number | undefined;

  constructor() {
    super();
    this.shards = [];
    this.rates = [];
    this.selected = undefined;
    this.still = false;
    new ResizeController(
      this,
      () => this.#fitCanvas(),
      () => this.renderRoot.querySelector("canvas"),
    );
  }

  /** Shows where records went; each stands for `weight` records. */
  land(landings: readonly Landing[], weight: number): void {
    const painter = this.#painter;
    if (painter === undefined || !this.#shown || document.hidden) return;
    const nowMs = performance.now();
    landings.forEach(({ partitionKey, shardIndex, refused }, i) => {
      const arc = this.#arcs.find((candidate) => candidate.shardIndex === shardIndex);
      if (arc === undefined) return;
      const share = this.#places.shareOf(partitionKey, arc);
      const delayMs = (i / landings.length) * SPREAD_MS;
      const drop = { share, shardIndex, refused, weight, delayMs };
      if (this.still) painter.addAtOnce(drop);
      else painter.add(drop, nowMs);
    });
    if (!this.still) this.#run();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("shards")) this.#arcs = arcsOf(this.shards);
  }

  protected override firstUpdated(): void {
    const canvas = this.renderRoot.querySelector("canvas");
    const context = canvas?.getContext("2d");
    if (canvas === null || context === null || context === undefined) return;
    this.#painter = new RingPainter(context);
  }

  protected override updated(): void {
    this.#takeColours();
    if (this.still && this.#frame === undefined) this.#paint(performance.now());
    else this.#run();
  }

  override render(): TemplateResult {
    const perSecond = this.rates.reduce((sum, rate) => sum + rate.incomingRecordsPerSecond, 0);
    const refused = this.rates.reduce((sum, rate) => sum + rate.throttledRecordsPerSecond, 0);
    return html`<div class="ring">
      <canvas aria-hidden="true"></canvas>
      <svg
        viewBox="0 0 ${RING_SIZE} ${RING_SIZE}"
        role="listbox"
        aria-label="Shards on the ring of hash keys; arrow keys go from shard to shard"
        aria-activedescendant=${this.selected === undefined ? nothing : `arc-${this.selected}`}
        tabindex="0"
        @keydown=${this.#onKey}
      >
        <circle class="scale" cx=${CENTRE} cy=${CENTRE} r=${TICK_RADIUS} aria-hidden="true" />
        ${this.#ticks()}${this.#arcs.map((arc) => this.#arc(arc))}${this.overlay()}
      </svg>
      <div class="dial">
        <div class="value">${formatRate(perSecond)}</div>
        <div class="unit" title="committed over the last second, by the engine's counters">records/s</div>
        <div class="refused ${refused > 0 ? "hot" : ""}">${formatRate(refused)} refused/s</div>
      </div>
      <i class="probe hot"></i><i class="probe line"></i>
    </div>`;
  }

  /** The shards as arcs in ring order. */
  protected get arcs(): readonly Arc[] {
    return this.#arcs;
  }

  /** What a ring that can do more draws over the arcs, as SVG. */
  protected overlay(): TemplateResult | typeof nothing {
    return nothing;
  }

  #arc(arc: Arc): TemplateResult {
    const { shardIndex } = arc;
    const selected = this.selected === shardIndex;
    const label = pointAt((arc.start + arc.end) / 2, ARC_RADIUS, CENTRE);
    return svg`<g
      id="arc-${shardIndex}"
      class="arc ${shardClass(shardIndex)} ${selected ? "selected" : ""}"
      role="option"
      aria-selected=${selected ? "true" : "false"}
      aria-label=${this.#describe(shardIndex)}
      data-shard=${shardIndex}
      @click=${() => this.#select(selected ? null : shardIndex)}
    >
      <path class="halo" d=${arcPath(arc, ARC_RADIUS, CENTRE, 0)} stroke-width=${ARC_WIDTH + 7} />
      <path class="band" d=${arcPath(arc, ARC_RADIUS, CENTRE, ARC_GAP)} stroke-width=${ARC_WIDTH} />
      ${
        arc.end - arc.start < LABEL_SHARE_MIN
          ? nothing
          : svg`<text x=${label.x} y=${label.y} dy="0.35em">${shardIndex}</text>`
      }
    </g>`;
  }

  #ticks(): TemplateResult[] {
    return Array.from({ length: TICKS }, (_, i) => {
      const share = i / TICKS;
      const major = i % 4 === 0;
      const from = pointAt(share, TICK_RADIUS, CENTRE);
      const to = pointAt(share, TICK_RADIUS + (major ? 7 : 4), CENTRE);
      const text = pointAt(share, TICK_RADIUS + 14, CENTRE);
      return svg`<g class="tick" aria-hidden="true">
        <line x1=${from.x} y1=${from.y} x2=${to.x} y2=${to.y} />
        ${major ? svg`<text x=${text.x} y=${text.y} dy="0.35em">${i.toString(16)}</text>` : nothing}
      </g>`;
    });
  }

  #describe(shardIndex: number): string {
    const shard = this.shards.find((candidate) => candidate.shardIndex === shardIndex);
    const rate = this.rates.find((candidate) => candidate.shardIndex === shardIndex);
    const range =
      shard === undefined
        ? ""
        : `, hash keys ${shortHashKey(shard.startingHashKey)} to ${shortHashKey(shard.endingHashKey)}`;
    const incoming = formatRate(rate?.incomingRecordsPerSecond ?? 0);
    const refused = formatRate(rate?.throttledRecordsPerSecond ?? 0);
    return `Shard ${shardIndex}${range}, ${incoming} records/s, ${refused} refused/s`;
  }

  #onKey(event: KeyboardEvent): void {
    const order = this.#arcs.map(({ shardIndex }) => shardIndex);
    const here = this.selected === undefined ? -1 : order.indexOf(this.selected);
    const next = nextInRing(event.key, here, order.length);
    if (next === undefined) return;
    event.preventDefault();
    this.#select(order[next] ?? null);
  }

  #select(shardIndex: number | null): void {
    this.dispatchEvent(new CustomEvent("mill-select", { detail: shardIndex }));
  }

  #takeColours(): void {
    if (this.#painter === undefined) return;
    const colourOf = (selector: string): string => {
      const probe = this.renderRoot.querySelector(selector);
      return probe === null ? "" : getComputedStyle(probe).color;
    };
    const shards = new Map(
      this.shards.map(({ shardIndex }) => [shardIndex, colourOf(`#arc-${shardIndex}`)]),
    );
    this.#painter.colours = { shards, hot: colourOf(".probe.hot"), line: colourOf(".probe.line") };
  }

  #fitCanvas(): void {
    const canvas = this.renderRoot.querySelector("canvas");
    if (canvas === null) return;
    const pixels = Math.round(canvas.clientWidth * devicePixelRatio);
    this.#shown = pixels > 0;
    canvas.width = pixels;
    canvas.height = pixels;
    this.#paint(performance.now());
  }

  #paint(nowMs: number): void {
    const canvas = this.renderRoot.querySelector("canvas");
    if (canvas !== null && canvas.width > 0) this.#painter?.paint(nowMs, canvas.width);
  }

  /** Paints frame by frame until everything has come to rest. */
  #run(): void {
    if (this.#frame !== undefined || this.still) return;
    const step = (nowMs: number): void => {
      this.#frame = undefined;
      if (!this.isConnected) return;
      this.#paint(nowMs);
      if (this.#painter?.atRest === false && !this.still) this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
  }
}

/** Where a key leads: a place in the ring, -1 for none, undefined when the key means nothing here. */
function nextInRing(key: string, here: number, count: number): number | undefined {
  if (count === 0) return undefined;
  switch (key) {
    case "ArrowRight":
    case "ArrowDown":
      return (here + 1) % count;
    case "ArrowLeft":
    case "ArrowUp":
      return here <= 0 ? count - 1 : here - 1;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    case "Escape":
      return -1;
    default:
      return undefined;
  }
}

customElements.define("mill-ring", MillRing);

declare global {
  interface HTMLElementTagNameMap {
    "mill-ring": MillRing;
  }
}
