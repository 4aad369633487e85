/** A client of AWS's CBOR protocol over a codec that is not ours. */
import type { OperationName } from "@millrace/engine/model";
import cbor from "cbor";

const CONTENT_TYPE = "application/x-amz-cbor-1.1";
/** Tag of a time; AWS's is in whole milliseconds. */
const TIME_TAG = 1;

/** What the codec is to write: blobs as bytes, times as tagged milliseconds. */
function writable(value: unknown): unknown {
  if (value instanceof Date) return new cbor.Tagged(TIME_TAG, value.getTime());
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(writable);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [name, writable(member)]),
  );
}

function decode(bytes: ArrayBuffer): unknown {
  if (bytes.byteLength === 0) return {};
  return cbor.decodeFirstSync(Buffer.from(bytes), {
    tags: { [TIME_TAG]: (ms: number | bigint) => new Date(Number(ms)) },
    max_depth: 64,
  });
}

/** Makes calls by name over a fetch-shaped handler. Errors bear AWS's names. */
export function cborCaller(
  handler: (request: Request) => Promise<Response>,
): (operation: OperationName, input: unknown) => Promise<unknown> {
  return async (operation, input) => {
    const body = cbor.encodeOne(writable(input), { highWaterMark: 33_554_432 });
    const response = await handler(
      new Request("http://kinesis.example/", {
        method: "POST",
        headers: { "content-type": CONTENT_TYPE, "x-amz-target": `Kinesis_20131202.${operation}` },
        body: new Uint8Array(body),
      }),
    );
    const answer = decode(await response.arrayBuffer());
    if (response.ok) return answer;
    const { __type: name, message } = answer as { __type: string; message: string };
    throw Object.assign(new Error(message), { name });
  };
}
