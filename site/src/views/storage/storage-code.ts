/** The calls behind the Storage place, in a drawer. */
import { LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { baseStyles } from "../../kit/base-styles.ts";
import { codeDrawer } from "../../kit/code-drawer.ts";
import { storageSamples } from "../../storage/samples.ts";

/** `show()` opens it. */
export class MillStorageCode extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { engineName: { type: String } };
  }

  static override readonly styles = [baseStyles];

  /** Name of the engine that the samples open. */
  declare engineName: string;

  constructor() {
    super();
    this.engineName = "";
  }

  /** Shows the code. */
  show(): void {
    this.renderRoot.querySelector("mill-drawer")?.show();
  }

  override render(): TemplateResult {
    return codeDrawer(storageSamples(this.engineName));
  }
}

customElements.define("mill-storage-code", MillStorageCode);

declare global {
  interface HTMLElementTagNameMap {
    "mill-storage-code": MillStorageCode;
  }
}
