/** One request and its answer over Node's HTTP, of either version: bodies as one buffer, event streams as they come. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { withSignal } from "@millrace/engine";
import { BODY_BYTES_MAX, type HttpAnswer, plainAnswer } from "../aws/http-exchange.ts";
import type { SignedRequest } from "./signature.ts";
import { type Clock, within } from "./time.ts";

/** A request of HTTP/1.1 or HTTP/2. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;
/** The response to a {@link NodeRequest}. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** A request that has arrived as a whole. */
export interface IncomingCall extends SignedRequest {
  /** Aborted when the client is gone, or when the server stops and the answer is a stream. */
  readonly signal: AbortSignal;
}

/** Answers a call. Rejects when the connection shall end without an answer. */
export type CallHandler = (call: IncomingCall) => Promise<HttpAnswer>;

/** How long clients may take, in ms. */
export interface ExchangeLimits {
  /** For a request's body. */
  readonly bodyMs: number;
  /** For reading what was sent, before more is sent. */
  readonly drainMs: number;
}

/** What an exchange needs besides its request. */
export interface ExchangeParts {
  readonly handle: CallHandler;
  readonly clock: Clock;
  readonly limits: ExchangeLimits;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
}

/** What a client that sends too much may go on sending until it is told, in bytes: 64 MiB. */
const IGNORED_BYTES_MAX = 67_108_864;

/** The client does not wait for an answer any more, or waits too slowly. */
class ClientGone extends Error {}

/** Takes a request in, has it answered, and sends the answer. Resolves when it is sent or cannot be. */
export async function exchange(
  request: NodeRequest,
  response: NodeResponse,
  parts: ExchangeParts,
): Promise<void> {
  const leaving = new AbortController();
  const onClose = (): void => leaving.abort(new ClientGone("the connection ended"));
  response.once("close", onClose);
  try {
    const body = await within(parts.clock, parts.limits.bodyMs, readBody(request), () => {
      return new ClientGone("the body did not arrive in time");
    });
    const answer =
      body === undefined
        ? plainAnswer(413, "RequestEntityTooLargeException")
        : await parts.handle(callOf(request, body, leaving.signal));
    // Of a client that left meanwhile nothing is heard any more, not even that it left.
    if (leaving.signal.aborted && answer.body instanceof Uint8Array) return;
    await send(request, response, answer, leaving, parts);
    response.off("close", onClose);
  } catch {
    // Whatever the reason, there is nobody to tell, or nothing shall be told.
    dropConnection(request);
  }
}

function callOf(request: NodeRequest, body: Uint8Array, signal: AbortSignal): IncomingCall {
  const { headers } = request;
  return {
    method: request.method ?? "GET",
    target: request.url ?? "/",
    header: (name) => {
      // Signatures name headers, and an object has more members than those that it was given.
      const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
      return Array.isArray(value) ? value.join(",") : value;
    },
    body,
    signal,
  };
}

/** The whole body; undefined when it is over the limit. @throws ClientGone when it ends early. */
function readBody(request: NodeRequest): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let byteLength = 0;
    request.on("data", (chunk: Uint8Array) => {
      byteLength += chunk.byteLength;
      // What is too long is read all the same: a client that still sends does not hear an answer.
      if (byteLength <= BODY_BYTES_MAX) chunks.push(chunk);
      else chunks.length = 0;
      if (byteLength > IGNORED_BYTES_MAX) reject(new ClientGone("the body does not end"));
    });
    request.once("end", () => {
      resolve(byteLength > BODY_BYTES_MAX ? undefined : joined(chunks, byteLength));
    });
    request.once("error", reject);
    request.once("close", () => reject(new ClientGone("the connection ended")));
  });
}

function joined(chunks: readonly Uint8Array[], byteLength: number): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only;
  const bytes = new Uint8Array(byteLength);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

async function send(
  request: NodeRequest,
  response: NodeResponse,
  { status, headers, body }: HttpAnswer,
  leaving: AbortController,
  parts: ExchangeParts,
): Promise<void> {
  const all: OutgoingHttpHeaders = { ...headers };
  if (parts.stopping.aborted && !isHttp2(request)) all["connection"] = "close";
  if (body instanceof Uint8Array) {
    all["content-length"] = body.byteLength;
    response.writeHead(status, all);
    const finished = new Promise<void>((resolve) => {
      response.once("finish", resolve);
      response.once("close", resolve);
    });
    response.end(body);
    await finished;
    return;
  }
  response.writeHead(status, all);
  const stop = (): void => leaving.abort(parts.stopping.reason);
  parts.stopping.addEventListener("abort", stop, { once: true });
  if (parts.stopping.aborted) stop();
  try {
    await sendFrames(response, body, leaving.signal, parts);
    response.end();
  } finally {
    parts.stopping.removeEventListener("abort", stop);
  }
}

/** Sends frames until they end or `signal` does; a reader that is slow is waited for before the next one. */
async function sendFrames(
  response: NodeResponse,
  frames: AsyncIterableIterator<Uint8Array>,
  signal: AbortSignal,
  { clock, limits }: ExchangeParts,
): Promise<void> {
  try {
    for (;;) {
      // A promise of the abort that outlives the frames would keep every one of them in memory.
      const next = await withSignal(signal, frames.next());
      if (next.done === true || signal.aborted) return;
      if (write(response, next.value)) continue;
      const drained = new Promise<void>((resolve) => response.once("drain", resolve));
      await within(clock, limits.drainMs, withSignal(signal, drained), () => {
        return new ClientGone("the client does not read");
      });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    // Closes the subscription, also when the client left in the middle of it.
    await frames.return?.();
  }
}

/** Whether more may be written at once. Node's two kinds of response agree on this only when called apart. */
function write(response: NodeResponse, chunk: Uint8Array): boolean {
  return "stream" in response ? response.write(chunk) : response.write(chunk);
}

function isHttp2(request: NodeRequest): request is Http2ServerRequest {
  return request.httpVersionMajor === 2;
}

/** Ends a connection without an answer; of HTTP/2, only the stream of the request. */
function dropConnection(request: NodeRequest): void {
  if (isHttp2(request)) request.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  else request.socket.destroy();
}
