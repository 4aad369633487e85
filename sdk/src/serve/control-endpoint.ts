/**
 * What a server answers under `/_millrace/`: for tests and tools, not for applications.
 *
 * | request | answer |
 * |---|---|
 * | `GET /_millrace/` | `{status, version, storage, durable, time}` |
 * | `GET /_millrace/time`, `POST` with `{"advanceMs": 1000}` | `{nowMs}` |
 * | `POST /_millrace/reset` | `{}`; everything is deleted |
 * | `GET /_millrace/faults`, `PUT` with `{"rules": [...]}`, `DELETE` | `{rules}` |
 * | `PUT /_millrace/trail` with `{"streamName": "..."}`, `DELETE` | `{streamName}` |
 * | `GET /_millrace/metrics` | `{storage, dataLoss, streams: {name: [counters per shard]}}` |
 *
 * Pages may not ask: what a browser sends for a page of another origin is refused, and without access keys
 * so is what is asked by a name that a page's own server could have. A server with access keys wants one:
 * signed as AWS requests are, or by HTTP's Basic scheme.
 */
import {
  type EngineClient,
  type FaultRule,
  InvalidArgumentError,
  MillraceError,
  VERSION,
} from "@millrace/engine";
import { errorAnswer, type HttpAnswer } from "../aws/http-exchange.ts";
import type { IncomingCall } from "./exchange.ts";
import { isAskedPrivately } from "./pages.ts";
import type { SignatureVerifier } from "./signature.ts";

/** Where the control endpoint begins. */
export const CONTROL_PATH = "/_millrace";

const JSON_TYPE = "application/json";

/** What the control endpoint works on. */
export interface ControlParts {
  readonly client: EngineClient;
  /** Undefined when the server has no access keys. */
  readonly verifier: SignatureVerifier | undefined;
  readonly time: "system" | "virtual";
}

type Action = (parts: ControlParts, call: IncomingCall) => Promise<object>;

/** Actions by path and method. */
const ACTIONS: ReadonlyMap<string, ReadonlyMap<string, Action>> = new Map(
  Object.entries({
    "/": { GET: health },
    "/time": { GET: now, POST: advance },
    "/reset": { POST: reset },
    "/faults": { GET: listFaults, PUT: setFaults, DELETE: clearFaults },
    "/trail": { PUT: startTrail, DELETE: stopTrail },
    "/metrics": { GET: metrics },
  }).map(([path, methods]) => [path, new Map<string, Action>(Object.entries(methods))]),
);

/** Whether a call is for the control endpoint. */
export function isControlCall({ target }: IncomingCall): boolean {
  return target === CONTROL_PATH || target.startsWith(`${CONTROL_PATH}/`);
}

/** Answers a call for the control endpoint; errors are answers, too. */
export async function answerControl(parts: ControlParts, call: IncomingCall): Promise<HttpAnswer> {
  const [path = ""] = call.target.slice(CONTROL_PATH.length).split("?", 1);
  const methods = ACTIONS.get(path === "" ? "/" : path);
  if (isFromPage(call)) return refusal(403, "AccessDeniedException", "Pages may not ask for this.");
  if (parts.verifier === undefined && !isAskedPrivately(call)) {
    const text =
      "Ask for this by an address or a name of a private network, or give the server access keys.";
    return refusal(403, "AccessDeniedException", text);
  }
  if (methods === undefined) {
    return refusal(404, "UnknownOperationException", `There is nothing at ${call.target}.`);
  }
  const action = methods.get(call.method);
  if (action === undefined) {
    const allow = [...methods.keys()].join(", ");
    const text = `${path} answers ${allow}, not ${call.method}.`;
    return refusal(405, "UnknownOperationException", text, { allow });
  }
  try {
    authenticate(parts.verifier, call);
    return json(200, await action(parts, call));
  } catch (error) {
    return errorAnswer(error, JSON_TYPE);
  }
}

