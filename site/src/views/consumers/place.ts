/** The Consumers place: groups with their leases, and the workers of this tab that read for them. */
import {
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type PropertyValues,
  type TemplateResult,
} from "lit";
import { keyed } from "lit/directives/keyed.js";
import type { JobSummary } from "millrace";
import { Crew } from "../../consumers/crew.ts";
import { seedDemo, startDemo } from "../../consumers/demo-group.ts";
import { type GroupReading, GroupsMeter } from "../../consumers/groups-meter.ts";
import { selectedName } from "../../consumers/selection.ts";
import { ageText, groupSummary, iteratorAgeOf, lagOf } from "../../consumers/words.ts";
import { ActionController } from "../../controllers/action-controller.ts";
import { BeatController } from "../../controllers/beat-controller.ts";
import type { OpenEngine } from "../../controllers/engine-controller.ts";
import { MediaController } from "../../controllers/media-controller.ts";
import { goTo } from "../../controllers/navigation-controller.ts";
import { PollController } from "../../controllers/poll-controller.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { frameStyles, pairStyles, stackStyles } from "../../kit/layout-styles.ts";
import type { ShownError } from "../../live/advice.ts";
import { formatCount, formatRate } from "../../live/format.ts";
import type { ConsumersAddress } from "../../places/address.ts";
import { type EdgeReading, edgeStrip, readEdge } from "../edge.ts";
import {
  codeButton,
  errorNotice,
  pauseButton,
  placeHeader,
  reopenNotice,
} from "../page-actions.ts";
import { placeStyles } from "../streams/place-styles.ts";
import "../../kit/panel.ts";
import "../../kit/reading.ts";
import "../start-over.ts";
import "./consumers-code.ts";
import "./create-group.ts";
import "./crew-events.ts";
import "./group-table.ts";
import "./jobs-table.ts";
import "./lease-table.ts";
import "./replay-panel.ts";
import "./workers-panel.ts";

const READING_MS = 500;
const SUMMARY_MS = 5000;
const HERE = "counted by this tab's workers since the page was opened";
const LEADER = "from group.describe(), answered by the leader";

/** One reading of all that the place shows. */
interface Reading extends EdgeReading {
  readonly jobs: readonly JobSummary[];
  readonly groups: readonly GroupReading[];
  /** Number of the reading. */
  readonly number: number;
}

