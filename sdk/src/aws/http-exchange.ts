/**
 * One AWS request and its answer, whatever carries them: target and content type choose operation and
 * codec, errors become AWS's bodies, subscriptions become event streams.
 */
import { ConnectionDroppedError, toMillraceError } from "@millrace/engine";
import {
  type AwsError,
  awsErrorOf,
  isOperationName,
  type OperationName,
  operations,
  SerializationError,
  structureShape,
} from "@millrace/engine/model";
import type { ShardEvent, ShardEvents } from "./calls.ts";
import { cbor11 } from "./codec/cbor11.ts";
import type { Codec } from "./codec/codec.ts";
import {
  EVENT_STREAM_TYPE,
  errorMessage,
  event as eventMessage,
  exception as exceptionMessage,
  initialResponse,
} from "./codec/event-stream.ts";
import { json11 } from "./codec/json11.ts";
import type { AwsFace } from "./face.ts";
import { nextRequestId } from "./request-id.ts";

/** Bodies over this are refused, in bytes: a PutRecords of 10 MiB in base64, and its other members. */
export const BODY_BYTES_MAX = 16_777_216;

/** What of an HTTP request matters. */
export interface HttpCall {
  readonly contentType: string | null | undefined;
  /** Header `x-amz-target`. */
  readonly target: string | null | undefined;
  readonly body: Uint8Array;
  /** ARN of who calls. */
  readonly principal: string;
  readonly signal?: AbortSignal | undefined;
}

/** Messages of an event stream; leaving them closes the subscription. */
export interface EventMessages extends AsyncIterableIterator<Uint8Array<ArrayBuffer>, undefined> {
  return(): Promise<IteratorResult<Uint8Array<ArrayBuffer>, undefined>>;
}

/** What is answered. Header names are in lower case. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array<ArrayBuffer> | EventMessages;
}

const CODECS: readonly Codec[] = [json11, cbor11];
const TARGET = /^Kinesis_20131202\.(\w+)$/;
const ENCODER = new TextEncoder();
const EMPTY = new Uint8Array(0);

/** An answer outside the operations: an XML element without content, as AWS has them. */
export function plainAnswer(status: number, element: string): HttpAnswer {
  const headers = withIds({ "content-type": "text/xml" });
  return { status, headers, body: ENCODER.encode(`<${element}/>\n`) };
}

/** The answer to a call that failed before it was taken, as at its signature. */
export function errorAnswer(error: unknown, contentType: string | null | undefined): HttpAnswer {
  return failure(codecOf(contentType) ?? json11, awsErrorOf(error), error);
}

function withIds(headers: Record<string, string>): Record<string, string> {
  const id = nextRequestId();
  return { ...headers, "x-amzn-requestid": id, "x-amz-id-2": id };
}

function failure(codec: Codec, error: AwsError, thrown: unknown): HttpAnswer {
  const { retryAfterMs } = toMillraceError(thrown);
  const retry =
    retryAfterMs === undefined ? {} : { "x-amz-retry-after": `${Math.ceil(retryAfterMs)}` };
  const kind = { "content-type": codec.contentType, "x-amzn-errortype": error.code };
  const headers = withIds({ ...kind, ...retry });
  return { status: error.statusCode, headers, body: codec.encodeError(error) };
}

function codecOf(contentType: string | null | undefined): Codec | undefined {
  const [mediaType = ""] = (contentType ?? "").split(";");
  const wanted = mediaType.trim().toLowerCase();
  return CODECS.find((codec) => codec.contentType === wanted);
}

function unknownOperation(codec: Codec, target: string | null | undefined): HttpAnswer {
  const message = `${target ? `"${target.slice(0, 80)}"` : "A request without x-amz-target"} is no operation of Kinesis.`;
  const headers = withIds({
    "content-type": codec.contentType,
    "x-amzn-errortype": "UnknownOperationException",
  });
  const body = codec.encodeError({ code: "UnknownOperationException", message });
  return { status: 404, headers, body };
}

