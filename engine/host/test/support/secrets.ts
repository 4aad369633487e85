/** Plain text that must not be found where it has no business. */
import type { LogStore } from "../../src/storage/log-store.ts";
import type { TestRecord } from "./batches.ts";

/** One numbered record whose data hold a text. */
export function marked(text: string, number: number): TestRecord[] {
  const words = new TextEncoder().encode(`....${text} `.padEnd(200, text));
  new DataView(words.buffer).setUint32(0, number, true);
  return [{ key: `key-${number % 17}`, data: words }];
}

/** Whether bytes hold a text. */
export function holds(bytes: Uint8Array, text: string): boolean {
  return new TextDecoder("latin1").decode(bytes).includes(text);
}

/** Whether any frame or segment of a store holds a text. */
export async function diskContains(store: LogStore, text: string): Promise<boolean> {
  for (const frameNumber of await store.frameNumbers()) {
    if (holds((await store.readFrame(frameNumber)) ?? new Uint8Array(), text)) return true;
  }
  for (const key of await store.segmentKeys()) {
    if (holds((await store.readSegment(key)) ?? new Uint8Array(), text)) return true;
  }
  return false;
}
