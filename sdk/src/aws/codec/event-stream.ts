/**
 * Messages of `application/vnd.amazon.eventstream`, big endian: `{u32 total length, u32 headers' length,
 * u32 CRC-32 of these, headers, payload, u32 CRC-32 of all before}`. A header is `{u8 name's length, name,
 * u8 type, value}`; all of ours are texts: type 7, u16 length, UTF-8.
 */
import { crc32 } from "./crc32.ts";

/** Media type of a body that consists of messages. */
export const EVENT_STREAM_TYPE = "application/vnd.amazon.eventstream";

/** A message's headers in their order. */
export type MessageHeaders = readonly (readonly [name: string, value: string])[];

/** Media type of payloads, unless told otherwise. */
const JSON_TYPE = "application/x-amz-json-1.1";
/** Characters of an error's text: header values are limited. */
const TEXT_CHARACTERS_MAX = 4096;
const PRELUDE_BYTES = 12;
const CHECKSUM_BYTES = 4;
const TEXT_HEADER = 7;

const encoder = new TextEncoder();
const NO_PAYLOAD = encoder.encode("{}");

function encodeHeaders(headers: MessageHeaders): Uint8Array {
  const texts = headers.map(([name, value]) => [encoder.encode(name), encoder.encode(value)]);
  const bytes: number[] = [];
  for (const [name = [], value = []] of texts) {
    bytes.push(name.length, ...name, TEXT_HEADER, value.length >> 8, value.length & 255, ...value);
  }
  return Uint8Array.from(bytes);
}

/** One message. Names of headers take up to 255 bytes, values up to 65,535. */
export function encodeMessage(
  headers: MessageHeaders,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const head = encodeHeaders(headers);
  const checksumAt = PRELUDE_BYTES + head.byteLength + payload.byteLength;
  const message = new Uint8Array(checksumAt + CHECKSUM_BYTES);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.byteLength);
  view.setUint32(4, head.byteLength);
  view.setUint32(8, crc32(message.subarray(0, 8)));
  message.set(head, PRELUDE_BYTES);
  message.set(payload, PRELUDE_BYTES + head.byteLength);
  view.setUint32(checksumAt, crc32(message.subarray(0, checksumAt)));
  return message;
}

/** An event of a type of the model, with its structure encoded by the codec of that content type. */
export function event(
  type: string,
  payload: Uint8Array,
  contentType: string = JSON_TYPE,
): Uint8Array<ArrayBuffer> {
  return encodeMessage(
    [
      [":event-type", type],
      [":content-type", contentType],
      [":message-type", "event"],
    ],
    payload,
  );
}

/**
 * The message that stands first in every stream and holds the members beside the stream; there are none.
 * Clients wait for it before they answer their caller.
 */
export function initialResponse(
  payload: Uint8Array = NO_PAYLOAD,
  contentType: string = JSON_TYPE,
): Uint8Array<ArrayBuffer> {
  return event("initial-response", payload, contentType);
}

/** An error of the model that ends the stream; the payload is the codec's body of the error. */
export function exception(
  type: string,
  payload: Uint8Array,
  contentType: string = JSON_TYPE,
): Uint8Array<ArrayBuffer> {
  return encodeMessage(
    [
      [":exception-type", type],
      [":content-type", contentType],
      [":message-type", "exception"],
    ],
    payload,
  );
}

/** An error that the model does not declare for streams; it ends the stream. */
export function errorMessage(code: string, text: string): Uint8Array<ArrayBuffer> {
  return encodeMessage(
    [
      [":error-code", code],
      [":error-message", text.slice(0, TEXT_CHARACTERS_MAX)],
      [":message-type", "error"],
    ],
    new Uint8Array(),
  );
}
