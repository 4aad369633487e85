/** The calls behind the Storage place, in a drawer. */
import { html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { baseStyles } from "../../kit/base-styles.ts";
import { storageSamples } from "../../storage/samples.ts";
import "../../kit/code-block.ts";
import "../../kit/drawer.ts";

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
    return html`<mill-drawer heading="The same in code">
      ${storageSamples(this.engineName).map(
        ({ heading, code }) =>
          html`<mill-code-block .heading=${heading} .code=${code}></mill-code-block>`,
      )}
    </mill-drawer>`;
  }
}

customElements.define("mill-storage-code", MillStorageCode);

declare global {
  interface HTMLElementTagNameMap {
    "mill-storage-code": MillStorageCode;
  }
}
