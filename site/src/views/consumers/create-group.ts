/** Asks what a group is to be, and creates it. */
import {
  html,
  LitElement,
  type nothing,
  type PropertyDeclarations,
  type TemplateResult,
} from "lit";
import type { GroupStart, Millrace } from "millrace";
import { ActionController } from "../../controllers/action-controller.ts";
import { goTo } from "../../controllers/navigation-controller.ts";
import { baseStyles } from "../../kit/base-styles.ts";
import { formStyles } from "../../kit/form-styles.ts";
import { errorNotice } from "../page-actions.ts";
import "../../kit/drawer.ts";
import "./start-field.ts";

/** `show()` asks; fires `mill-changed` when a group was created. */
export class MillCreateGroup extends LitElement {
  static override get properties(): PropertyDeclarations {
    return {
      millrace: { attribute: false },
      streamNames: { state: true },
      name: { state: true },
      streamName: { state: true },
      from: { state: true },
    };
  }

  static override readonly styles = [baseStyles, formStyles];

  /** The open engine. */
  declare millrace: Millrace | undefined;
  declare streamNames: readonly string[];
  declare name: string;
  declare streamName: string;
  declare from: GroupStart;

  readonly #listing = new ActionController(this);
  readonly #action = new ActionController(this);

  constructor() {
    super();
    this.millrace = undefined;
    this.streamNames = [];
    this.name = "";
    this.streamName = "";
    this.from = "TRIM_HORIZON";
  }

  /** Asks. */
  async show(): Promise<void> {
    this.#action.clear();
    this.name = "";
    this.renderRoot.querySelector("mill-drawer")?.show();
    await this.#listing.run(async () => {
      const streams = (await this.millrace?.streams.list()) ?? [];
      this.streamNames = streams.map(({ name }) => name);
      if (!this.streamNames.includes(this.streamName)) this.streamName = this.streamNames[0] ?? "";
      return "";
    });
  }

  override render(): TemplateResult | typeof nothing {
    return html`<mill-drawer heading="Create a consumer group" placement="middle">
      <form novalidate @submit=${this.#create}>
        <label>
          Name
          <span class="hint">1 to 128 of a-z, A-Z, 0-9, _ . -; unique in the engine</span>
          <input
            type="text"
            name="group"
            class="mono"
            autocomplete="off"
            spellcheck="false"
            .value=${this.name}
            @input=${this.#takeName}
          />
        </label>
        <label>
          Stream
          <select name="stream" @change=${this.#takeStream}>
            ${this.streamNames.map(
              (name) =>
                html`<option value=${name} ?selected=${name === this.streamName}>${name}</option>`,
            )}
          </select>
        </label>
        <mill-start-field
          label="Begins"
          @mill-start=${(event: CustomEvent<GroupStart>) => {
            this.from = event.detail;
          }}
        ></mill-start-field>
        ${errorNotice("The streams cannot be listed", this.#listing.error)}
        ${errorNotice("The group was not created", this.#action.error)}
        <div class="buttons">
          <button type="submit" class="main" ?disabled=${this.#action.busy}>Create</button>
        </div>
      </form>
    </mill-drawer>`;
  }

  #takeName({ target }: Event): void {
    if (target instanceof HTMLInputElement) this.name = target.value;
  }

  #takeStream({ target }: Event): void {
    if (target instanceof HTMLSelectElement) this.streamName = target.value;
  }

  async #create(event: Event): Promise<void> {
    event.preventDefault();
    const { millrace, name, streamName, from } = this;
    if (millrace === undefined) return;
    const done = await this.#action.run(async () => {
      const stream = await millrace.streams.get(streamName);
      await stream.group(name, { from });
      return `${name} was created.`;
    });
    if (!done) return;
    this.renderRoot.querySelector("mill-drawer")?.close();
    this.dispatchEvent(new CustomEvent("mill-changed"));
    this.dispatchEvent(goTo({ place: "consumers", group: name }));
  }
}

customElements.define("mill-create-group", MillCreateGroup);

declare global {
  interface HTMLElementTagNameMap {
    "mill-create-group": MillCreateGroup;
  }
}
