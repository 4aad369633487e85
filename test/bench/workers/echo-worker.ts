/** Takes records from a page, packed or as objects, looks at each and says what it saw. */
import { BATCH_HEADER_BYTES, ROW_HEADER_BYTES } from "@millrace/core/layout";
import type { DataAnswer, DataRequest } from "../../../engine/host/src/rpc/messages.ts";
import type { BenchRecord } from "../payloads.ts";

/** What the page sends first: a port that takes batches as the engine's does. Or records, cloned. */
export type EchoRequest =
  | { readonly kind: "serve"; readonly port: MessagePort }
  | { readonly kind: "objects"; readonly records: readonly BenchRecord[] };

/** Bytes of keys and data that were seen. */
export interface EchoAnswer {
  readonly bytes: number;
}

function seePacked(buffer: ArrayBuffer): number {
  const view = new DataView(buffer);
  let left = view.getUint32(8, true);
  let at: number = BATCH_HEADER_BYTES;
  let bytes = 0;
  for (; left > 0; left--) {
    const payload = view.getUint16(at, true) + view.getUint32(at + 4, true);
    bytes += payload;
    at += ROW_HEADER_BYTES + ((payload + 7) & ~7);
  }
  return bytes;
}

function seeObjects(records: readonly BenchRecord[]): number {
  let bytes = 0;
  for (const { partitionKey, data } of records) bytes += partitionKey.length + data.byteLength;
  return bytes;
}

/** Answers batches with the bytes that were seen, as one number in the place of a result. */
function serve(port: MessagePort): void {
  port.onmessage = ({ data: request }: MessageEvent<DataRequest>) => {
    if (request.kind !== "put") return;
    const { id, buffer } = request;
    const result = Float64Array.of(seePacked(buffer)).buffer;
    const answer: DataAnswer = { id, result, recycled: buffer };
    port.postMessage(answer, [result, buffer]);
  };
}

addEventListener("message", ({ data: request }: MessageEvent<EchoRequest>) => {
  if (request.kind === "serve") {
    serve(request.port);
    return;
  }
  const answer: EchoAnswer = { bytes: seeObjects(request.records) };
  postMessage(answer);
});