/**
 * Answers one POST. Failures are answers, too.
 *
 * @throws ConnectionDroppedError when an injected fault ends the connection without an answer; the
 * signal's reason.
 */
export async function answerCall(face: AwsFace, call: HttpCall): Promise<HttpAnswer> {
  const { body, contentType, target, signal } = call;
  if (body.byteLength > BODY_BYTES_MAX) return plainAnswer(413, "RequestEntityTooLargeException");
  const codec = codecOf(contentType);
  if (codec === undefined) return plainAnswer(404, "UnknownOperationException");
  const operation = TARGET.exec(target ?? "")?.[1] ?? "";
  if (!isOperationName(operation)) return unknownOperation(codec, target);
  try {
    return await run(face, operation, codec, call);
  } catch (error) {
    if (error instanceof ConnectionDroppedError || signal?.aborted === true) throw error;
    return failure(codec, awsErrorOf(error), error);
  }
}

async function run(
  face: AwsFace,
  operation: OperationName,
  codec: Codec,
  { body, principal, signal }: HttpCall,
): Promise<HttpAnswer> {
  const { input: inputName, output: outputName } = operations[operation];
  if (body.byteLength === 0) throw new SerializationError("The request has no body.");
  const input = codec.decode(inputName, body);
  if (operation === "SubscribeToShard") {
    const { EventStream } = await face.execute(operation, input, { principal, signal });
    const headers = withIds({ "content-type": EVENT_STREAM_TYPE });
    return { status: 200, headers, body: new SubscriptionMessages(EventStream, codec) };
  }
  const output: unknown = await face.execute(operation, input, { principal, signal });
  const headers = withIds({ "content-type": codec.contentType });
  const hasOutput = outputName !== null && typeof output === "object" && output !== null;
  return { status: 200, headers, body: hasOutput ? codec.encode(outputName, output) : EMPTY };
}

/** The initial response at once, then the subscription's events, then its error if it ends with one. */
class SubscriptionMessages implements EventMessages {
  readonly #events: ShardEvents;
  readonly #codec: Codec;
  #state: "new" | "running" | "ended" = "new";

  constructor(events: ShardEvents, codec: Codec) {
    this.#events = events;
    this.#codec = codec;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** @throws ConnectionDroppedError. */
  async next(): Promise<IteratorResult<Uint8Array<ArrayBuffer>, undefined>> {
    if (this.#state === "ended") return { done: true, value: undefined };
    const { contentType } = this.#codec;
    if (this.#state === "new") {
      this.#state = "running";
      const payload = this.#codec.encode("SubscribeToShardOutput", {});
      return { done: false, value: initialResponse(payload, contentType) };
    }
    try {
      const next = await this.#events.next();
      if (next.done !== true) return { done: false, value: this.#eventMessage(next.value) };
      this.#state = "ended";
      return next;
    } catch (error) {
      this.#state = "ended";
      if (error instanceof ConnectionDroppedError) throw error;
      return { done: false, value: this.#failureMessage(awsErrorOf(error)) };
    }
  }

  async return(): Promise<IteratorResult<Uint8Array<ArrayBuffer>, undefined>> {
    this.#state = "ended";
    await this.#events.return();
    return { done: true, value: undefined };
  }

  #eventMessage({ SubscribeToShardEvent: event }: ShardEvent): Uint8Array<ArrayBuffer> {
    const payload = this.#codec.encode("SubscribeToShardEvent", event);
    return eventMessage("SubscribeToShardEvent", payload, this.#codec.contentType);
  }

  #failureMessage(error: AwsError): Uint8Array<ArrayBuffer> {
    if (!Object.hasOwn(structureShape("SubscribeToShardEventStream").members, error.code)) {
      return errorMessage(error.code, error.message);
    }
    const { contentType } = this.#codec;
    return exceptionMessage(error.code, this.#codec.encodeError(error), contentType);
  }
}
