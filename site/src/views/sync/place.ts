/** The Sync place: records that are kept while the network is away, and arrive in order when it is back. */
import {
  css,
  html,
  LitElement,
  type PropertyDeclarations,
  type PropertyValues,
  type TemplateResult,
} from "lit";
import { ActionController } from "../../controllers/action-controller.ts";
import { BeatController } from "../../controllers/beat-controller.ts";
import type { OpenEngine } from "../../controllers/engine-controller.ts";
import { MediaController } from "../../controllers/media-controller.ts";
import { PollController } from "../../controllers/poll-controller.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { codeDrawer } from "../../kit/code-drawer.ts";
import { formStyles } from "../../kit/form-styles.ts";
import { eventListStyles, frameStyles, pairStyles, stackStyles } from "../../kit/layout-styles.ts";
import { formatNumberOf } from "../../live/format.ts";
import { syncSamples } from "../../sync/samples.ts";
import { SyncDesk, type SyncReading } from "../../sync/sync-desk.ts";
import { type EdgeReading, edgeStrip, readEdge } from "../edge.ts";
import {
  codeButton,
  errorNotice,
  placeHeader,
  reopenNotice,
  startButton,
} from "../page-actions.ts";
import { placeStyles } from "../streams/place-styles.ts";
import {
  arrivalMark,
  farPanel,
  nearPanel,
  replicationPanel,
  stateMark,
  wayPanel,
} from "./panels.ts";

const READING_MS = 500;
const SUMMARY_MS = 5000;

/** One reading of all that the place shows. */
interface Reading extends EdgeReading {
  readonly sync: SyncReading;
}

/** Fires `mill-reopen`. */
export class MillSync extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { engine: { attribute: false }, summary: { state: true } };
  }

  static override readonly styles = [
    baseStyles,
    placeStyles,
    frameStyles,
    pairStyles,
    stackStyles,
    formStyles,
    eventListStyles,
    css`
      fieldset label {
        display: flex;
        align-items: center;
        gap: calc(var(--unit) * 2);
        font-weight: 400;
      }

      code,
      #last-error {
        font-family: var(--face-mono);
        overflow-wrap: anywhere;
      }
    `,
  ];

  /** The open engine. */
  declare engine: OpenEngine | undefined;
  declare summary: string;

  readonly #media = new MediaController(this);
  readonly #action = new ActionController(this);
  readonly #poll = new PollController<Reading | undefined>(this, READING_MS, async () => {
    const { engine } = this;
    const desk = this.#desk;
    if (engine === undefined || desk === undefined) return undefined;
    const [edge, sync] = await Promise.all([readEdge(engine.millrace), desk.read()]);
    return { ...edge, sync };
  });

  constructor() {
    super();
    this.engine = undefined;
    this.summary = "";
    new BeatController(this, SUMMARY_MS, () => this.#summarise());
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("engine")) this.#poll.restart();
  }

  get #desk(): SyncDesk | undefined {
    const { engine } = this;
    return engine === undefined ? undefined : SyncDesk.of(engine.millrace);
  }

  override render(): TemplateResult {
    const reading = this.#poll.value;
    const desk = this.#desk;
    return html`<div class="page">
        ${this.#header(reading?.sync.running === true)}
        ${reopenNotice("The replication cannot be read", this.#poll.error, () => this.dispatchEvent(new CustomEvent("mill-reopen")))}
        ${errorNotice("This could not be done", this.#action.error)}
        ${errorNotice("The replication ended", desk?.error)}
        ${
          reading === undefined || desk === undefined
            ? html`<p role="status">Reading the replication…</p>`
            : this.#panels(reading.sync, desk)
        }
        <div class="visually-hidden" role="status">${this.summary}</div>
      </div>
      ${edgeStrip(reading, this.#media.online)}
      ${codeDrawer(syncSamples())}`;
  }

  #header(running: boolean): TemplateResult {
    const about =
      "Store and forward: what is put stays here while the network is away, and arrives in order " +
      "when it is back.";
    return placeHeader("Sync", about, [
      startButton({
        running,
        onToggle: () => void this.#do(async (desk) => await (running ? desk.stop() : desk.start())),
        what: "the sync",
        disabled: this.#action.busy,
      }),
      codeButton(() => this.renderRoot.querySelector("mill-drawer")?.show()),
    ]);
  }

  #panels(sync: SyncReading, desk: SyncDesk): TemplateResult {
    return html`<div class="pair">
        ${nearPanel(sync, {
          perSecond: desk.perSecond,
          onRate: (perSecond) => {
            desk.perSecond = perSecond;
            this.requestUpdate();
          },
          onPut: (on) => void this.#do(async () => desk.put(on)),
        })}
        ${wayPanel(sync, this.#media.online, (state) => void this.#do(async () => desk.setWay(state)))}
      </div>
      <div class="pair">
        ${replicationPanel(sync, desk.events, {
          busy: this.#action.busy,
          onHold: (on) => void this.#do(async () => await desk.hold(on)),
        })}
        ${farPanel(sync)}
      </div>`;
  }

  async #do(act: (desk: SyncDesk) => Promise<void>): Promise<void> {
    const desk = this.#desk;
    if (desk === undefined) return;
    await this.#action.run(async () => {
      await act(desk);
      return "";
    });
    await this.#poll.refresh();
  }

  #summarise(): void {
    const sync = this.#poll.value?.sync;
    if (sync?.running !== true) return;
    const unsent = formatNumberOf(sync.status?.lagRecords ?? 0, "record");
    this.summary = `${stateMark(sync).text}. ${unsent} unsent. ${arrivalMark(sync).text}.`;
  }
}

customElements.define("mill-sync", MillSync);

declare global {
  interface HTMLElementTagNameMap {
    "mill-sync": MillSync;
  }
}
