/** The calls behind the Consumers place, in a drawer. */
import { LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import type { GroupDefinition } from "millrace";
import { groupSamples } from "../../consumers/samples.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { codeDrawer } from "../../kit/code-drawer.ts";

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
    return codeDrawer(groupSamples(name, streamName));
  }
}

customElements.define("mill-consumers-code", MillConsumersCode);

declare global {
  interface HTMLElementTagNameMap {
    "mill-consumers-code": MillConsumersCode;
  }
}
