/** The course of a run: acknowledgements over time as bars, faults as numbered lines, and both in words. */
import {
  css,
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  svg,
  type TemplateResult,
} from "lit";
import type { Mark, Trace } from "../../faults/trace.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { stackStyles } from "../../kit/layout-styles.ts";
import { formatMs, formatNumberOf } from "../../live/format.ts";
import "../../kit/panel.ts";

const BINS = 120;
/** Part of the height that the bars may take, in percent; the numbers stand above them. */
const BARS_PERCENT = 80;

/** A drawing with its list. */
export class MillFaultTrace extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { heading: { type: String }, trace: { attribute: false }, drawnMs: { type: Number } };
  }

  static override readonly styles = [
    baseStyles,
    stackStyles,
    css`
      svg {
        display: block;
        inline-size: 100%;
        block-size: 132px;
        overflow: visible;
        border-block-end: 1px solid var(--line-strong);
      }

      .bar {
        fill: var(--water);
      }

      .gap {
        fill: var(--hot-wash);
      }

      line {
        stroke: var(--hot);
        stroke-width: 1.5;
      }

      text {
        fill: var(--ink);
        font: 600 var(--text-small) var(--face-mono);
      }

      .axis,
      .legend {
        display: flex;
        flex-wrap: wrap;
        justify-content: space-between;
        gap: var(--unit) calc(var(--unit) * 4);
        color: var(--ink-soft);
        font-size: var(--text-small);
      }

      .axis {
        margin-block-start: calc(var(--unit) * -2);
        font-family: var(--face-mono);
        font-variant-numeric: tabular-nums;
      }

      ol {
        display: grid;
        grid-template-columns: auto auto minmax(0, 1fr);
        gap: var(--unit) calc(var(--unit) * 3);
        margin: 0;
        padding: 0;
        list-style: none;
      }

      li {
        display: grid;
        grid-column: 1 / -1;
        grid-template-columns: subgrid;
        overflow-wrap: anywhere;
      }

      .number {
        min-inline-size: 1.5em;
        color: var(--hot);
        font: 600 var(--text) / 1.5 var(--face-mono);
      }

      time {
        color: var(--ink-soft);
        font: var(--text) / 1.5 var(--face-mono);
        font-variant-numeric: tabular-nums;
        text-align: end;
      }
    `,
  ];

  /** Whose course it is. */
  declare heading: string;
  /** The course. */
  declare trace: Trace | undefined;
  /** How long the run had lasted at the last drawing; the trace itself stays the same object. */
  declare drawnMs: number;

  constructor() {
    super();
    this.heading = "";
    this.trace = undefined;
    this.drawnMs = 0;
  }

  override render(): TemplateResult | typeof nothing {
    const { trace } = this;
    if (trace === undefined) return nothing;
    const { lastedMs, longestGap, marks, acknowledged } = trace;
    const gapMs = longestGap === undefined ? 0 : longestGap.untilMs - longestGap.fromMs;
    const label =
      `${formatNumberOf(acknowledged, "record")} acknowledged in ${formatMs(lastedMs)}, ` +
      `the longest time without one ${formatMs(gapMs)}`;
    return html`<mill-panel .heading=${this.heading}>
      <div class="stack">
        <div class="legend">
          <span>Records acknowledged, by time</span>
          <span>Longest time without an acknowledgement: ${formatMs(gapMs)}</span>
        </div>
        <svg role="img" aria-label=${label}>
          ${gapShape(trace)} ${barShapes(trace)} ${markShapes(trace)}
        </svg>
        <div class="axis" aria-hidden="true">
          <span>0</span><span>${formatMs(lastedMs / 2)}</span><span>${formatMs(lastedMs)}</span>
        </div>
        <ol role="list" aria-label="What happened">
          ${marks.map((mark) => item(mark, numberOf(mark, marks)))}
        </ol>
      </div>
    </mill-panel>`;
  }
}

const percent = (share: number): string => `${(share * 100).toFixed(3)}%`;

/** What the page did is numbered, in the drawing as in the list; what the engine told is not. */
function numberOf(mark: Mark, marks: readonly Mark[]): number | undefined {
  if (mark.kind === "told") return undefined;
  return marks.filter(({ kind }) => kind === "done").indexOf(mark) + 1;
}

function item(mark: Mark, number: number | undefined): TemplateResult {
  return html`<li>
    <span class="number">${number ?? ""}</span>
    <time>${formatMs(mark.atMs)}</time>
    <span class=${number === undefined ? "soft" : ""}>${mark.text}</span>
  </li>`;
}

function gapShape({ longestGap, lastedMs }: Trace): TemplateResult | typeof nothing {
  if (longestGap === undefined || lastedMs === 0) return nothing;
  const { fromMs, untilMs } = longestGap;
  return svg`<rect
    class="gap"
    x=${percent(fromMs / lastedMs)}
    width=${percent((untilMs - fromMs) / lastedMs)}
    height="100%"
  />`;
}

function barShapes(trace: Trace): TemplateResult[] {
  const bins = trace.bins(BINS);
  const most = Math.max(1, ...bins);
  return bins.map((records, i) => {
    const height = (records / most) * BARS_PERCENT;
    return svg`<rect
      class="bar"
      x=${percent((i + 0.1) / BINS)}
      y="${(100 - height).toFixed(2)}%"
      width=${percent(0.8 / BINS)}
      height="${height.toFixed(2)}%"
    />`;
  });
}

function markShapes({ marks, lastedMs }: Trace): TemplateResult[] {
  return marks
    .filter(({ kind }) => kind === "done")
    .map((mark, i) => {
      const x = percent(mark.atMs / Math.max(1, lastedMs));
      return svg`<line x1=${x} x2=${x} y1="0" y2="100%" />
        <text x=${x} dx="4" y="10">${i + 1}</text>`;
    });
}

customElements.define("mill-fault-trace", MillFaultTrace);

declare global {
  interface HTMLElementTagNameMap {
    "mill-fault-trace": MillFaultTrace;
  }
}
