/** What befell the workers of this tab, the newest first. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import type { CrewEvent } from "../../consumers/crew.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { eventListStyles, stackStyles } from "../../kit/layout-styles.ts";
import { formatTimeOfDay } from "../../records/times.ts";
import "../../kit/panel.ts";

/** A list that scrolls. */
export class MillCrewEvents extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { events: { attribute: false } };
  }

  static override readonly styles = [
    baseStyles,
    stackStyles,
    eventListStyles,
    css`
      li {
        font-size: var(--text);
      }
    `,
  ];

  /** The newest first. */
  declare events: readonly CrewEvent[];

  constructor() {
    super();
    this.events = [];
  }

  override render(): TemplateResult {
    return html`<mill-panel heading="What befell this tab's workers">
      ${
        this.events.length === 0
          ? html`<p class="soft">Nothing yet.</p>`
          : html`<ol tabindex="0" role="list" aria-label="Events, the newest first">
              ${this.events.map(item)}
            </ol>`
      }
    </mill-panel>`;
  }
}

function item({ atMs, workerId, kind, shardId, text }: CrewEvent): TemplateResult {
  const shard = shardId === undefined ? "" : ` · ${shardId.replace(/^shardId-0*(?=\d)/, "shard ")}`;
  return html`<li data-kind=${kind} data-at=${atMs} data-shard=${shardId ?? ""}>
    <time>${formatTimeOfDay(atMs)}</time> <span class="mono small">${workerId}${shard}</span>
    <span>${text}</span>
  </li>`;
}

customElements.define("mill-crew-events", MillCrewEvents);

declare global {
  interface HTMLElementTagNameMap {
    "mill-crew-events": MillCrewEvents;
  }
}
