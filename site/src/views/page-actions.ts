/** What stands at the head of every place: its name, its buttons, and the notice that something cannot be read. */
import { html, nothing, type TemplateResult } from "lit";
import { iconShape } from "../kit/icons.ts";
import type { ShownError } from "../live/advice.ts";
import "../kit/notice.ts";

/** The head of a place: what it is called, what it is for, and its buttons. */
export function placeHeader(
  heading: string,
  about: string,
  buttons: TemplateResult | readonly TemplateResult[],
): TemplateResult {
  return html`<header class="head">
    <div>
      <h1>${heading}</h1>
      <p class="soft">${about}</p>
    </div>
    <div class="actions">${buttons}</div>
  </header>`;
}

/** A button that starts and stops what a place does. */
export interface StartButton {
  readonly running: boolean;
  readonly onToggle: () => void;
  /** What is started, as in "the pipeline"; the place itself when absent. */
  readonly what?: string;
  readonly disabled?: boolean;
}

/** `<button id="start">`, or `id="stop"` while it runs. */
export function startButton({ running, onToggle, what, disabled }: StartButton): TemplateResult {
  const word = running ? "Stop" : "Start";
  return html`<button
    type="button"
    class=${running ? "" : "main"}
    id=${running ? "stop" : "start"}
    ?disabled=${disabled === true}
    @click=${onToggle}
  >
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      ${iconShape(running ? "pause" : "play")}
    </svg>
    ${what === undefined ? word : `${word} ${what}`}
  </button>`;
}

/** A button that stops and starts what goes on by itself. */
export interface PauseButton {
  readonly paused: boolean;
  readonly onToggle: () => void;
  /** What is paused, as in "the meters"; the place itself when absent. */
  readonly what?: string;
  /** Whether it is the first thing to do here. */
  readonly main?: boolean;
}

/** `<button id="pause">`. */
export function pauseButton({ paused, onToggle, what, main }: PauseButton): TemplateResult {
  const word = paused ? "Resume" : "Pause";
  return html`<button
    type="button"
    class=${main === true ? "main" : ""}
    id="pause"
    @click=${onToggle}
  >
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      ${iconShape(paused ? "play" : "pause")}
    </svg>
    ${what === undefined ? word : `${word} ${what}`}
  </button>`;
}

/** `<button id="show-code">`. */
export function codeButton(onShow: () => void): TemplateResult {
  return html`<button type="button" id="show-code" @click=${onShow}>
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${iconShape("code")}</svg>
    Show code
  </button>`;
}

/** An error that opening the engine again may help against; nothing without one. */
export function reopenNotice(
  heading: string,
  error: ShownError | undefined,
  onReopen: () => void,
): TemplateResult | typeof nothing {
  return errorNotice(
    heading,
    error,
    html`<button type="button" @click=${onReopen}>Open the engine again</button>`,
  );
}

/** An error with what can be done about it, in the engine's words; nothing without one. */
export function errorNotice(
  heading: string,
  error: ShownError | undefined,
  actions: TemplateResult | typeof nothing = nothing,
): TemplateResult | typeof nothing {
  if (error === undefined) return nothing;
  return html`<mill-notice
    .heading=${heading}
    .message=${error.message}
    .code=${error.code}
    .advice=${error.advice}
  >
    ${actions}
  </mill-notice>`;
}
