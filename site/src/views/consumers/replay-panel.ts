/** Sets a group back to an earlier position, or deletes it. */
import { html, LitElement, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import type { GroupDescription, GroupStart, ResetOptions } from "millrace";
import type { GroupReading } from "../../consumers/groups-meter.ts";
import { ActionController } from "../../controllers/action-controller.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { formStyles } from "../../kit/form-styles.ts";
import { stackStyles } from "../../kit/layout-styles.ts";
import { formatNumberOf } from "../../live/format.ts";
import { errorNotice } from "../page-actions.ts";
import "../../kit/panel.ts";
import "./start-field.ts";

/** Of one group for its whole life. Fires `mill-changed` when that was set back, and `mill-delete` to ask for its end. */
export class MillReplayPanel extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      reading: { attribute: false },
      from: { state: true },
      shardId: { state: true },
      force: { state: true },
    };
  }

  static override readonly styles = [baseStyles, formStyles, stackStyles];

  /** The group that is looked at. */
  declare reading: GroupReading | undefined;
  declare from: GroupStart;
  /** Empty for all shards. */
  declare shardId: string;
  declare force: boolean;

  readonly #action = new ActionController(this);

  constructor() {
    super();
    this.reading = undefined;
    this.from = "TRIM_HORIZON";
    this.shardId = "";
    this.force = true;
  }

  override render(): TemplateResult | typeof nothing {
    if (this.reading === undefined) return nothing;
    const { group, description } = this.reading;
    const { busy, answer, error } = this.#action;
    return html`<mill-panel .heading=${`Replay of ${group.name}`}>
      <form class="stack" novalidate @submit=${this.#reset}>
        <mill-start-field
          label="From"
          @mill-start=${(event: CustomEvent<GroupStart>) => {
            this.from = event.detail;
          }}
        ></mill-start-field>
        ${this.#shards(description)}
        <label class="choice">
          <input
            type="checkbox"
            name="force"
            .checked=${this.force}
            @change=${({ target }: Event) => {
              if (target instanceof HTMLInputElement) this.force = target.checked;
            }}
          />
          <span>Take the leases from the workers that own them</span>
        </label>
        <p class="soft">${this.#loss(description)}</p>
        <div class="buttons">
          <button type="submit" id="replay" ?disabled=${busy}>Replay</button>
          <button
            type="button"
            class="danger"
            id="delete"
            @click=${() => this.dispatchEvent(new CustomEvent("mill-delete"))}
          >
            Delete the group…
          </button>
        </div>
        <p class="small" role="status">${answer}</p>
        ${errorNotice("The group was not set back", error)}
      </form>
    </mill-panel>`;
  }

  #shards({ leases }: GroupDescription): TemplateResult {
    return html`<label>
      Shards
      <select
        name="shard"
        @change=${({ target }: Event) => {
          if (target instanceof HTMLSelectElement) this.shardId = target.value;
        }}
      >
        <option value="" ?selected=${this.shardId === ""}>All</option>
        ${leases.map(
          ({ shardId, shardIndex }) =>
            html`<option value=${shardId} ?selected=${shardId === this.shardId}>
              Shard ${shardIndex}
            </option>`,
        )}
      </select>
    </label>`;
  }

  #loss({ leases }: GroupDescription): string {
    const count = this.shardId === "" ? leases.length : 1;
    return (
      `The ${count === 1 ? "checkpoint" : "checkpoints"} of ${formatNumberOf(count, "shard")} and what ` +
      "was counted with them will be forgotten; the records stay, and come again."
    );
  }

  async #reset(event: Event): Promise<void> {
    event.preventDefault();
    const { reading, from, shardId, force } = this;
    if (reading === undefined) return;
    const options: ResetOptions = { force, ...(shardId === "" ? {} : { shardId }) };
    await this.#action.run(async () => {
      await reading.group.reset(from, options);
      return "Set back.";
    });
    this.dispatchEvent(new CustomEvent("mill-changed"));
  }
}

customElements.define("mill-replay-panel", MillReplayPanel);

declare global {
  interface HTMLElementTagNameMap {
    "mill-replay-panel": MillReplayPanel;
  }
}
