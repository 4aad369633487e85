/** Per stream: when a put counts as done, what happens when the store is full, and whether it is encrypted. */
import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import type { StreamDescription } from "millrace";
import { baseStyles, tableStyles } from "../../kit/base-styles.ts";
import { searchOfAddress } from "../../places/address.ts";
import { retentionText } from "../../streams/readings.ts";
import { placeStyles } from "../streams/place-styles.ts";
import "../../kit/panel.ts";

const DURABILITY = {
  strict: "strict: survives a power cut",
  relaxed: "relaxed: a power cut may take the last moments",
} as const;
const WHEN_FULL = {
  "refuse-new": "refuses new records",
  "drop-oldest": "drops its oldest records",
} as const;

/** A table of streams. */
export class MillStorageStreams extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { streams: { attribute: false } };
  }

  static override readonly styles = [
    baseStyles,
    tableStyles,
    placeStyles,
    css`
      th,
      td {
        font-family: var(--face);
        text-align: start;
        vertical-align: baseline;
        white-space: normal;
      }
    `,
  ];

  /** The streams at the last reading. */
  declare streams: readonly StreamDescription[];

  constructor() {
    super();
    this.streams = [];
  }

  override render(): TemplateResult {
    if (this.streams.length === 0) {
      return html`<mill-panel heading="Streams"><p>There is no stream yet.</p></mill-panel>`;
    }
    return html`<mill-panel heading="Streams">
      <div class="scroll" tabindex="0" role="region" aria-label="Streams and their durability">
        <table>
          <thead>
            <tr>
              <th scope="col">Stream</th>
              <th scope="col">Durability</th>
              <th scope="col">When the store is full</th>
              <th scope="col">Retention</th>
              <th scope="col">Encryption</th>
            </tr>
          </thead>
          <tbody>
            ${this.streams.map((stream) => row(stream))}
          </tbody>
        </table>
      </div>
    </mill-panel>`;
  }
}

function encryptionText(encryption: StreamDescription["encryption"]): string {
  if (encryption === null) return "none";
  return encryption.shredded ? "key destroyed: unreadable" : encryption.keyName;
}

function row(stream: StreamDescription): TemplateResult {
  const { name, durability, whenFull, retentionHours, encryption } = stream;
  const address = {
    place: "streams",
    view: "shards",
    stream: name,
    shardIndex: undefined,
  } as const;
  return html`<tr data-stream=${name}>
    <th scope="row"><a href="./${searchOfAddress(address)}">${name}</a></th>
    <td>${DURABILITY[durability]}</td>
    <td>${WHEN_FULL[whenFull]}</td>
    <td>${retentionText(retentionHours)}</td>
    <td>${encryptionText(encryption)}</td>
  </tr>`;
}

customElements.define("mill-storage-streams", MillStorageStreams);

declare global {
  interface HTMLElementTagNameMap {
    "mill-storage-streams": MillStorageStreams;
  }
}
