/** Takes records from a page, packed or as objects, looks at each and says what it saw. */
import { BATCH_HEADER_BYTES, ROW_HEADER_BYTES } from "@millrace/core/layout";
import type { BenchRecord } from "../payloads.ts";

/** What the page sends: one request batch, transferred, or the records themselves, cloned. */
export type EchoRequest =
  | { readonly kind: "packed"; readonly buffer: ArrayBuffer }
  | { readonly kind: "objects"; readonly records: readonly BenchRecord[] };

/** Bytes of keys and data that were seen; a packed buffer goes back to be used again. */
export interface EchoAnswer {
  readonly bytes: number;
  readonly recycled?: ArrayBuffer;
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
  return records.reduce((sum, { partitionKey, data }) => sum + partitionKey.length + data.byteLength, 0);
}

addEventListener("message", ({ data: request }: MessageEvent<EchoRequest>) => {
  if (request.kind === "objects") {
    const answer: EchoAnswer = { bytes: seeObjects(request.records) };
    postMessage(answer);
    return;
  }
  const answer: EchoAnswer = { bytes: seePacked(request.buffer), recycled: request.buffer };
  postMessage(answer, { transfer: [request.buffer] });
});
