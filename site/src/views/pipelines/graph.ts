/** A pipeline as a drawing: streams and stages, with what flows on the lines between them. */
import {
  css,
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  svg,
  type TemplateResult,
} from "lit";
import type { PipelineDescription } from "millrace";
import { ResizeController } from "../../controllers/resize-controller.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { formatCount, formatRate } from "../../live/format.ts";
import { type GraphLink, type GraphNode, layoutOf } from "../../pipelines/layout.ts";

/** Below this width of the element, ranks go down and not across, in px. */
const ACROSS_MIN = 900;
const NODE_HEIGHT = 52;
const WIDTHS = { stream: 172, stage: 116 } as const;
/** Longest name that fits, in characters. */
const NAME_MAX = { stream: 22, stage: 14 } as const;

/** What is written beside the names. */
export interface Flows {
  /** Records that come into a stream in a second. */
  readonly incoming: (streamName: string) => number;
  /** Records that a stage processes in a second. */
  readonly processed: (stage: string) => number;
}

interface Place {
  readonly x: number;
  readonly y: number;
}

interface Grid {
  readonly across: boolean;
  readonly width: number;
  readonly height: number;
  /** Middle of a node. */
  readonly middle: (node: GraphNode) => Place;
}

/** The drawing. */
export class MillPipelineGraph extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      pipeline: { attribute: false },
      flows: { attribute: false },
      across: { state: true },
    };
  }

  static override readonly styles = [
    baseStyles,
    css`
      :host {
        overflow-x: auto;
      }

      svg {
        display: block;
        max-inline-size: 100%;
        block-size: auto;
        margin-inline: auto;
      }

      rect {
        fill: var(--raised);
        stroke: var(--line-strong);
      }

      .stage rect {
        fill: var(--water-wash);
        stroke: var(--water);
      }

      path {
        fill: none;
        stroke: var(--line-strong);
        stroke-width: 1.5;
      }

      path.running {
        stroke: var(--water);
      }

      marker path {
        fill: var(--line-strong);
        stroke: none;
      }

      text {
        fill: var(--ink);
        font: 600 12px var(--face);
        text-anchor: middle;
      }

      text.sub {
        fill: var(--ink-soft);
        font: 400 11px var(--face-mono);
      }

      text.flow {
        stroke: var(--panel);
        stroke-width: 4px;
        paint-order: stroke;
      }
    `,
  ];

  /** The pipeline at the last reading. */
  declare pipeline: PipelineDescription | undefined;
  /** What flows. */
  declare flows: Flows;
  declare across: boolean;

  constructor() {
    super();
    this.pipeline = undefined;
    this.flows = { incoming: () => 0, processed: () => 0 };
    this.across = true;
    new ResizeController(this, (widthPx) => {
      this.across = widthPx >= ACROSS_MIN;
    });
  }

  override render(): TemplateResult | typeof nothing {
    const { pipeline } = this;
    if (pipeline === undefined) return nothing;
    const layout = layoutOf(pipeline);
    const grid = gridOf(layout, this.across);
    const label = `${pipeline.nodes.length} streams and ${pipeline.edges.length} stages; the table below says the same`;
    return html`<svg
      role="img"
      aria-label=${label}
      width=${grid.width}
      height=${grid.height}
      viewBox="0 0 ${grid.width} ${grid.height}"
    >
      <defs>
        <marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
          <path d="M0 0L8 4L0 8z" />
        </marker>
      </defs>
      ${layout.links.map((link) => this.#link(pipeline, link, grid))}
      ${layout.nodes.map((node) => this.#node(pipeline, node, grid))}
    </svg>`;
  }

  #node(pipeline: PipelineDescription, node: GraphNode, { middle }: Grid): TemplateResult {
    const { x, y } = middle(node);
    const width = WIDTHS[node.kind];
    const operators = pipeline.edges.find(({ stage }) => stage === node.name)?.operators ?? [];
    const sub =
      node.kind === "stream"
        ? `${formatRate(this.flows.incoming(node.name))} records/s in`
        : operators.join(", ") || "as it is";
    return svg`<g class=${node.kind}>
      <title>${node.name}</title>
      <rect
        x=${x - width / 2}
        y=${y - NODE_HEIGHT / 2}
        width=${width}
        height=${NODE_HEIGHT}
        rx=${node.kind === "stream" ? 6 : NODE_HEIGHT / 2}
      />
      <text x=${x} y=${y - 4}>${shortName(node)}</text>
      <text class="sub" x=${x} y=${y + 13}>${sub}</text>
    </g>`;
  }

  #link(pipeline: PipelineDescription, link: GraphLink, { across, middle }: Grid): TemplateResult {
    const [from, to] = [edgeOf(link.from, across, 1, middle), edgeOf(link.to, across, -1, middle)];
    const middleX = (from.x + to.x) / 2;
    const middleY = (from.y + to.y) / 2;
    const curve = across
      ? `M${from.x} ${from.y}C${middleX} ${from.y} ${middleX} ${to.y} ${to.x} ${to.y}`
      : `M${from.x} ${from.y}C${from.x} ${middleY} ${to.x} ${middleY} ${to.x} ${to.y}`;
    const lag = pipeline.edges.find(({ stage }) => stage === link.stage)?.lagRecords ?? 0;
    const text =
      link.from.kind === "stage"
        ? `${formatRate(this.flows.processed(link.stage))}/s`
        : `lag ${formatCount(lag)}`;
    return svg`<path class=${pipeline.running ? "running" : ""} d=${curve} marker-end="url(#head)" />
      <text class="sub flow" x=${middleX} y=${across ? middleY - 6 : middleY + 4}>${text}</text>`;
  }
}

function shortName({ name, kind }: GraphNode): string {
  const most = NAME_MAX[kind];
  return name.length <= most ? name : `${name.slice(0, most - 1)}…`;
}

/** Where a line leaves a node, or comes to it. */
function edgeOf(
  node: GraphNode,
  across: boolean,
  side: 1 | -1,
  middle: (node: GraphNode) => Place,
): Place {
  const { x, y } = middle(node);
  return across
    ? { x: x + (side * WIDTHS[node.kind]) / 2, y }
    : { x, y: y + (side * NODE_HEIGHT) / 2 };
}

/** Places in px: across, ranks are columns as wide as what stands in them; down, they are lines. */
function gridOf({ ranks, rows }: { ranks: number; rows: number }, across: boolean): Grid {
  const gap = across ? 62 : 34;
  const step = across ? NODE_HEIGHT + 24 : WIDTHS.stream + 8;
  if (!across) {
    const width = rows * step;
    const height = ranks * NODE_HEIGHT + Math.max(0, ranks - 1) * gap + 4;
    const middle = ({ rank, row }: GraphNode): Place => ({
      x: (row + 0.5) * step,
      y: rank * (NODE_HEIGHT + gap) + NODE_HEIGHT / 2 + 2,
    });
    return { across, width, height, middle };
  }
  // Streams and stages take turns, beginning with streams.
  const before = (rank: number): number =>
    Math.ceil(rank / 2) * WIDTHS.stream + Math.floor(rank / 2) * WIDTHS.stage + rank * gap;
  const width = Math.max(0, before(ranks) - gap) + 4;
  const middle = ({ rank, row, kind }: GraphNode): Place => ({
    x: before(rank) + WIDTHS[kind] / 2 + 2,
    y: (row + 0.5) * step,
  });
  return { across, width, height: rows * step, middle };
}

customElements.define("mill-pipeline-graph", MillPipelineGraph);

declare global {
  interface HTMLElementTagNameMap {
    "mill-pipeline-graph": MillPipelineGraph;
  }
}
