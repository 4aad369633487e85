/** The sizes that a view hears of what it draws: the first one, every other one, and again when it is put back. */
import { assert } from "chai";
import { html, LitElement, type TemplateResult } from "lit";
import { ResizeController } from "../../../site/src/controllers/resize-controller.ts";

/** A view that notes the widths of the box that it draws, or of itself. */
class Probe extends LitElement {
  readonly widths: number[] = [];

  constructor(ofBox: boolean) {
    super();
    const hear = (widthPx: number): void => void this.widths.push(widthPx);
    if (ofBox) new ResizeController(this, hear, () => this.renderRoot.querySelector("div"));
    else new ResizeController(this, hear);
    this.style.display = "block";
    this.style.inlineSize = "300px";
  }

  override render(): TemplateResult {
    return html`<div>drawn</div>`;
  }
}
customElements.define("test-resize-probe", Probe);

/** Resolves when the newest width is this one. */
async function untilWidth(probe: Probe, widthPx: number): Promise<void> {
  for (let frames = 0; probe.widths.at(-1) !== widthPx; frames += 1) {
    assert.isBelow(frames, 600, `the widths are ${probe.widths.join()}`);
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
}

for (const ofBox of [true, false]) {
  it(`tells the size of ${ofBox ? "what the host draws" : "the host"}, also when it is put back`, async () => {
    const probe = new Probe(ofBox);
    document.body.append(probe);
    await untilWidth(probe, 300);
    probe.style.inlineSize = "200px";
    await untilWidth(probe, 200);
    probe.remove();
    const heard = probe.widths.length;
    probe.style.inlineSize = "120px";
    for (let frames = 0; frames < 3; frames += 1) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
    assert.equal(probe.widths.length, heard);
    document.body.append(probe);
    await untilWidth(probe, 120);
    probe.remove();
  });
}
