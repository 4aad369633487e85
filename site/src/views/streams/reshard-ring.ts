/** The ring on which a place for a split can be dragged, and a border between neighbours be chosen. */
import { css, nothing, type PropertyDeclarations, svg, type TemplateResult } from "lit";
import { type Arc, pointAt } from "../../live/ring-geometry.ts";
import { bordersOf, PLACES, placeInArc, shareOfPoint } from "../../streams/hash-keys.ts";
import { MillRing } from "../ring.ts";
import { ARC_RADIUS, ARC_WIDTH, RING_SIZE } from "../ring-painter.ts";

const CENTRE = RING_SIZE / 2;
const INNER_RADIUS = ARC_RADIUS - ARC_WIDTH / 2 - 8;
const OUTER_RADIUS = ARC_RADIUS + ARC_WIDTH / 2 + 8;
const HANDLE_RADIUS = OUTER_RADIUS + 9;
/** Half of the width of what a pointer can hit, as large as fingers need. */
const TARGET_RADIUS = 14;

/** Where a split would be: a shard and the place in it, in 1000 parts. */
export interface Cut {
  readonly shardIndex: number;
  readonly place: number;
}

/** Two neighbours that would be merged, by index; the one with the lower hash keys first. */
export interface Joint {
  readonly lower: number;
  readonly upper: number;
}

/**
 * Fires `mill-cut` with a {@link Cut} while the place is dragged, and `mill-joint` with a {@link Joint}
 * when a border is clicked; both can be done by keyboard in the forms beside the ring.
 */
export class MillReshardRing extends MillRing {
  static override get properties(): PropertyDeclarations {
    return { cut: { attribute: false }, joint: { attribute: false } };
  }

  static override readonly styles = [
    ...MillRing.styles,
    css`
      .cut line,
      .border line {
        stroke: var(--ink);
        stroke-width: 3;
      }

      .cut .grip {
        fill: var(--ink);
        stroke: var(--panel);
        stroke-width: 2;
      }

      .cut {
        cursor: grab;
        touch-action: none;
      }

      .border {
        cursor: pointer;
      }

      .border line {
        stroke: transparent;
      }

      .border .target,
      .cut .target {
        fill: transparent;
      }

      .border .grip {
        fill: var(--panel);
        stroke: var(--line-strong);
        stroke-width: 1.5;
      }

      .border:hover .grip,
      .border.chosen .grip {
        fill: var(--ink);
        stroke: var(--ink);
      }

      .border:hover line,
      .border.chosen line {
        stroke: var(--ink);
      }
    `,
  ];

  /** The place of a split that is being chosen. */
  declare cut: Cut | undefined;
  /** The border of a merge that is being chosen. */
  declare joint: Joint | undefined;

  constructor() {
    super();
    this.cut = undefined;
    this.joint = undefined;
  }

  protected override overlay(): TemplateResult {
    return svg`${this.cut === undefined ? this.#borders() : nothing}${this.#cut()}`;
  }

  #borders(): TemplateResult[] {
    return bordersOf(this.shards).flatMap(({ lower, upper }) => {
      const arc = this.#arcOf(upper.shardIndex);
      if (arc === undefined) return [];
      const chosen = this.joint?.upper === upper.shardIndex;
      const grip = pointAt(arc.start, INNER_RADIUS - 6, CENTRE);
      const joint: Joint = { lower: lower.shardIndex, upper: upper.shardIndex };
      return [
        svg`<g
          class="border ${chosen ? "chosen" : ""}"
          aria-hidden="true"
          data-border="${lower.shardIndex}-${upper.shardIndex}"
          @click=${() => this.dispatchEvent(new CustomEvent("mill-joint", { detail: joint }))}
        >
          ${line(arc.start)}
          <circle class="target" cx=${grip.x} cy=${grip.y} r=${TARGET_RADIUS} />
          <circle class="grip" cx=${grip.x} cy=${grip.y} r="4" />
        </g>`,
      ];
    });
  }

  #cut(): TemplateResult | typeof nothing {
    const { cut } = this;
    const arc = cut === undefined ? undefined : this.#arcOf(cut.shardIndex);
    if (cut === undefined || arc === undefined) return nothing;
    const share = arc.start + ((arc.end - arc.start) * cut.place) / PLACES;
    const grip = pointAt(share, HANDLE_RADIUS, CENTRE);
    return svg`<g
      class="cut"
      aria-hidden="true"
      @pointerdown=${this.#grab}
      @pointermove=${this.#drag}
    >
      ${line(share)}
      <circle class="target" cx=${grip.x} cy=${grip.y} r=${TARGET_RADIUS + 4} />
      <circle class="grip" cx=${grip.x} cy=${grip.y} r="9" />
    </g>`;
  }

  #arcOf(shardIndex: number): Arc | undefined {
    return this.arcs.find((arc) => arc.shardIndex === shardIndex);
  }

  #grab(event: PointerEvent): void {
    event.preventDefault();
    if (event.currentTarget instanceof Element) {
      event.currentTarget.setPointerCapture(event.pointerId);
    }
  }

  #drag(event: PointerEvent): void {
    const { cut } = this;
    const { currentTarget } = event;
    if (cut === undefined || !(currentTarget instanceof SVGElement)) return;
    if (!currentTarget.hasPointerCapture(event.pointerId)) return;
    const arc = this.#arcOf(cut.shardIndex);
    const box = this.renderRoot.querySelector("svg")?.getBoundingClientRect();
    if (arc === undefined || box === undefined) return;
    const share = shareOfPoint(
      event.clientX - box.left - box.width / 2,
      event.clientY - box.top - box.height / 2,
    );
    const detail: Cut = { shardIndex: cut.shardIndex, place: placeInArc(share, arc) };
    this.dispatchEvent(new CustomEvent("mill-cut", { detail }));
  }
}

function line(share: number): TemplateResult {
  const inner = pointAt(share, INNER_RADIUS, CENTRE);
  const outer = pointAt(share, OUTER_RADIUS, CENTRE);
  return svg`<line x1=${inner.x} y1=${inner.y} x2=${outer.x} y2=${outer.y} />`;
}

customElements.define("mill-reshard-ring", MillReshardRing);

declare global {
  interface HTMLElementTagNameMap {
    "mill-reshard-ring": MillReshardRing;
  }
}
