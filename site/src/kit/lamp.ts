/** A lamp with words: the state is told by shape and text, not by colour alone. */
import { css, html, LitElement, type PropertyDeclarations, svg, type TemplateResult } from "lit";
import { baseStyles } from "./base-styles.ts";

/** What a lamp can say. */
export type LampState = "good" | "busy" | "warn" | "hot" | "off";

const SHAPES: Readonly<Record<LampState, TemplateResult>> = {
  good: svg`<circle cx="6" cy="6" r="5"/>`,
  busy: svg`<path d="M6 1a5 5 0 0 1 0 10z"/><circle cx="6" cy="6" r="4.5" class="hollow"/>`,
  warn: svg`<path d="M6 .8 11.5 11H.5z"/>`,
  hot: svg`<rect x="1" y="1" width="10" height="10" rx="1"/>`,
  off: svg`<circle cx="6" cy="6" r="4.5" class="hollow"/>`,
};

/** `<mill-lamp state="good">Everything is on disk</mill-lamp>`. */
export class MillLamp extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { state: { type: String } };
  }

  static override readonly styles = [
    baseStyles,
    css`
      :host {
        display: inline-block;
      }

      span {
        display: inline-flex;
        align-items: baseline;
        gap: calc(var(--unit) * 2);
      }

      svg {
        flex: none;
        inline-size: 0.75em;
        block-size: 0.75em;
        fill: currentColor;
      }

      .hollow {
        fill: none;
        stroke: currentColor;
        stroke-width: 1.25;
      }

      .good {
        color: var(--good);
      }
      .busy {
        color: var(--water);
      }
      .warn {
        color: var(--warn);
      }
      .hot {
        color: var(--hot);
      }
      .off {
        color: var(--ink-soft);
      }
    `,
  ];

  /** What the lamp says. */
  declare state: LampState;

  constructor() {
    super();
    this.state = "off";
  }

  override render(): TemplateResult {
    return html`<span>
      <svg class=${this.state} viewBox="0 0 12 12" aria-hidden="true">${SHAPES[this.state]}</svg>
      <slot></slot>
    </span>`;
  }
}

customElements.define("mill-lamp", MillLamp);

declare global {
  interface HTMLElementTagNameMap {
    "mill-lamp": MillLamp;
  }
}
