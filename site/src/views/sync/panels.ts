/** The panels of the Sync place: this side, the way, the replication, and the far side. */
import { html, nothing, type TemplateResult } from "lit";
import { ageText, type Mark } from "../../consumers/words.ts";
import {
  formatClockTime,
  formatCount,
  formatMs,
  formatNumberOf,
  formatRate,
} from "../../live/format.ts";
import { FAR_ENGINE, FAR_STREAM, type WayState } from "../../sync/far-side.ts";
import {
  NEAR_STREAM,
  STATE_TEXTS,
  type SyncEvent,
  type SyncReading,
  WAY_TEXTS,
} from "../../sync/sync-desk.ts";
import "../../kit/lamp.ts";
import "../../kit/panel.ts";
import "../../kit/reading.ts";
import "../../kit/slider.ts";

const RATE_MAX = 400;
const RATE_STEP = 20;
const WAYS: readonly { readonly state: WayState; readonly name: string }[] = [
  { state: "there", name: "There" },
  { state: "gone", name: "Gone" },
  { state: "faulty", name: "Faulty: calls are lost, and answers" },
];

/** What can be done on this side. */
export interface NearActs {
  readonly perSecond: number;
  readonly onRate: (perSecond: number) => void;
  readonly onPut: (on: boolean) => void;
}

/** What is put here, whatever the network does. */
export function nearPanel(
  { running, putting, made, status }: SyncReading,
  acts: NearActs,
): TemplateResult {
  return html`<mill-panel heading="This side: ${NEAR_STREAM}" id="near">
    <div class="stack">
      <div class="readings">
        ${reading("Put here", formatCount(made), "records", "answers of putRecords, since this page opened")}
        ${reading("Unsent", countOf(status?.lagRecords), "records", "records behind the group's checkpoints")}
        ${reading("Oldest unsent", ageOf(status?.lagMs), "", "iterator age of the group")}
      </div>
      <mill-slider
        label="Records put"
        .min=${RATE_STEP}
        .max=${RATE_MAX}
        .step=${RATE_STEP}
        .value=${acts.perSecond}
        .text=${`${acts.perSecond} records/s`}
        @mill-slide=${(event: CustomEvent<number>) => acts.onRate(event.detail)}
      ></mill-slider>
      <div class="line">
        <p class="small soft">They are durable here before anything is sent.</p>
        <button
          type="button"
          id="put"
          aria-pressed=${putting ? "true" : "false"}
          ?disabled=${!running}
          @click=${() => acts.onPut(!putting)}
        >
          ${putting ? "Put no more" : "Put records"}
        </button>
      </div>
    </div>
  </mill-panel>`;
}

/** The network between the two sides, and what the browser says of the real one. */
export function wayPanel(
  { running, way }: SyncReading,
  online: boolean,
  onWay: (state: WayState) => void,
): TemplateResult {
  return html`<mill-panel heading="The network between" id="way">
    <form class="stack" @submit=${(event: Event) => event.preventDefault()}>
      <fieldset ?disabled=${!running}>
        <legend>For the replication it is</legend>
        ${WAYS.map(
          ({ state, name }) => html`<label>
            <input
              type="radio"
              name="way"
              value=${state}
              .checked=${way === state}
              @change=${() => onWay(state)}
            />
            ${name}
          </label>`,
        )}
      </fieldset>
      <p><mill-lamp state=${way === "there" ? "good" : "warn"}>${WAY_TEXTS[way]}</mill-lamp></p>
      <p>
        <mill-lamp state=${online ? "good" : "warn"}
          >${online ? "The browser says that it is online" : "The browser says that it is offline: nothing is sent"}</mill-lamp
        >
      </p>
    </form>
  </mill-panel>`;
}

/** What can be done with the replication. */
export interface ReplicationActs {
  readonly busy: boolean;
  readonly onHold: (on: boolean) => void;
}