/** Browsers name the origin of a page whose script asks, and of what site it is, even for an image. */
function isFromPage(call: IncomingCall): boolean {
  const site = call.header("sec-fetch-site");
  return call.header("origin") !== undefined || site === "cross-site" || site === "same-site";
}

function authenticate(verifier: SignatureVerifier | undefined, call: IncomingCall): void {
  if (verifier === undefined) return;
  const [scheme, credentials = ""] = (call.header("authorization") ?? "").split(" ");
  if (scheme?.toLowerCase() !== "basic") {
    verifier.verify(call);
    return;
  }
  let text = "";
  try {
    text = atob(credentials);
  } catch {
    // What is no base64 names no key.
  }
  const at = text.indexOf(":");
  if (at > 0 && verifier.knows(text.slice(0, at), text.slice(at + 1))) return;
  throw new MillraceError(
    "UnrecognizedClientException",
    "The access key or its secret is not one of this server's.",
  );
}

async function health({ client, time }: ControlParts): Promise<object> {
  const { kind, durable } = await client.call("storageReport", {});
  return { status: "ok", version: VERSION, storage: kind, durable, time };
}

async function now({ client }: ControlParts): Promise<object> {
  return { nowMs: await client.call("now", {}) };
}

async function advance({ client }: ControlParts, call: IncomingCall): Promise<object> {
  const byMs = memberOf(call, "advanceMs");
  if (typeof byMs !== "number" || !Number.isFinite(byMs) || byMs < 0) {
    throw new InvalidArgumentError("advanceMs must be a number of milliseconds from 0 on", {
      argument: "advanceMs",
      value: String(byMs),
    });
  }
  return { nowMs: await client.call("advanceTime", { byMs }) };
}

async function reset({ client }: ControlParts): Promise<object> {
  await client.call("reset", {});
  return {};
}

async function listFaults({ client }: ControlParts): Promise<object> {
  return { rules: await client.call("faults", {}) };
}

async function setFaults(parts: ControlParts, call: IncomingCall): Promise<object> {
  const rules = memberOf(call, "rules");
  if (!Array.isArray(rules)) {
    throw new InvalidArgumentError("rules must be an array of fault rules", { argument: "rules" });
  }
  // The engine checks each rule and names what is wrong with it.
  await parts.client.call("setFaults", { rules: rules as readonly FaultRule[] });
  return await listFaults(parts);
}

async function clearFaults(parts: ControlParts): Promise<object> {
  await parts.client.call("setFaults", { rules: [] });
  return await listFaults(parts);
}

async function startTrail({ client }: ControlParts, call: IncomingCall): Promise<object> {
  const streamName = memberOf(call, "streamName");
  if (typeof streamName !== "string") {
    throw new InvalidArgumentError("streamName must be the name of a stream", {
      argument: "streamName",
    });
  }
  await client.call("setTrail", { streamName });
  return { streamName };
}

async function stopTrail({ client }: ControlParts): Promise<object> {
  await client.call("setTrail", { streamName: null });
  return { streamName: null };
}

async function metrics({ client }: ControlParts): Promise<object> {
  const streams: Record<string, object> = {};
  for (const { name } of await client.call("listStreams", {})) {
    streams[name] = await client.call("shardMetrics", { name });
  }
  const storage = await client.call("storageReport", {});
  return { storage, dataLoss: await client.call("dataLoss", {}), streams };
}

/** A member of the JSON object in a call's body; undefined when it has none. */
function memberOf(call: IncomingCall, name: string): unknown {
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder().decode(call.body));
  } catch (error) {
    throw new InvalidArgumentError("the body must be JSON", { argument: "body", cause: error });
  }
  if (typeof body !== "object" || body === null || !Object.hasOwn(body, name)) return undefined;
  return Reflect.get(body, name);
}

function refusal(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): HttpAnswer {
  const answer = json(status, { __type: code, message });
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

function json(status: number, value: object): HttpAnswer {
  const body = new TextEncoder().encode(`${JSON.stringify(value)}\n`);
  return { status, headers: { "content-type": JSON_TYPE, "cache-control": "no-store" }, body };
}
