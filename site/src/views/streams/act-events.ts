/** What the parts of the Streams place tell each other: events that reach the place from any depth. */
import type { Act } from "../../streams/samples.ts";

/** Name of the event that asks for the code of an act. */
export const SHOW_CODE = "mill-show-code";

/** An event that asks for the code of an act. */
export function showCode(act: Act): CustomEvent<Act> {
  return new CustomEvent(SHOW_CODE, { detail: act, bubbles: true, composed: true });
}

/** Name of the event that tells that a stream has been changed, so that it is read anew. */
export const CHANGED = "mill-changed";

/** An event that tells that a stream has been changed. */
export function changed(): CustomEvent<null> {
  return new CustomEvent(CHANGED, { detail: null, bubbles: true, composed: true });
}
