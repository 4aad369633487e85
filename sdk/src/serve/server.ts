/** An engine of this process on a port: listens, and answers AWS's calls and the control endpoint's. */
import process from "node:process";
import {
  AccessDeniedError,
  ConnectionDroppedError,
  type EngineClient,
  InvalidArgumentError,
} from "@millrace/engine";
import { accessKeyPrincipal, ROOT_PRINCIPAL } from "@millrace/engine/model";
import { AwsFace } from "../aws/face.ts";
import { answerCall, errorAnswer, type HttpAnswer, plainAnswer } from "../aws/http-exchange.ts";
import { answerControl, isControlCall } from "./control-endpoint.ts";
import type { CallHandler, IncomingCall } from "./exchange.ts";
import { LISTENER_LIMITS, type Listener, listen } from "./listener.ts";
import { type CheckedServeOptions, urlOf } from "./options.ts";
import { isLoopback, isWelcome } from "./pages.ts";
import { SignatureVerifier } from "./signature.ts";
import { systemClock } from "./time.ts";

/** A server that answers. */
export interface KinesisServer extends AsyncDisposable {
  /** What clients are given as their endpoint. */
  readonly url: string;
  readonly port: number;
  /** Lets requests under way come to their end, then closes connections and engine. Safe to call twice. */
  close(): Promise<void>;
}

const PREFLIGHT_SECONDS = "172800";
/** What pages that may call are answered with; which ones those are does not depend on it. */
const CORS_HEADERS = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers":
    "x-amzn-RequestId,x-amzn-ErrorType,x-amz-id-2,x-amz-retry-after,Date",
};

/** Serves an engine, and closes it with the server. @throws InvalidArgumentError when the port cannot be listened on. */
export async function serveEngine(
  client: EngineClient,
  checked: CheckedServeOptions,
): Promise<KinesisServer> {
  let listener: Listener;
  try {
    const { host, port, tls } = checked;
    const handle = createHandler(client, checked);
    const limits = LISTENER_LIMITS;
    listener = await listen({ host, port, tls, handle, clock: systemClock, limits });
  } catch (error) {
    await client.close();
    throw notListening(checked, error);
  }
  warnOfStrangers(checked);
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= listener.close().finally(() => client.close());
    return closing;
  };
  const scheme = checked.tls === undefined ? "http" : "https";
  const url = urlOf(scheme, checked.host, listener.port);
  return { url, port: listener.port, close, [Symbol.asyncDispose]: close };
}

function notListening({ host, port }: CheckedServeOptions, error: unknown): Error {
  const why = error instanceof Error ? error.message : String(error);
  return new InvalidArgumentError(`port ${port} of ${host} cannot be listened on: ${why}`, {
    argument: "port",
    value: port,
    cause: error,
  });
}

function warnOfStrangers({ host, accessKeys, warn }: CheckedServeOptions): void {
  if (accessKeys.length > 0 || isLoopback(host)) return;
  const tell = warn ?? ((message: string): void => process.emitWarning(message));
  tell(
    `the server listens on ${host} without access keys: everybody who reaches it may read, write and delete all streams`,
  );
}

function createHandler(
  client: EngineClient,
  { accessKeys, time, origins }: CheckedServeOptions,
): CallHandler {
  const face = new AwsFace(client);
  const verifier =
    accessKeys.length === 0 ? undefined : new SignatureVerifier(accessKeys, systemClock);
  // A key is what a page of AWS's own customers needs, too; without keys, nothing else keeps pages out.
  const welcome = origins ?? (verifier === undefined ? undefined : ["*"]);
  return async (call) => {
    if (isControlCall(call)) return await answerControl({ client, verifier, time }, call);
    if (!isWelcome(call, welcome)) return unwelcome(call);
    const answer = await answerKinesis(face, verifier, call);
    return { ...answer, headers: { ...answer.headers, ...CORS_HEADERS } };
  };
}

async function answerKinesis(
  face: AwsFace,
  verifier: SignatureVerifier | undefined,
  call: IncomingCall,
): Promise<HttpAnswer> {
  if (call.method === "OPTIONS") return preflight(call);
  if (call.method !== "POST") return plainAnswer(403, "AccessDeniedException");
  const contentType = call.header("content-type");
  const { body, signal } = call;
  try {
    const principal =
      verifier === undefined ? ROOT_PRINCIPAL : accessKeyPrincipal(verifier.verify(call));
    const target = call.header("x-amz-target");
    return await answerCall(face, { contentType, target, body, principal, signal });
  } catch (error) {
    if (error instanceof ConnectionDroppedError || signal.aborted) throw error;
    return errorAnswer(error, contentType);
  }
}

/** Without the headers by which the browser would let the page see it. */
function unwelcome(call: IncomingCall): HttpAnswer {
  const origin = call.header("origin");
  const error = new AccessDeniedError(
    `Pages of ${origin} may not call this server; start it with --allow-origin ${origin} if they shall.`,
    { argument: "origin", value: origin ?? null },
  );
  return errorAnswer(error, call.header("content-type"));
}

/** A browser's question whether a page may make a call. */
function preflight(call: IncomingCall): HttpAnswer {
  return {
    status: 200,
    headers: {
      "access-control-allow-headers": call.header("access-control-request-headers") ?? "*",
      "access-control-allow-methods": call.header("access-control-request-method") ?? "POST",
      "access-control-max-age": PREFLIGHT_SECONDS,
    },
    body: new Uint8Array(0),
  };
}
