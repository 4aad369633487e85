/** The calls behind an act on a stream, in a drawer: the SDK, the AWS SDK, the command line. */
import { LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { baseStyles } from "../../kit/base-styles.ts";
import { codeDrawer } from "../../kit/code-drawer.ts";
import { type Act, samplesOf } from "../../streams/samples.ts";

/** `show(act)` opens it. */
export class MillActCode extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { act: { state: true } };
  }

  static override readonly styles = [baseStyles];

  declare act: Act;

  constructor() {
    super();
    this.act = { kind: "list" };
  }

  /** Shows the code of an act. */
  show(act: Act): void {
    this.act = act;
    this.renderRoot.querySelector("mill-drawer")?.show();
  }

  override render(): TemplateResult {
    return codeDrawer(samplesOf(this.act));
  }
}

customElements.define("mill-act-code", MillActCode);

declare global {
  interface HTMLElementTagNameMap {
    "mill-act-code": MillActCode;
  }
}
