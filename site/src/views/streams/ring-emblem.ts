/** The ring of a stream, small: the mark that stands beside its name wherever it appears. */
import { css, html, LitElement, type PropertyDeclarations, svg, type TemplateResult } from "lit";
import { baseStyles, shardClass, shardStyles } from "../../kit/base-styles.ts";
import { arcPath, arcsOf, type HashKeyRange } from "../../live/ring-geometry.ts";

const SIZE = 28;
const RADIUS = 10.5;
const WIDTH = 4.5;
const GAP = 0.02;

/** `<mill-ring-emblem .shards=${shards}>`: decoration, hidden from screen readers. */
export class MillRingEmblem extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { shards: { attribute: false } };
  }

  static override readonly styles = [
    baseStyles,
    shardStyles,
    css`
      :host {
        display: inline-block;
        flex: none;
        inline-size: 1.75em;
        block-size: 1.75em;
        vertical-align: middle;
      }

      svg {
        display: block;
        inline-size: 100%;
        block-size: 100%;
      }

      path {
        fill: none;
        stroke: currentColor;
      }
    `,
  ];

  /** Open shards of the stream. */
  declare shards: readonly HashKeyRange[];

  constructor() {
    super();
    this.shards = [];
  }

  override render(): TemplateResult {
    return html`<svg viewBox="0 0 ${SIZE} ${SIZE}" aria-hidden="true">
      ${arcsOf(this.shards).map(
        (arc) =>
          svg`<path
            class=${shardClass(arc.shardIndex)}
            d=${arcPath(arc, RADIUS, SIZE / 2, GAP)}
            stroke-width=${WIDTH}
          />`,
      )}
    </svg>`;
  }
}

customElements.define("mill-ring-emblem", MillRingEmblem);

declare global {
  interface HTMLElementTagNameMap {
    "mill-ring-emblem": MillRingEmblem;
  }
}
