/** The Pipelines place: stages from stream to stream as a graph, with what flows and what waits. */
import {
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type PropertyValues,
  type TemplateResult,
} from "lit";
import type { PipelineDescription } from "millrace";
import { ActionController } from "../../controllers/action-controller.ts";
import { BeatController } from "../../controllers/beat-controller.ts";
import type { OpenEngine } from "../../controllers/engine-controller.ts";
import { MediaController } from "../../controllers/media-controller.ts";
import { PollController } from "../../controllers/poll-controller.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { codeDrawer } from "../../kit/code-drawer.ts";
import { frameStyles, stackStyles } from "../../kit/layout-styles.ts";
import { formatNumberOf, formatRate } from "../../live/format.ts";
import { PipelineDesk } from "../../pipelines/pipeline-desk.ts";
import { pipelineSamples } from "../../pipelines/samples.ts";
import { incomingOf, StageRates } from "../../pipelines/stage-rates.ts";
import { type StreamReading, StreamsMeter } from "../../streams/readings.ts";
import { type EdgeReading, edgeStrip, readEdge } from "../edge.ts";
import {
  codeButton,
  errorNotice,
  placeHeader,
  reopenNotice,
  startButton,
} from "../page-actions.ts";
import { placeStyles } from "../streams/place-styles.ts";
import type { Flows } from "./graph.ts";
import "../../kit/panel.ts";
import "./graph.ts";
import "./stage-table.ts";

const READING_MS = 1000;
const SUMMARY_MS = 5000;

/** One reading of all that the place shows. */
interface Reading extends EdgeReading {
  readonly pipeline: PipelineDescription;
  readonly streams: readonly StreamReading[];
}

/** Fires `mill-reopen`. */
export class MillPipelines extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { engine: { attribute: false }, summary: { state: true } };
  }

  static override readonly styles = [baseStyles, placeStyles, frameStyles, stackStyles];

  /** The open engine. */
  declare engine: OpenEngine | undefined;
  declare summary: string;

  readonly #media = new MediaController(this);
  readonly #action = new ActionController(this);
  #meter = new StreamsMeter();
  #rates = new StageRates();
  readonly #poll = new PollController<Reading | undefined>(this, READING_MS, async () => {
    const { engine } = this;
    const desk = this.#desk;
    if (engine === undefined || desk === undefined) return undefined;
    const [edge, pipeline, streams] = await Promise.all([
      readEdge(engine.millrace),
      desk.describe(),
      this.#meter.read(engine.millrace),
    ]);
    this.#rates.take(pipeline, streams, performance.now());
    return { ...edge, pipeline, streams };
  });

  constructor() {
    super();
    this.engine = undefined;
    this.summary = "";
    new BeatController(this, SUMMARY_MS, () => this.#summarise());
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("engine")) return;
    this.#meter = new StreamsMeter();
    this.#rates = new StageRates();
    this.#poll.restart();
  }

  get #desk(): PipelineDesk | undefined {
    const { engine } = this;
    return engine === undefined ? undefined : PipelineDesk.of(engine.millrace, engine.stream.name);
  }

  override render(): TemplateResult {
    const reading = this.#poll.value;
    const desk = this.#desk;
    return html`<div class="page">
        ${this.#header(reading?.pipeline)}
        ${reopenNotice("The pipeline cannot be read", this.#poll.error, () => this.dispatchEvent(new CustomEvent("mill-reopen")))}
        ${errorNotice("This could not be done", this.#action.error)}
        ${errorNotice("The pipeline ended", desk?.error)}
        ${errorNotice(`${formatNumberOf(desk?.failures ?? 0, "delivery failure")}, the last one`, desk?.lastFailure)}
        ${reading === undefined ? html`<p role="status">Reading the pipeline…</p>` : this.#panel(reading)}
        <div class="visually-hidden" role="status">${this.summary}</div>
      </div>
      ${edgeStrip(reading, this.#media.online)}
      ${codeDrawer(pipelineSamples(this.engine?.stream.name ?? ""))}`;
  }

  #header(pipeline: PipelineDescription | undefined): TemplateResult {
    const running = pipeline?.running === true;
    const about =
      "Stages from stream to stream: what one reads, keeps and writes is stored in one step, so that " +
      "every record counts once.";
    return placeHeader("Pipelines", about, [
      startButton({
        running,
        onToggle: () => this.#toggle(running),
        what: "the pipeline",
        disabled: this.#action.busy || pipeline === undefined,
      }),
      codeButton(() => this.renderRoot.querySelector("mill-drawer")?.show()),
    ]);
  }

  #panel({ pipeline, streams }: Reading): TemplateResult {
    const flows: Flows = {
      incoming: (streamName) => incomingOf(streams, streamName),
      processed: (stage) => this.#rates.perSecond({ stage }),
    };
    const idle = pipeline.edges.every(({ group }) => group === undefined);
    return html`<mill-panel .heading=${`${pipeline.name}: from the access log to counts by status`}>
      <div class="stack">
        ${idle ? html`<p class="soft">Nothing runs yet. Starting it makes the streams that its stages write.</p>` : nothing}
        <mill-pipeline-graph .pipeline=${pipeline} .flows=${flows}></mill-pipeline-graph>
        <mill-stage-table .edges=${pipeline.edges} .flows=${flows}></mill-stage-table>
        <p class="small soft">
          Records/s of a stage: what came into its stream, less what its lag grew by, over the last
          seconds. Lag: records behind the checkpoints of its group, in all tabs.
        </p>
      </div>
    </mill-panel>`;
  }

  async #toggle(running: boolean): Promise<void> {
    const desk = this.#desk;
    if (desk === undefined) return;
    await this.#action.run(async () => {
      await (running ? desk.stop() : desk.start());
      return "";
    });
    await this.#poll.refresh();
  }

  #summarise(): void {
    const pipeline = this.#poll.value?.pipeline;
    if (pipeline?.running !== true) return;
    this.summary = pipeline.edges
      .map(
        (edge) =>
          `${edge.stage}: ${formatRate(this.#rates.perSecond(edge))} records per second, ` +
          `${formatNumberOf(edge.lagRecords, "record")} behind.`,
      )
      .join(" ");
  }
}

customElements.define("mill-pipelines", MillPipelines);

declare global {
  interface HTMLElementTagNameMap {
    "mill-pipelines": MillPipelines;
  }
}
