/**
 * The request handler of an AWS client: takes what the client's protocol made, a direct call or an HTTP
 * request with JSON 1.1, and answers it in the same thread.
 */
import { ConnectionDroppedError, type EngineClient, ROOT_PRINCIPAL } from "@millrace/engine";
import { isOperationName, type OperationName } from "@millrace/engine/model";
import { DirectAnswer } from "./direct-answer.ts";
import { type DirectCall, isDirectCall } from "./direct-protocol.ts";
import { AwsFace } from "./face.ts";
import { answerCall, type HttpAnswer } from "./http-exchange.ts";

/** What of a client's HTTP request is looked at. */
export interface ClientHttpRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const ENCODER = new TextEncoder();

/** One face per engine, so that all its clients share what it remembers. */
const faces = new WeakMap<EngineClient, AwsFace>();

/** The face of an engine. */
export function faceOf(client: EngineClient): AwsFace {
  let face = faces.get(client);
  if (face === undefined) {
    face = new AwsFace(client);
    faces.set(client, face);
  }
  return face;
}

/** What a client's protocol reads: a direct answer, or an HTTP response. */
export type ClientResponse =
  | DirectAnswer
  | (Pick<HttpAnswer, "headers" | "body"> & { readonly statusCode: number });

/**
 * Answers a request of a client.
 *
 * @throws an error with the code ECONNRESET when an injected fault drops the connection, an AbortError
 * when the signal is aborted.
 */
export async function answerClient(
  client: EngineClient,
  request: unknown,
  principal: string = ROOT_PRINCIPAL,
  signal?: AbortSignal,
): Promise<ClientResponse> {
  const face = faceOf(client);
  try {
    if (isDirectCall(request)) return await answerDirectly(face, request, principal, signal);
    return await answerHttp(face, request as ClientHttpRequest, principal, signal);
  } catch (error) {
    if (signal?.aborted === true) throw aborted();
    throw error instanceof ConnectionDroppedError ? connectionReset(error) : error;
  }
}

async function answerDirectly(
  face: AwsFace,
  { operation, input }: DirectCall,
  principal: string,
  signal: AbortSignal | undefined,
): Promise<DirectAnswer> {
  if (operation === undefined) {
    throw new TypeError(
      'this version of the client does not name its operations; use millrace.aws({ protocol: "json" })',
    );
  }
  try {
    if (!isOperationName(operation)) throw new TypeError(`${operation} is no operation of Kinesis`);
    const given = withBytes(operation, input);
    return new DirectAnswer(await face.execute(operation, given, { principal, signal }), undefined);
  } catch (error) {
    if (error instanceof ConnectionDroppedError || signal?.aborted === true) throw error;
    return new DirectAnswer(undefined, error);
  }
}

async function answerHttp(
  face: AwsFace,
  { headers, body }: ClientHttpRequest,
  principal: string,
  signal: AbortSignal | undefined,
): Promise<ClientResponse> {
  const call = {
    contentType: headers["content-type"],
    target: headers["x-amz-target"],
    body: bytesOf(body),
    principal,
    signal,
  };
  const answer = await answerCall(face, call);
  return { statusCode: answer.status, headers: answer.headers, body: answer.body };
}

function textAsBytes(record: unknown): unknown {
  const isText = typeof record === "object" && record !== null && "Data" in record;
  if (!isText || typeof record.Data !== "string") return record;
  return { ...record, Data: ENCODER.encode(record.Data) };
}

/** Clients take text for bytes, and send it as UTF-8. */
function withBytes(operation: OperationName, input: unknown): unknown {
  if (operation === "PutRecord") return textAsBytes(input);
  const listed = operation === "PutRecords" && typeof input === "object" && input !== null;
  if (!listed || !("Records" in input) || !Array.isArray(input.Records)) return input;
  return { ...input, Records: input.Records.map(textAsBytes) };
}

function bytesOf(body: unknown): Uint8Array {
  if (typeof body === "string") return ENCODER.encode(body);
  return body instanceof Uint8Array ? body : new Uint8Array(0);
}

/** As Node has it, so that clients repeat the call. */
function connectionReset(cause: Error): Error {
  return Object.assign(new Error("socket hang up", { cause }), { code: "ECONNRESET" });
}

function aborted(): Error {
  return Object.assign(new Error("Request aborted"), { name: "AbortError" });
}
