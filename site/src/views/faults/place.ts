/** The Faults place: what can befall an engine, done to a real one, and what came of it. */
import {
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type PropertyValues,
  type TemplateResult,
} from "lit";
import type { OpenEngine } from "../../controllers/engine-controller.ts";
import { FaultsController, RunLog } from "../../controllers/faults-controller.ts";
import { MediaController } from "../../controllers/media-controller.ts";
import { PollController } from "../../controllers/poll-controller.ts";
import { BENCH_ENGINE } from "../../faults/bench.ts";
import { FAULTS, type Fault, type FaultId } from "../../faults/faults.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { frameStyles } from "../../kit/layout-styles.ts";
import { type EdgeReading, edgeStrip, readEdge } from "../edge.ts";
import { codeButton, errorNotice, placeHeader } from "../page-actions.ts";
import { placeStyles } from "../streams/place-styles.ts";
import type { CardState } from "./fault-card.ts";
import { faultsStyles } from "./faults-styles.ts";
import "./fault-card.ts";
import "./fault-trace.ts";
import "./faults-code.ts";
import "./run-table.ts";

const READING_MS = 1000;

/** What was run stays known while the person looks at other places. */
const runLog = new RunLog();

/** See above. */
export class MillFaults extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { engine: { attribute: false } };
  }

  static override readonly styles = [baseStyles, placeStyles, frameStyles, faultsStyles];

  /** The site's own engine, which no fault befalls. */
  declare engine: OpenEngine | undefined;

  readonly #media = new MediaController(this);
  readonly #faults = new FaultsController(this, runLog);
  readonly #poll = new PollController<EdgeReading | undefined>(this, READING_MS, async () => {
    const millrace = this.engine?.millrace;
    return millrace === undefined ? undefined : await readEdge(millrace);
  });

  constructor() {
    super();
    this.engine = undefined;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("engine")) this.#poll.restart();
  }

  override render(): TemplateResult {
    const { failed, summary } = this.#faults;
    const reading = this.#poll.value;
    return html`<div class="page">
        ${this.#header()}
        ${
          failed === undefined
            ? nothing
            : errorNotice(`${failed.heading}: the run came to nothing`, failed.error)
        }
        <div class="faults">${FAULTS.map((fault) => this.#card(fault))}</div>
        ${this.#course()}
        <mill-run-table .runs=${this.#faults.runs}></mill-run-table>
        <div class="visually-hidden" role="status" id="summary">${summary}</div>
      </div>
      ${edgeStrip(reading, this.#media.online)}
      <mill-faults-code></mill-faults-code>`;
  }

  #header(): TemplateResult {
    const about = "Hurt an engine while records flow, and count what is left of them.";
    const code = codeButton(() => this.renderRoot.querySelector("mill-faults-code")?.show());
    return html`${placeHeader("Faults", about, [this.#mainButton(), code])}
      <p class="soft intro">
        These faults are real, and so is the engine that they befall: ${BENCH_ENGINE}, open twice in this
        page as two tabs would have it, with a producer on one and a live reader on the other. It is
        not the engine of the other places: your other tabs use that one, a full store would stop your
        records, and a clock that was wrong stays written in a log. What a run writes is deleted at
        its end.
      </p>`;
  }

  #mainButton(): TemplateResult {
    const { running, stopping } = this.#faults;
    if (running === undefined) {
      return html`<button type="button" class="main" id="run-all" @click=${() => this.#faults.run()}>
        Run all
      </button>`;
    }
    return html`<button
      type="button"
      id="stop"
      ?disabled=${stopping}
      @click=${() => this.#faults.stop()}
    >
      ${stopping ? "Stopping…" : "Stop"}
    </button>`;
  }

  #card(fault: Fault): TemplateResult {
    const { running, runs } = this.#faults;
    return html`<mill-fault-card
      data-fault=${fault.id}
      .fault=${fault}
      .run=${runs.find((run) => run.fault === fault.id)}
      .state=${this.#stateOf(fault.id)}
      .blocked=${running !== undefined}
      @mill-strike=${() => this.#faults.run([fault])}
    ></mill-fault-card>`;
  }

  #stateOf(id: FaultId): CardState {
    if (this.#faults.running === id) return "running";
    return this.#faults.waiting.includes(id) ? "waiting" : "idle";
  }

  /** The run under way, or the last one. */
  #course(): TemplateResult | typeof nothing {
    const { running, trace, runs } = this.#faults;
    const [last] = runs;
    const shown = trace ?? last?.trace;
    if (shown === undefined) return nothing;
    const now = FAULTS.find(({ id }) => id === running)?.heading;
    const heading = trace === undefined ? `Last run: ${last?.heading ?? ""}` : `Now: ${now ?? ""}`;
    return html`<mill-fault-trace
      .heading=${heading}
      .trace=${shown}
      .drawnMs=${shown.lastedMs}
    ></mill-fault-trace>`;
  }
}

customElements.define("mill-faults", MillFaults);

declare global {
  interface HTMLElementTagNameMap {
    "mill-faults": MillFaults;
  }
}
