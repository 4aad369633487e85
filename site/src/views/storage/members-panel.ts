/** Which tab writes the log, and what part this one plays. */
import { html, LitElement, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import type { MemberStatus } from "millrace";
import { baseStyles } from "../../kit/base-styles.ts";
import { stackStyles } from "../../kit/layout-styles.ts";
import { formatNumberOf } from "../../live/format.ts";
import { roleMark, shortId, transportText } from "../../storage/words.ts";
import "../../kit/lamp.ts";
import "../../kit/panel.ts";
import "../../kit/reading.ts";

const SOURCE = "from millrace.member(), answered by this tab's own worker";

/** A lamp and a few readings. */
export class MillMembersPanel extends LitElement {
  static override get properties(): PropertyDeclarations {
    return { member: { attribute: false } };
  }

  static override readonly styles = [baseStyles, stackStyles];

  /** This tab's status. */
  declare member: MemberStatus | undefined;

  constructor() {
    super();
    this.member = undefined;
  }

  override render(): TemplateResult {
    const { member } = this;
    if (member === undefined) return html`<mill-panel heading="Tabs"></mill-panel>`;
    const { state, text } = roleMark(member);
    return html`<mill-panel heading="Tabs">
      <div class="stack">
        <p><mill-lamp id="role" .state=${state}>${text}</mill-lamp></p>
        <p class="soft">${explain(member)}</p>
        ${member.why === undefined ? nothing : html`<p>${member.why}</p>`}
        <div class="readings">
          ${reading("Leader's epoch", String(member.epoch), "term")}
          ${reading("Leader", shortId(member.leaderId), member.role === "leader" ? "this tab" : "")}
          ${reading("This tab", shortId(member.memberId), "")}
          ${member.role === "leader" ? reading("Connected", ...membersText(member)) : nothing}
          ${reading("Way to the log", transportText(member.transport), "")}
        </div>
      </div>
    </mill-panel>`;
  }
}

function reading(label: string, value: string, unit: string): TemplateResult {
  return html`<mill-reading
    label=${label}
    .value=${value}
    .unit=${unit}
    .source=${SOURCE}
  ></mill-reading>`;
}

function membersText({ members }: MemberStatus): [string, string] {
  return [String(members), formatNumberOf(members, "tab").replace(/^\S+ /, "")];
}

function explain({ role, leaderId }: MemberStatus): string {
  switch (role) {
    case "leader":
      return "This tab's worker writes the log for all tabs. When it ends, another one takes over.";
    case "follower":
      return leaderId === undefined
        ? "The last leader is gone and the next one is being found. What is under way is kept and sent again."
        : "Another tab's worker writes the log. This one sends to it, and takes over when it ends.";
    case "client":
      return "Another tab's worker writes the log. This one sends to it and never leads.";
    case "alone":
      return "This engine is not shared: no other tab can open it.";
  }
}

customElements.define("mill-members-panel", MillMembersPanel);

declare global {
  interface HTMLElementTagNameMap {
    "mill-members-panel": MillMembersPanel;
  }
}
