/** Which pages may talk to a server: a browser runs the scripts of whatever site its user visits. */
import { isIP } from "node:net";
import type { IncomingCall } from "./exchange.ts";

/** Every origin. */
const ANY = "*";

/** Names that nobody can register: they lead to this machine, or into the network that it is in. */
const PRIVATE_NAME = /(^|\.)(localhost|local|internal|test|home\.arpa)$/;

/** Whether an address or a name is of this machine only. */
export function isLoopback(host: string): boolean {
  const name = host === "localhost" || host.endsWith(".localhost");
  return name || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** The name or address in a URL, without the brackets of IPv6; undefined when it is no URL. */
function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, "") : undefined;
}

/** Whether a text is an origin as browsers send it, or stands for every one. */
export function isOrigin(text: unknown): boolean {
  if (typeof text !== "string") return false;
  if (text === ANY || text === "null") return true;
  return URL.canParse(text) && new URL(text).origin === text;
}

/**
 * Whether the page that makes a call, if a page makes it, is one of the origins; of this machine when
 * there is no list. Browsers name the origin of every page that posts.
 */
export function isWelcome(call: IncomingCall, origins: readonly string[] | undefined): boolean {
  const origin = call.header("origin");
  if (origin === undefined) return true;
  if (origins === undefined) return isLoopback(hostOf(origin) ?? "");
  return origins.includes(ANY) || origins.includes(origin);
}

/**
 * Whether the server was asked by an address or a private name. A site can let its own name lead to this
 * machine, and its pages are then of one origin with the server; an address it cannot name.
 */
export function isAskedPrivately(call: IncomingCall): boolean {
  const authority = call.header(":authority") ?? call.header("host");
  if (authority === undefined) return true;
  const host = hostOf(`http://${authority}`);
  if (host === undefined) return false;
  return isIP(host) !== 0 || !host.includes(".") || PRIVATE_NAME.test(host);
}
