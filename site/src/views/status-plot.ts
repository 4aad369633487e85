/** Responses per status code over time, drawn with uPlot, which is fetched when it is first needed. */
import {
  css,
  html,
  LitElement,
  type PropertyDeclarations,
  type PropertyValues,
  type TemplateResult,
} from "lit";
import type uPlot from "uplot";
import { ResizeController } from "../controllers/resize-controller.ts";
import { baseStyles } from "../kit/base-styles.ts";
import { formatClockTime, formatRate } from "../live/format.ts";
import { dashOf, strokeNameOf } from "../live/status-codes.ts";
import type { StatusColumns } from "../live/status-history.ts";

/** Height of the plot, in CSS pixels: by its width, within what the table beside it leaves it. */
function heightFor(width: number): number {
  return Math.round(Math.min(340, Math.max(220, width * 0.55)));
}

type Constructor = typeof uPlot;

/** A plot of the columns; the table beside it tells the same in numbers. */
export class MillStatusPlot extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      columns: { attribute: false },
      hiddenCodes: { attribute: false },
      readout: { state: true },
      failure: { state: true },
    };
  }

  static override readonly styles = [
    baseStyles,
    css`
      .plot {
        min-block-size: 220px;
      }

      .readout {
        min-block-size: 1.5em;
        color: var(--ink-soft);
        font: var(--text-small) / 1.5 var(--face-mono);
      }

      .probe {
        position: absolute;
        visibility: hidden;
      }

      .good {
        color: var(--water);
      }
      .moved {
        color: var(--ink-soft);
      }
      .refused {
        color: var(--warn);
      }
      .broken {
        color: var(--hot);
      }
      .line {
        color: var(--line);
      }
    `,
  ];

  /** What is drawn. */
  declare columns: StatusColumns | undefined;
  /** Codes that are left out. */
  declare hiddenCodes: ReadonlySet<number>;
  declare readout: string;
  declare failure: string;

  #uplot: Constructor | undefined;
  #plot: uPlot | undefined;
  #codes: readonly number[] = [];

  constructor() {
    super();
    this.columns = undefined;
    this.hiddenCodes = new Set();
    this.readout = "";
    this.failure = "";
    new ResizeController(
      this,
      () => this.#fit(),
      () => this.renderRoot.querySelector(".plot"),
    );
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#plot?.destroy();
    this.#plot = undefined;
  }

  protected override firstUpdated(): void {
    void this.#load();
  }

  protected override updated(changed: PropertyValues<this>): void {
    if (changed.has("columns") || changed.has("hiddenCodes")) this.#draw();
  }

  override render(): TemplateResult {
    return html`<div class="plot" aria-hidden="true"></div>
      <p class="readout" aria-hidden="true">${this.failure || this.readout}</p>
      ${["good", "moved", "refused", "broken", "line"].map(
        (name) => html`<i class="probe ${name}"></i>`,
      )}`;
  }

  async #load(): Promise<void> {
    try {
      const [{ default: loaded }, { default: text }] = await Promise.all([
        import("uplot"),
        import("uplot/dist/uPlot.min.css?inline"),
      ]);
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(text);
      if (this.renderRoot instanceof ShadowRoot) this.renderRoot.adoptedStyleSheets.push(sheet);
      this.#uplot = loaded;
      this.#draw();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.failure = `The plot could not be loaded (${reason}); the table has the numbers.`;
    }
  }

  #draw(): void {
    const { columns } = this;
    const target = this.renderRoot.querySelector<HTMLElement>(".plot");
    if (this.#uplot === undefined || columns === undefined || target === null) return;
    const codes = [...columns.counts.keys()].filter((code) => !this.hiddenCodes.has(code));
    const data: uPlot.AlignedData = [
      [...columns.seconds],
      ...codes.map((code) => [...(columns.counts.get(code) ?? [])]),
    ];
    if (this.#plot === undefined || codes.join() !== this.#codes.join()) {
      this.#plot?.destroy();
      this.#codes = codes;
      this.#plot = new this.#uplot(this.#options(codes, target.clientWidth), data, target);
    } else {
      this.#plot.setData(data);
    }
  }

  #options(codes: readonly number[], width: number): uPlot.Options {
    const soft = (): string => this.#colour("moved");
    const grid = { stroke: (): string => this.#colour("line"), width: 1 };
    const axis = { stroke: soft, grid, ticks: grid, font: "11px ui-monospace, monospace" };
    return {
      width: Math.max(width, 100),
      height: heightFor(width),
      legend: { show: false },
      cursor: { drag: { x: false, y: false } },
      scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.08)] } },
      axes: [
        {
          ...axis,
          space: 90,
          values: (_plot, times) => times.map((at) => formatClockTime(at * 1000)),
        },
        {
          ...axis,
          size: 56,
          label: "records/s",
          labelSize: 20,
          labelFont: "11px system-ui, sans-serif",
        },
      ],
      series: [
        {},
        ...codes.map((code) => ({
          label: String(code),
          stroke: (): string => this.#colour(strokeNameOf(code)),
          width: 1.75,
          dash: dashOf(code),
          points: { show: false },
        })),
      ],
      hooks: { setCursor: [(plot) => this.#read(plot)] },
    };
  }

  #read(plot: uPlot): void {
    const { idx } = plot.cursor;
    const second = idx === null || idx === undefined ? undefined : plot.data[0][idx];
    if (idx === null || idx === undefined || second === undefined) {
      this.readout = "";
      return;
    }
    const parts = this.#codes.flatMap((code, i) => {
      const count = plot.data[i + 1]?.[idx];
      return typeof count === "number" ? [`${code}: ${formatRate(count)}/s`] : [];
    });
    this.readout = `${formatClockTime(second * 1000)}  ${parts.join("  ") || "not observed"}`;
  }

  #colour(name: string): string {
    const probe = this.renderRoot.querySelector(`.probe.${name}`);
    return probe === null ? "gray" : getComputedStyle(probe).color;
  }

  #fit(): void {
    const target = this.renderRoot.querySelector<HTMLElement>(".plot");
    const width = target?.clientWidth ?? 0;
    if (width > 0 && width !== this.#plot?.width) {
      this.#plot?.setSize({ width, height: heightFor(width) });
    }
  }
}

customElements.define("mill-status-plot", MillStatusPlot);

declare global {
  interface HTMLElementTagNameMap {
    "mill-status-plot": MillStatusPlot;
  }
}
