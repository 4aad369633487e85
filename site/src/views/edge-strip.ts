/** The edge of the page: durable or not, which tab writes, the network, and how full the disk is. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import type { MemberStatus, StorageReport } from "millrace";
import { baseStyles } from "../kit/base-styles.ts";
import { formatBytes } from "../live/format.ts";
import { durabilityMark, type Mark, roleMark } from "../storage/words.ts";
import "../kit/lamp.ts";

/** A strip of lamps. */
export class MillEdgeStrip extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      storage: { attribute: false },
      member: { attribute: false },
      online: { type: Boolean },
    };
  }

  static override readonly styles = [
    baseStyles,
    css`
      ul {
        display: flex;
        flex-wrap: wrap;
        gap: var(--unit) calc(var(--unit) * 5);
        padding: calc(var(--unit) * 1.5) calc(var(--unit) * 6);
        border-block-start: 1px solid var(--line);
        background: var(--panel);
        font-size: var(--text-small);
      }

      @media (max-width: 700px) {
        ul {
          justify-content: space-between;
          gap: var(--unit) calc(var(--unit) * 2);
          padding-inline: calc(var(--unit) * 3);
        }
      }
    `,
  ];

  /** The engine's last report. */
  declare storage: StorageReport | undefined;
  /** Which part this tab plays. */
  declare member: MemberStatus | undefined;
  /** Whether there is a network. */
  declare online: boolean;

  constructor() {
    super();
    this.storage = undefined;
    this.member = undefined;
    this.online = true;
  }

  override render(): TemplateResult {
    const network: Mark = this.online
      ? { state: "good", text: "Online", title: "The browser has a network" }
      : { state: "off", text: "Offline", title: "No network: the engine needs none" };
    return html`<ul aria-label="State of the engine">
      ${[durabilityMark(this.storage), roleMark(this.member), network, this.#used()].map(
        ({ state, text, title }) =>
          html`<li title=${title}><mill-lamp .state=${state}>${text}</mill-lamp></li>`,
      )}
    </ul>`;
  }

  #used(): Mark {
    const title = "The browser's estimate for this site";
    const used = this.storage?.usageBytes;
    const quota = this.storage?.quotaBytes;
    if (used === undefined) return { state: "off", text: "Storage unknown", title };
    if (quota === undefined) return { state: "good", text: `${formatBytes(used)} used`, title };
    const state = used > quota * 0.8 ? "warn" : "good";
    return { state, text: `${formatBytes(used)} of ${formatBytes(quota)}`, title };
  }
}

customElements.define("mill-edge-strip", MillEdgeStrip);

declare global {
  interface HTMLElementTagNameMap {
    "mill-edge-strip": MillEdgeStrip;
  }
}
