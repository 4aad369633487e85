/** Messages of other contexts, which may be of any build: nothing is taken for granted of them. */
import type { Port } from "../platform/platform.ts";
import type { CodeVersion, TabMessage } from "./tab-protocol.ts";

/** A message of which nothing is known but that it can have members. */
type Unknown<Message> = Message extends unknown
  ? { readonly [Member in keyof Message]?: unknown }
  : never;

/** Whether a message can have members at all. */
export function isObject(message: unknown): message is object {
  return typeof message === "object" && message !== null;
}

/** Whether something came over as a port. */
export function isPort(value: unknown): value is Port {
  return isObject(value) && "listen" in value && typeof value.listen === "function";
}

/** Whether something tells the version of a build. */
export function isCode(value: unknown): value is CodeVersion {
  if (!isObject(value)) return false;
  const { protocol, version, walFormat }: Unknown<CodeVersion> = value;
  return (
    Number.isSafeInteger(protocol) && typeof version === "string" && Number.isSafeInteger(walFormat)
  );
}

/** Whether something heard on a broadcast channel is a message of ours, of a kind that this build knows. */
export function isTabMessage(value: unknown): value is TabMessage {
  if (!isObject(value)) return false;
  const message = value as Unknown<TabMessage>;
  if (message.millrace !== 1) return false;
  switch (message.kind) {
    case "leads":
      return (
        "epoch" in message &&
        Number.isSafeInteger(message.epoch) &&
        "leaderId" in message &&
        typeof message.leaderId === "string" &&
        "code" in message &&
        isCode(message.code)
      );
    case "please-yield":
      return "code" in message && isCode(message.code);
    case "resigns":
      return "epoch" in message && Number.isSafeInteger(message.epoch);
    case "relay":
      return (
        "number" in message &&
        Number.isSafeInteger(message.number) &&
        [
          "to" in message && message.to,
          "from" in message && message.from,
          "connection" in message && message.connection,
        ].every((name) => typeof name === "string")
      );
    default:
      return message.kind === "who-leads" || message.kind === "opens";
  }
}
