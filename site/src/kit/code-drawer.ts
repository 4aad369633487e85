/** A drawer of code that can be copied, as every place has one. */
import { html, type TemplateResult } from "lit";
import type { CodeSample } from "../live/code-samples.ts";
import "./code-block.ts";
import "./drawer.ts";

/** `<mill-drawer>` with a block for each sample; whoever draws it opens it by its `show()`. */
export function codeDrawer(
  samples: readonly CodeSample[],
  heading = "The same in code",
): TemplateResult {
  return html`<mill-drawer .heading=${heading}>
    ${samples.map(
      (sample) =>
        html`<mill-code-block .heading=${sample.heading} .code=${sample.code}></mill-code-block>`,
    )}
  </mill-drawer>`;
}
