/** The calls behind the view, in a drawer. */
import { LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { ENGINE_NAME, SHARD_COUNT, STREAM_NAME } from "../controllers/engine-controller.ts";
import { HOT_KEY } from "../controllers/producer-controller.ts";
import { baseStyles } from "../kit/base-styles.ts";
import { codeDrawer } from "../kit/code-drawer.ts";
import { codeSamples } from "../live/code-samples.ts";
import { type LiveSettings, SETTINGS_DEFAULT } from "../live/settings.ts";

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
    return codeDrawer(codeSamples(names, this.settings), "What this page calls");
  }
}

customElements.define("mill-code-drawer", MillCodeDrawer);

declare global {
  interface HTMLElementTagNameMap {
    "mill-code-drawer": MillCodeDrawer;
  }
}
