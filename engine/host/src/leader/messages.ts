/** Messages of other contexts, which may be of any build: nothing is taken for granted of them. */

/** Whether a message can have members at all. */
export function isObject(message: unknown): message is object {
  return typeof message === "object" && message !== null;
}
