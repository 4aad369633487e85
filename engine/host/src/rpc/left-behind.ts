/**
 * Takes what ended pages left in localStorage and puts it, under the numbers that they gave it. Loaded when
 * there is something: nothing is lost while it cannot be loaded.
 */
import { BATCH_HEADER_BYTES } from "@millrace/core/layout";
import { BatchGapError, MillraceError } from "../errors/index.ts";
import { pause } from "../platform/deadline.ts";
import { webLocks } from "../platform/locks.ts";
import type { Clock, Locks } from "../platform/platform.ts";
import type { BatchOrder, CallContext } from "../service/engine-service.ts";
import { type CopyHead, copyPrefix } from "./hand-off.ts";

const NUMBER_AT = 32;

/** Somebody else may have the batches that this one must follow, and put them meanwhile: ms, and how often. */
const GAP_PAUSE_MS = 300;
const GAPS_MAX = 5;

/** What is needed for it. */
export interface LeftBehindParts {
  readonly engineName: string;
  readonly storage: Storage;
  /** The browser's own when absent. */
  readonly locks?: Locks;
  readonly clock: Clock;
  /** Puts a batch of somebody else. @throws what the engine throws; LinkLostError. */
  put(bytes: Uint8Array<ArrayBuffer>, order: BatchOrder, call?: CallContext): Promise<unknown>;
}

interface CopiedBatch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly order: BatchOrder;
  readonly call: CallContext | undefined;
}

/** The head of a copy; undefined when the copy is none of ours, or of a version that this build does not know. */
function parseHead(text: string, bodyLength: number): CopyHead | undefined {
  try {
    const head: CopyHead | null = JSON.parse(text);
    if (head?.version !== 1) return undefined;
    const byteLengths = head.batches.map(({ byteLength }) => byteLength);
    const sum = byteLengths.reduce((before, byteLength) => before + byteLength, 0);
    const fits = byteLengths.every((byteLength) => byteLength >= BATCH_HEADER_BYTES);
    return fits && sum === bodyLength ? head : undefined;
  } catch {
    return undefined;
  }
}

/** The batches of a copy; undefined as in {@link parseHead}. */
function parseCopy(text: string, nowMs: number): CopiedBatch[] | undefined {
  let at = text.indexOf("\n") + 1;
  const head = parseHead(text.slice(0, at), text.length - at);
  if (head === undefined) return undefined;
  return head.batches.map(({ byteLength, settledBefore, ageMs, call }) => {
    const bytes = Uint8Array.from({ length: byteLength }, (_, i) => text.charCodeAt(at + i));
    at += byteLength;
    return { bytes, order: { settledBefore, ageMs: ageMs + Math.max(0, nowMs - head.atMs) }, call };
  });
}

/** Puts one batch. Resolves with whether it is settled, be it stored or refused for good. */
async function putOne(
  { bytes, order, call }: CopiedBatch,
  parts: LeftBehindParts,
): Promise<boolean> {
  const number = Number(new DataView(bytes.buffer).getBigUint64(NUMBER_AT, true));
  for (let gaps = 0; ; gaps++) {
    // Whoever has the batches between may be gone as well; this one is not held back for ever.
    const settledBefore = gaps < GAPS_MAX ? order.settledBefore : number;
    try {
      await parts.put(bytes, { ...order, settledBefore }, call);
      return true;
    } catch (error) {
      const gap = error instanceof BatchGapError && gaps < GAPS_MAX;
      if (!gap) return error instanceof MillraceError && isFinal(error);
      await pause(parts.clock, GAP_PAUSE_MS);
    }
  }
}

/** Whether the engine has spoken: asking anew would tell the same. */
function isFinal({ retryable, code }: MillraceError): boolean {
  return !retryable && !/^(EngineClosed|EngineFailed|ThreadCrash|Deposed)/.test(code);
}

async function takeCopy(key: string, parts: LeftBehindParts): Promise<void> {
  const { storage, locks = webLocks, clock } = parts;
  const lock = await locks.tryAcquire(key);
  // Another tab is at it; if that one ends before it is done, the copy is still there for the next one.
  if (lock === undefined) return;
  try {
    const batches = parseCopy(storage.getItem(key) ?? "", clock.nowMs());
    for (const batch of batches ?? []) if (!(await putOne(batch, parts))) return;
    if (batches !== undefined) storage.removeItem(key);
  } finally {
    lock.release();
  }
}

/** When a copy was left, in ms since the Unix epoch; 0 when that cannot be read. */
function leftAtMs(text: string): number {
  const length = text.indexOf("\n") + 1;
  return parseHead(text.slice(0, length), text.length - length)?.atMs ?? 0;
}

/**
 * Takes all copies of an engine, one after the other, as they were left: storage keeps them in any order.
 * A copy is removed when all of it is settled; one that cannot be put now stays. The results are nobody's: of what is refused nothing was acknowledged.
 */
export async function takeLeftBehind(parts: LeftBehindParts): Promise<void> {
  const prefix = copyPrefix(parts.engineName);
  const copies = Object.keys(parts.storage)
    .filter((key) => key.startsWith(prefix))
    .map((key) => ({ key, atMs: leftAtMs(parts.storage.getItem(key) ?? "") }))
    .sort((a, b) => a.atMs - b.atMs);
  for (const { key } of copies) await takeCopy(key, parts);
}
