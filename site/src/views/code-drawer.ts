/** The calls behind the view, in a drawer. */
import { html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { ENGINE_NAME, SHARD_COUNT, STREAM_NAME } from "../controllers/engine-controller.ts";
import { HOT_KEY } from "../controllers/producer-controller.ts";
import { baseStyles } from "../kit/base-styles.ts";
import { codeSamples } from "../live/code-samples.ts";
import { type LiveSettings, SETTINGS_DEFAULT } from "../live/settings.ts";
import "../kit/code-block.ts";
import "../kit/drawer.ts";

/** A drawer of code that follows the settings of the view. */
export class MillCodeDrawer extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { settings: { attribute: false }, shards: { type: Number } };
  }

  static override readonly styles = [baseStyles];

  /** Settings of the view. */
  declare settings: LiveSettings;
  /** Open shards of the stream, which a reshard may have changed. */
  declare shards: number;

  constructor() {
    super();
    this.settings = SETTINGS_DEFAULT;
    this.shards = SHARD_COUNT;
  }

  /** Opens the drawer. */
  show(): void {
    this.renderRoot.querySelector("mill-drawer")?.show();
  }

  override render(): TemplateResult {
    const names = {
      engine: ENGINE_NAME,
      stream: STREAM_NAME,
      shards: this.shards,
      hotKey: HOT_KEY,
    };
    return html`<mill-drawer heading="What this page calls">
      ${codeSamples(names, this.settings).map(
        ({ heading, code }) =>
          html`<mill-code-block .heading=${heading} .code=${code}></mill-code-block>`,
      )}
    </mill-drawer>`;
  }
}

customElements.define("mill-code-drawer", MillCodeDrawer);

declare global {
  interface HTMLElementTagNameMap {
    "mill-code-drawer": MillCodeDrawer;
  }
}