/** Fires `mill-reopen`. */
export class MillConsumers extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      engine: { attribute: false },
      address: { attribute: false },
      summary: { state: true },
    };
  }

  static override readonly styles = [baseStyles, placeStyles, frameStyles, stackStyles, pairStyles];

  /** The open engine. */
  declare engine: OpenEngine | undefined;
  /** Which group is looked at. */
  declare address: ConsumersAddress;
  declare summary: string;

  readonly #media = new MediaController(this);
  readonly #action = new ActionController(this);
  #meter = new GroupsMeter();
  #readings = 0;
  /** Name of the group that is shown. */
  #shown: string | undefined;
  readonly #poll = new PollController<Reading | undefined>(this, READING_MS, async () => {
    const millrace = this.engine?.millrace;
    if (millrace === undefined) return undefined;
    const [edge, groups, jobs] = await Promise.all([
      readEdge(millrace),
      this.#meter.read(millrace),
      millrace.jobs.list(),
    ]);
    this.#readings += 1;
    return { ...edge, groups, jobs, number: this.#readings };
  });

  constructor() {
    super();
    this.engine = undefined;
    this.address = { place: "consumers", group: undefined };
    this.summary = "";
    new BeatController(this, SUMMARY_MS, () => this.#summarise());
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    this.#shown = this.#selectedName();
    if (!changed.has("engine")) return;
    this.#meter = new GroupsMeter();
    this.#poll.restart();
    const { engine } = this;
    if (engine !== undefined) void this.#act(() => seedDemo(engine));
  }

  override render(): TemplateResult {
    const reading = this.#poll.value;
    const selected = this.#selected();
    return html`<div class="page">
        ${this.#header()}
        ${this.#notice("The groups cannot be read", this.#poll.error)}
        ${errorNotice("This could not be done", this.#action.error)}
        ${reading === undefined ? html`<p role="status">Reading the groups…</p>` : this.#groups(reading)}
        ${reading === undefined || selected === undefined ? nothing : this.#group(reading, selected)}
        ${reading === undefined ? nothing : html`<mill-jobs-table .jobs=${reading.jobs}></mill-jobs-table>`}
        <div class="visually-hidden" role="status">${this.summary}</div>
      </div>
      ${edgeStrip(reading, this.#media.online)}
      <mill-consumers-code .definition=${selected?.description.definition}></mill-consumers-code>
      <mill-create-group
        .millrace=${this.engine?.millrace}
        @mill-changed=${() => this.#poll.refresh()}
      ></mill-create-group>
      ${this.#deletion(selected)}`;
  }

  #selected(): GroupReading | undefined {
    const name = this.#selectedName();
    return this.#poll.value?.groups.find(({ group }) => group.name === name);
  }

  #selectedName(): string | undefined {
    const names = this.#poll.value?.groups.map(({ group }) => group.name) ?? [];
    return selectedName(names, this.address.group, this.#shown);
  }

  #header(): TemplateResult {
    const about =
      "Groups share a stream's shards among their workers, in this tab and in others; what one leaves, " +
      "another goes on with from the checkpoint.";
    return placeHeader("Consumers", about, [
      pauseButton({
        paused: this.#poll.paused,
        onToggle: () => this.#poll.togglePause(),
        what: "the readings",
      }),
      codeButton(() => this.renderRoot.querySelector("mill-consumers-code")?.show()),
    ]);
  }

  #groups({ groups }: Reading): TemplateResult {
    return html`<mill-panel heading="Groups">
      <button
        type="button"
        slot="actions"
        id="create"
        @click=${() => this.renderRoot.querySelector("mill-create-group")?.show()}
      >
        Create a group…
      </button>
      ${
        groups.length === 0
          ? html`<div class="line">
              <p>There is no group: nobody reads with leases and checkpoints yet.</p>
              <button type="button" class="main" id="demo" @click=${this.#startDemo}>
                Start the demo
              </button>
            </div>`
          : html`<mill-group-table
              .readings=${groups}
              .selected=${this.#selected()?.group.name ?? ""}
            ></mill-group-table>`
      }
    </mill-panel>`;
  }

  #group({ member, number }: Reading, reading: GroupReading): TemplateResult | typeof nothing {
    const { engine } = this;
    if (engine === undefined) return nothing;
    const { group, description } = reading;
    const crew = Crew.of(engine.millrace);
    const refresh = (): void => void this.#poll.refresh();
    return html`<mill-panel .heading=${`Leases of ${group.name}`}>
        <div class="stack">
          ${this.#readingsOf(crew, reading)}
          <mill-lease-table
            .leases=${description.leases}
            .tally=${crew.tally(group)}
            .memberId=${member.memberId}
            .drawn=${number}
          ></mill-lease-table>
        </div>
      </mill-panel>
      <div class="pair">
        <mill-workers-panel
          .crew=${crew}
          .group=${group}
          .workers=${description.workers}
          .memberId=${member.memberId}
          .drawn=${number}
          @mill-changed=${refresh}
        ></mill-workers-panel>
        ${keyed(
          group.name,
          html`<mill-replay-panel
            .reading=${reading}
            @mill-changed=${refresh}
            @mill-delete=${() => this.renderRoot.querySelector("mill-start-over")?.show()}
          ></mill-replay-panel>`,
        )}
      </div>
      <mill-crew-events .events=${crew.events(group.name)}></mill-crew-events>`;
  }

  #readingsOf(crew: Crew, { group, description }: GroupReading): TemplateResult {
    const tally = crew.tally(group);
    const shown = (label: string, value: string, unit: string, source: string): TemplateResult =>
      html`<mill-reading
        label=${label}
        .value=${value}
        .unit=${unit}
        .source=${source}
      ></mill-reading>`;
    const [age = "", ageUnit = ""] = ageText(iteratorAgeOf(description)).split(" ");
    const rate = formatRate(tally.perSecond(performance.now()));
    return html`<div class="readings">
      ${shown("Lag", formatCount(lagOf(description)), "records", LEADER)}
      ${shown("Iterator age", age, ageUnit, LEADER)}
      ${shown("Checkpointed here", formatCount(tally.processed), `records, ${rate} per second`, HERE)}
      ${shown("Delivered again", formatCount(tally.again), "records", `${HERE}: never counted twice`)}
    </div>`;
  }

  #deletion(selected: GroupReading | undefined): TemplateResult {
    const name = selected?.group.name ?? "";
    return html`<mill-start-over
      .heading=${"Delete a group"}
      .action=${"Delete the group"}
      .streamName=${name}
      .loss=${`The group ${name} with its leases and checkpoints, and what was counted with them, will be deleted. The records of its stream stay.`}
      @mill-confirmed=${() => selected !== undefined && this.#delete(selected)}
    ></mill-start-over>`;
  }

  #notice(heading: string, error: ShownError | undefined): TemplateResult | typeof nothing {
    return reopenNotice(heading, error, () => this.dispatchEvent(new CustomEvent("mill-reopen")));
  }

  async #startDemo(): Promise<void> {
    const { engine } = this;
    if (engine !== undefined) await this.#act(() => startDemo(engine));
  }

  async #delete({ group }: GroupReading): Promise<void> {
    await this.#act(() => group.delete());
    this.dispatchEvent(goTo({ place: "consumers", group: undefined }));
  }

  async #act(act: () => Promise<void>): Promise<void> {
    await this.#action.run(async () => {
      await act();
      return "";
    });
    await this.#poll.refresh();
  }

  #summarise(): void {
    const selected = this.#selected();
    if (selected === undefined || this.#poll.paused) return;
    this.summary = groupSummary(selected.description);
  }
}

customElements.define("mill-consumers", MillConsumers);

declare global {
  interface HTMLElementTagNameMap {
    "mill-consumers": MillConsumers;
  }
}
