/** The calls behind the Consumers place, in a drawer. */
import { html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import type { GroupDefinition } from "millrace";
import { groupSamples } from "../../consumers/samples.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import "../../kit/code-block.ts";
import "../../kit/drawer.ts";

/** `show()` opens it. */
export class MillConsumersCode extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { definition: { attribute: false } };
  }

  static override readonly styles = [baseStyles];

  /** The group that is looked at. */
  declare definition: GroupDefinition | undefined;

  constructor() {
    super();
    this.definition = undefined;
  }

  /** Shows the code. */
  show(): void {
    this.renderRoot.querySelector("mill-drawer")?.show();
  }

  override render(): TemplateResult {
    const { name = "counters", streamName = "access-log" } = this.definition ?? {};
    return html`<mill-drawer heading="The same in code">
      ${groupSamples(name, streamName).map(
        ({ heading, code }) =>
          html`<mill-code-block .heading=${heading} .code=${code}></mill-code-block>`,
      )}
    </mill-drawer>`;
  }
}

customElements.define("mill-consumers-code", MillConsumersCode);

declare global {
  interface HTMLElementTagNameMap {
    "mill-consumers-code": MillConsumersCode;
  }
}
