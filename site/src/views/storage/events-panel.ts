/** What was lost or dropped, and what else the engine told since the page opened it. */
import { html, LitElement, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import type { DataLossReport } from "millrace";
import { baseStyles } from "../../kit/base-styles.ts";
import { eventListStyles, stackStyles } from "../../kit/layout-styles.ts";
import { formatClockTime, formatNumberOf } from "../../live/format.ts";
import type { EventLog } from "../../storage/event-log.ts";
import { eventState, eventText, lossText } from "../../storage/words.ts";
import "../../kit/lamp.ts";
import "../../kit/panel.ts";

const SHOWN_MAX = 50;

/** Losses first, then events, the newest first. */
export class MillEventsPanel extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { losses: { attribute: false }, log: { attribute: false }, told: { type: Number } };
  }

  static override readonly styles = [baseStyles, stackStyles, eventListStyles];

  /** Damage or loss that was found when the engine opened. */
  declare losses: readonly DataLossReport[];
  /** What the engine told since then. */
  declare log: EventLog | undefined;
  /** Number of events at the last drawing; the log itself stays the same object. */
  declare told: number;

  constructor() {
    super();
    this.losses = [];
    this.log = undefined;
    this.told = 0;
  }

  override render(): TemplateResult {
    const { losses, log } = this;
    const events = log?.events ?? [];
    return html`<mill-panel heading="Losses and events">
      <div class="stack">
        ${
          losses.length === 0
            ? html`<p><mill-lamp state="good">Nothing was found damaged at opening</mill-lamp></p>`
            : html`<ul class="stack">
                ${losses.map(
                  (loss) => html`<li><mill-lamp state="hot">${lossText(loss)}</mill-lamp></li>`,
                )}
              </ul>`
        }
        ${
          events.length === 0
            ? html`<p class="soft">The engine has told nothing since this page opened it.</p>`
            : html`<ol tabindex="0" role="list" aria-label="Events, the newest first">
                ${events.slice(0, SHOWN_MAX).map(
                  (event) =>
                    html`<li>
                      <time>${formatClockTime(event.atMs)}</time>
                      <mill-lamp .state=${eventState(event)}>${eventText(event)}</mill-lamp>
                    </li>`,
                )}
              </ol>`
        }
        ${this.#older(events.length)}
      </div>
    </mill-panel>`;
  }

  #older(kept: number): TemplateResult | typeof nothing {
    const older = (this.log?.dropped ?? 0) + Math.max(0, kept - SHOWN_MAX);
    return older === 0
      ? nothing
      : html`<p class="small soft">${formatNumberOf(older, "older event")} not shown.</p>`;
  }
}

customElements.define("mill-events-panel", MillEventsPanel);

declare global {
  interface HTMLElementTagNameMap {
    "mill-events-panel": MillEventsPanel;
  }
}
