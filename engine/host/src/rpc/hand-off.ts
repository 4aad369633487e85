/**
 * What a page that ends leaves to others: its unacknowledged batches, for the port broker at once, and
 * as a bounded copy in localStorage for the case that there is nobody else.
 */
import type { Random } from "../platform/platform.ts";
import type { CallContext } from "../service/engine-service.ts";

/** A batch that a tab had sent and not heard of when it ended. The header names producer, number and stream. */
export interface KeptBatch {
  readonly bytes: Uint8Array;
  /** See `BatchOrder`. */
  readonly settledBefore: number;
  /** Time since it was first sent, when it was left behind, in ms; 0 when absent. */
  readonly ageMs?: number;
  /** As what it counts; the application's own when absent. */
  readonly call?: CallContext;
}

/** A batch as the page knows it. */
export interface LeftBatch extends KeptBatch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly ageMs: number;
  /** Of an encrypted stream: it is not to be written anywhere as it is. */
  readonly secret: boolean;
}

/** A page's own way to the port broker. */
export interface BrokerPort {
  postMessage(message: { readonly batches: readonly KeptBatch[] }, transfer: ArrayBuffer[]): void;
  close(): void;
}

/** What is known of a copy besides the bytes, which follow after a line feed, batch after batch. */
export interface CopyHead {
  readonly version: 1;
  /** When it was made, by the wall clock, in ms since the Unix epoch. */
  readonly atMs: number;
  readonly batches: readonly (Omit<KeptBatch, "bytes" | "ageMs"> & {
    readonly byteLength: number;
    readonly ageMs: number;
  })[];
}

/** One page's copies take so many bytes at most. */
export const COPY_BYTES_MAX = 1_048_576;
/** So many bytes become text in one step: more arguments than that a function may not take. */
const STEP_BYTES = 8192;
const STREAM_UID_AT = 40;

/** The stream that a packed batch is for. */
export function streamUidOf(buffer: ArrayBuffer): number {
  return new DataView(buffer).getUint32(STREAM_UID_AT, true);
}

/** Keys in localStorage begin with this; each is the name of the lock that guards it, too. */
export function copyPrefix(engineName: string): string {
  return `millrace:${engineName}:left:`;
}

/** Gives batches to the broker, which keeps them until a leader has taken them. Takes the bytes. */
export function giveToBroker(broker: BrokerPort, engine: string, left: readonly LeftBatch[]): void {
  const batches = left.map(({ secret: _, ...batch }) => batch);
  const transfer = batches.map(({ bytes }) => bytes.buffer);
  const message = { broker: 1, kind: "keep", engine, batches } as const;
  broker.postMessage(message, transfer);
}

function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += STEP_BYTES) {
    text += String.fromCharCode(...bytes.subarray(at, at + STEP_BYTES));
  }
  return text;
}

/** A copy that was left. */
export interface LeftCopy {
  readonly key: string;
  /** Bytes of the batches in it. */
  readonly byteLength: number;
}

/**
 * Leaves a copy of the oldest batches that fit into `bytesMax`, each whole. Where there is no room, or no
 * storage, none.
 */
export function leaveCopy(
  storage: Storage,
  engineName: string,
  left: readonly LeftBatch[],
  atMs: number,
  random: Random,
  bytesMax: number = COPY_BYTES_MAX,
): LeftCopy | undefined {
  const batches: CopyHead["batches"][number][] = [];
  let body = "";
  for (const { bytes, secret, ...rest } of left) {
    if (secret) continue;
    if (body.length + bytes.length > bytesMax) break;
    batches.push({ ...rest, byteLength: bytes.length });
    body += textOf(bytes);
  }
  if (batches.length === 0) return undefined;
  const head: CopyHead = { version: 1, atMs, batches };
  const key = `${copyPrefix(engineName)}${random.fill(new Uint8Array(8)).join("")}`;
  try {
    storage.setItem(key, `${JSON.stringify(head)}\n${body}`);
    return { key, byteLength: body.length };
  } catch {
    // Full, or not allowed: the broker has the batches, and nothing of them was acknowledged.
    return undefined;
  }
}
