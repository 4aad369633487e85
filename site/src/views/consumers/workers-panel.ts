/** The workers of a group: those of this tab can be started, stopped and killed here. */
import {
  css,
  html,
  LitElement,
  nothing,
  type PropertyDeclarations,
  type TemplateResult,
} from "lit";
import type { ConsumerGroup, WorkerDescription } from "millrace";
import type { Crew, CrewWorker, Reads } from "../../consumers/crew.ts";
import { workerMark } from "../../consumers/words.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { formStyles } from "../../kit/form-styles.ts";
import { stackStyles } from "../../kit/layout-styles.ts";
import { formatNumberOf } from "../../live/format.ts";
import "../../kit/lamp.ts";
import "../../kit/panel.ts";
import "../../kit/slider.ts";

/** Times that a record can take, in ms. */
const WORK_MS: readonly number[] = [0, 1, 2, 5, 10, 20, 50, 100];

/** Fires `mill-changed` after each act. */
export class MillWorkersPanel extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      crew: { attribute: false },
      group: { attribute: false },
      workers: { attribute: false },
      memberId: { type: String },
      drawn: { type: Number },
      reads: { state: true },
    };
  }

  static override readonly styles = [
    baseStyles,
    formStyles,
    stackStyles,
    css`
      li {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        gap: var(--unit) calc(var(--unit) * 3);
        align-items: center;
        padding-block: calc(var(--unit) * 2);
        border-block-end: 1px solid var(--line);
      }

      .name {
        overflow-wrap: anywhere;
        font-size: var(--text);
        font-weight: 500;
      }

      .small {
        font-size: var(--text-small);
      }

      li .buttons {
        flex-wrap: nowrap;
      }

      .settings {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(220px, 100%), 1fr));
        gap: calc(var(--unit) * 3);
      }

      .start {
        display: flex;
        flex-wrap: wrap;
        gap: calc(var(--unit) * 2);
      }

      .start select {
        flex: 1 1 220px;
        inline-size: 0;
        min-inline-size: 0;
        margin: 0;
      }
    `,
  ];

  /** The workers of this tab. */
  declare crew: Crew | undefined;
  /** The group that is looked at. */
  declare group: ConsumerGroup | undefined;
  /** All workers that the leader knows. */
  declare workers: readonly WorkerDescription[];
  /** Names this tab among the workers. */
  declare memberId: string;
  /** Number of the reading; the crew itself stays the same object. */
  declare drawn: number;
  declare reads: Reads;

  constructor() {
    super();
    this.crew = undefined;
    this.group = undefined;
    this.workers = [];
    this.memberId = "";
    this.drawn = 0;
    this.reads = "fan-out";
  }

  override render(): TemplateResult | typeof nothing {
    const { crew, group } = this;
    if (crew === undefined || group === undefined) return nothing;
    const own = crew.workers(group);
    const ownIds = new Set(own.map(({ workerId }) => workerId));
    const others = this.workers.filter(({ workerId }) => !ownIds.has(workerId));
    return html`<mill-panel heading="Workers">
      <div class="stack">
        ${
          own.length + others.length === 0
            ? html`<p class="soft">Nobody reads for this group: its lag grows.</p>`
            : html`<ul>
                ${own.map((worker) => this.#own(crew, group, worker))}
                ${others.map((worker) => other(worker, worker.memberId === this.memberId))}
              </ul>`
        }
        <div class="start">
          <button type="button" class="main" id="start" @click=${() => this.#start(crew, group)}>
            Start a worker here
          </button>
          <select aria-label="How the worker reads" name="reads" @change=${this.#takeReads}>
            <option value="fan-out" ?selected=${this.reads === "fan-out"}>
              Enhanced fan-out: 2 MiB/s of each shard for this group
            </option>
            <option value="polling" ?selected=${this.reads === "polling"}>
              Polling: shares each shard's 5 reads/s
            </option>
          </select>
        </div>
        ${this.#settings(crew, group)}
      </div>
    </mill-panel>`;
  }

  #own(crew: Crew, group: ConsumerGroup, worker: CrewWorker): TemplateResult {
    const { workerId, processed, failures, state, error } = worker;
    const mark = workerMark(state);
    const leases = this.workers.find((one) => one.workerId === workerId)?.leases ?? 0;
    const ended = state === "stopped" || state === "killed" || state === "failed";
    const act = (text: string, id: string, run: () => void): TemplateResult =>
      html`<button
        type="button"
        data-act=${id}
        aria-label="${text} ${workerId}"
        @click=${() => {
          run();
          this.#changed();
        }}
      >
        ${text}
      </button>`;
    return html`<li data-worker=${workerId} data-state=${state}>
      <div>
        <span class="name mono">${workerId}</span>
        <mill-lamp class="small" .state=${mark.state}>${mark.text}</mill-lamp>
        <div class="soft small">
          ${formatNumberOf(leases, "lease")}, ${formatNumberOf(processed, "record")} checkpointed,
          ${formatNumberOf(failures, "failure")}
        </div>
        ${error === undefined ? nothing : html`<div class="small">${error.message}</div>`}
      </div>
      <div class="buttons">
        ${
          ended
            ? act("Dismiss", "dismiss", () => crew.dismiss(group, workerId))
            : html`${state === "stopping" ? nothing : act("Stop", "stop", () => void crew.stop(group, workerId))}
              ${act("Kill", "kill", () => void crew.kill(group, workerId))}`
        }
      </div>
    </li>`;
  }

  #settings(crew: Crew, group: ConsumerGroup): TemplateResult {
    const { msPerRecord, throwing } = crew.settings(group);
    return html`<div class="settings">
      <mill-slider
        label="Work per record"
        hint="What a record costs the workers of this tab"
        .min=${0}
        .max=${WORK_MS.length - 1}
        .value=${Math.max(0, WORK_MS.indexOf(msPerRecord))}
        .text=${`${msPerRecord} ms`}
        @mill-slide=${(event: CustomEvent<number>) => {
          crew.set(group, { msPerRecord: WORK_MS[event.detail] ?? 0 });
          this.#changed();
        }}
      ></mill-slider>
      <label class="choice">
        <input
          type="checkbox"
          name="throwing"
          .checked=${throwing}
          @change=${(event: Event) => {
            if (!(event.target instanceof HTMLInputElement)) return;
            crew.set(group, { throwing: event.target.checked });
            this.#changed();
          }}
        />
        <span>Throw at every batch <span class="hint">it comes again after a pause</span></span>
      </label>
    </div>`;
  }

  #takeReads({ target }: Event): void {
    if (!(target instanceof HTMLSelectElement)) return;
    this.reads = target.value === "polling" ? "polling" : "fan-out";
  }

  #start(crew: Crew, group: ConsumerGroup): void {
    crew.start(group, this.reads);
    this.#changed();
  }

  #changed(): void {
    this.requestUpdate();
    this.dispatchEvent(new CustomEvent("mill-changed"));
  }
}

/** A worker that was not started here: a pipeline's or a job's, or one of another tab. */
function other(
  { workerId, leases, joined }: WorkerDescription,
  inThisTab: boolean,
): TemplateResult {
  const place = inThisTab ? "this tab, but not started here" : "another tab";
  return html`<li data-worker=${workerId} data-state="elsewhere">
    <div>
      <span class="name mono">${workerId}</span>
      <mill-lamp class="small" .state=${joined ? "good" : "warn"}>
        ${joined ? `Works in ${place}` : "Is waited for"}
      </mill-lamp>
      <div class="soft small">${formatNumberOf(leases, "lease")}</div>
    </div>
  </li>`;
}

customElements.define("mill-workers-panel", MillWorkersPanel);

declare global {
  interface HTMLElementTagNameMap {
    "mill-workers-panel": MillWorkersPanel;
  }
}