/** How the replication is doing, and what befell it. */
export function replicationPanel(
  { running, status }: SyncReading,
  events: readonly SyncEvent[],
  acts: ReplicationActs,
): TemplateResult {
  const paused = status?.state === "paused";
  const { state, text } = stateMark({ running, status });
  return html`<mill-panel heading="The replication" id="replication">
    <div class="stack">
      <p data-state=${running ? (status?.state ?? "none") : "none"}>
        <mill-lamp state=${state}>${text}</mill-lamp>
      </p>
      <div class="readings">
        ${reading("Sent", countOf(status?.copiedRecords), "records", "stored by the far side, since it was started here")}
        ${reading("Speed", formatRate(status?.recordsPerSecond ?? 0), "records/s", "sent, over the last 10 s")}
        ${reading("Retries", countOf(status?.retries), "calls", "calls that failed and were or will be made again")}
        ${reading("Caught up in", ageOf(timeLeft(status)), "", "unsent records at the present speed")}
      </div>
      ${lastError(status?.lastError?.message)}
      <div class="line">
        <p class="small soft">Paused, this tab sends nothing, and keeps what it has to send.</p>
        <button
          type="button"
          id="hold"
          ?disabled=${!running || acts.busy}
          @click=${() => acts.onHold(!paused)}
        >
          ${paused ? "Resume" : "Pause"}
        </button>
      </div>
      ${eventList(events)}
    </div>
  </mill-panel>`;
}

/** What has arrived, as a consumer group over there counts it. */
export function farPanel({ made, arrivals, status }: SyncReading): TemplateResult {
  const { state, text } = arrivalMark({ made, arrivals, status });
  return html`<mill-panel heading="The far side: ${FAR_STREAM} of ${FAR_ENGINE}" id="far">
    <div class="stack">
      <div class="readings">
        ${reading("Arrived", formatCount(arrivals.records), "records", "of this page, counted by a consumer group there")}
        ${reading("Seen twice", formatCount(arrivals.twice), "records", "delivered to that group again")}
        ${reading("Sent twice", formatCount(arrivals.dropped), "records", "left out by the group, which knew their marks")}
        ${reading("Out of order", formatCount(arrivals.disordered), "records", "behind a later one of their key")}
      </div>
      <p><mill-lamp state=${state}>${text}</mill-lamp></p>
      <p class="small soft">
        The far side is a second engine of this browser behind AWS's protocol, reached by AWS's own
        client. A server, <code>millrace serve</code> or Kinesis itself cannot be named here: this
        page's security policy (<code>connect-src 'self'</code>) lets it reach nothing but its own
        files. In your application it is one line: see the code.
      </p>
    </div>
  </mill-panel>`;
}

/** Whether both sides are equal. */
export function arrivalMark({
  made,
  arrivals,
}: Pick<SyncReading, "made" | "arrivals" | "status">): Mark {
  const { records, twice, disordered } = arrivals;
  if (twice + disordered > 0) return { state: "hot", text: "The far side is not as this side is" };
  if (made === 0) return { state: "off", text: "Nothing was put yet" };
  if (records < made) {
    return { state: "busy", text: `${formatNumberOf(made - records, "record")} to come` };
  }
  return {
    state: "good",
    text: `All ${formatNumberOf(records, "record")} are there: in order, none twice`,
  };
}

/** What the replication does. */
export function stateMark({ running, status }: Pick<SyncReading, "running" | "status">): Mark {
  if (!running || status === undefined) return { state: "off", text: "Not started" };
  const text = STATE_TEXTS[status.state];
  if (status.state === "running") return { state: "good", text };
  if (status.state === "paused" && status.reason !== undefined) {
    return { state: "hot", text: `${text}: ${status.reason.message}` };
  }
  return { state: status.state === "starting" ? "busy" : "warn", text };
}

function lastError(message: string | undefined): TemplateResult | typeof nothing {
  if (message === undefined) return nothing;
  return html`<p class="small">Last error: <span id="last-error">${message}</span></p>`;
}

function eventList(events: readonly SyncEvent[]): TemplateResult {
  if (events.length === 0) return html`<p class="soft">Nothing has befallen it yet.</p>`;
  return html`<ol tabindex="0" role="list" aria-label="Events, the newest first">
    ${events.map(({ atMs, text }) => html`<li><time>${formatClockTime(atMs)}</time> ${text}</li>`)}
  </ol>`;
}

function reading(label: string, value: string, unit: string, source: string): TemplateResult {
  return html`<mill-reading
    label=${label}
    value=${value}
    unit=${unit}
    source=${source}
  ></mill-reading>`;
}

/** Nothing is nearer while nothing is sent. */
function timeLeft(status: SyncReading["status"]): number | undefined {
  return status?.state === "running" ? status.estimatedMs : undefined;
}

function countOf(count: number | undefined): string {
  return count === undefined ? "–" : formatCount(count);
}

function ageOf(ms: number | undefined): string {
  if (ms === undefined) return "–";
  return ms < 1 ? ageText(0) : formatMs(ms);
}
