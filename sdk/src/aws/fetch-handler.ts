/**
 * Kinesis as a function from a Fetch API request to its response: for `customFetch`, service workers and
 * servers. AWS JSON 1.1 and CBOR 1.1 by content type; SubscribeToShard answers an event stream.
 */
import { ROOT_PRINCIPAL } from "@millrace/engine";
import type { AwsFace } from "./face.ts";
import {
  answerCall,
  BODY_BYTES_MAX,
  type EventMessages,
  type HttpAnswer,
  plainAnswer,
} from "./http-exchange.ts";

/** What is known of a request besides what it says. */
export interface RequestInfo {
  /** ARN of who makes it; the application's own, or what {@link FetchHandlerOptions.principal} says, when absent. */
  readonly principal?: string | undefined;
}

/** How requests are answered. */
export interface FetchHandlerOptions {
  /** Who makes a request, as an ARN; the application's own when absent. What it throws rejects the answer. */
  readonly principal?: (request: Request) => string | Promise<string>;
}

/** Answers one request. Rejects when an injected fault drops the connection, and with the reason of an abort. */
export type FetchHandler = (request: Request, info?: RequestInfo) => Promise<Response>;

const EXPOSED = "x-amzn-RequestId,x-amzn-ErrorType,x-amz-id-2,x-amz-retry-after,Date";
const PREFLIGHT_SECONDS = "172800";

function preflight(request: Request): Response {
  const { headers } = request;
  return new Response(null, {
    status: 200,
    headers: {
      "access-control-allow-origin": "*",
      "access-control-allow-headers": headers.get("access-control-request-headers") ?? "*",
      "access-control-allow-methods": headers.get("access-control-request-method") ?? "POST",
      "access-control-max-age": PREFLIGHT_SECONDS,
      "content-length": "0",
    },
  });
}

/** A stream that asks for the next frame when the reader wants it, and closes the subscription when left. */
function streamOf(messages: EventMessages): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream(
    {
      async pull(controller) {
        const next = await messages.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        await messages.return();
      },
    },
    { highWaterMark: 0 },
  );
}

function toResponse({ status, headers, body }: HttpAnswer): Response {
  const all = {
    ...headers,
    "access-control-allow-origin": "*",
    "access-control-expose-headers": EXPOSED,
  };
  if (body instanceof Uint8Array) {
    const length = { "content-length": String(body.byteLength) };
    return new Response(body, { status, headers: { ...all, ...length } });
  }
  return new Response(streamOf(body), { status, headers: all });
}

function isTooLarge(request: Request): boolean {
  return Number(request.headers.get("content-length") ?? 0) > BODY_BYTES_MAX;
}

/** The whole body, or undefined as soon as it is over the limit. */
async function bodyOf(request: Request): Promise<Uint8Array | undefined> {
  if (isTooLarge(request)) return undefined;
  // Firefox has no stream of a request's body.
  if (request.headers.has("content-length") || request.body === undefined) {
    return new Uint8Array(await request.arrayBuffer());
  }
  const chunks: Uint8Array[] = [];
  let byteLength = 0;
  const reader = request.body?.getReader();
  while (reader !== undefined) {
    const { done, value } = await reader.read();
    if (done) break;
    byteLength += value.byteLength;
    if (byteLength > BODY_BYTES_MAX) {
      await reader.cancel();
      return undefined;
    }
    chunks.push(value);
  }
  const body = new Uint8Array(byteLength);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.byteLength;
  }
  return body;
}

/** Makes the handler of a face. */
export function createFetchHandler(face: AwsFace, options: FetchHandlerOptions = {}): FetchHandler {
  return async (request, info = {}) => {
    const { method, headers, signal } = request;
    if (method === "OPTIONS") return preflight(request);
    if (method !== "POST") return toResponse(plainAnswer(403, "AccessDeniedException"));
    const principal = info.principal ?? (await options.principal?.(request)) ?? ROOT_PRINCIPAL;
    const body = await bodyOf(request);
    if (body === undefined) return toResponse(plainAnswer(413, "RequestEntityTooLargeException"));
    const contentType = headers.get("content-type");
    const target = headers.get("x-amz-target");
    return toResponse(await answerCall(face, { contentType, target, body, principal, signal }));
  };
}
