/** The calls behind the Faults place, in a drawer. */
import { LitElement, type TemplateResult } from "lit";
import { BENCH_ENGINE, BENCH_STREAM } from "../../faults/bench.ts";
import { faultSamples } from "../../faults/samples.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { codeDrawer } from "../../kit/code-drawer.ts";

/** `show()` opens it. */
export class MillFaultsCode extends LitElement {
  static override readonly styles = [baseStyles];

  /** Shows the code. */
  show(): void {
    this.renderRoot.querySelector("mill-drawer")?.show();
  }

  override render(): TemplateResult {
    return codeDrawer(faultSamples(BENCH_ENGINE, BENCH_STREAM));
  }
}

customElements.define("mill-faults-code", MillFaultsCode);

declare global {
  interface HTMLElementTagNameMap {
    "mill-faults-code": MillFaultsCode;
  }
}
