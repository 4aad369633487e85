/**
 * Gets one frame into the store, or finds out for certain that it is not there.
 *
 * A transaction may end without telling its outcome; then the store is opened anew and asked: our
 * own frame at the number means committed, a foreign one means that another leader took over, none
 * means not committed.
 */

import { WAL_HASH } from "@millrace/core/layout";
import {
  DeposedError,
  EngineFailedError,
  FrameExistsError,
  IndeterminateError,
  MillraceError,
  OutcomeUnknownError,
} from "../errors/index.ts";
import type { Clock } from "../platform/platform.ts";
import type { LogStore } from "../storage/log-store.ts";
import { viewOf } from "./bytes.ts";
import type { EncodedFrame } from "./wal-frame.ts";

/** Pauses before the store is opened anew, in ms. */
const REOPEN_DELAYS_MS = [0, 50, 200, 1000] as const;

function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}

/** Opens the store anew, a few times over, and reads a frame. */
async function frameAfterReopen(
  store: LogStore,
  clock: Clock,
  frameNumber: number,
): Promise<Uint8Array | undefined> {
  let failure: unknown;
  for (const delayMs of REOPEN_DELAYS_MS) {
    if (delayMs > 0) await pause(clock, delayMs);
    try {
      await store.reopen();
      const newest = await store.lastFrameNumber();
      if (newest < frameNumber - 1) throw lostFrames(frameNumber, newest);
      return await store.readFrame(frameNumber);
    } catch (error) {
      if (error instanceof EngineFailedError) throw error;
      failure = error;
    }
  }
  throw new IndeterminateError(
    `the store did not tell whether frame ${frameNumber} was written and could not be opened again`,
    { argument: "frameNumber", value: frameNumber, cause: failure },
  );
}

/** The store came back older than it was, or empty: to write on would hide it. */
function lostFrames(frameNumber: number, newest: number): EngineFailedError {
  return new EngineFailedError(
    `the store came back with frame ${newest} as its newest, where it had frame ${frameNumber - 1}: ` +
      "its data was cleared or replaced; open the engine again to go on with what is left",
    { argument: "frameNumber", value: newest, limit: frameNumber - 1, indeterminate: true },
  );
}

function isOwn(stored: Uint8Array, frame: EncodedFrame): boolean {
  return (
    stored.byteLength === frame.bytes.byteLength &&
    viewOf(stored).getBigUint64(WAL_HASH, true) === frame.hash
  );
}

/**
 * Writes a frame. Resolves once it is durable.
 *
 * @throws DeposedError when another leader's frame has the number.
 * @throws IndeterminateError when the store stays out of reach.
 * @throws EngineFailedError when the store came back without frames that it had.
 * @throws StoreFullError or StoreFailedError when the frame is certainly not in the store.
 */
export async function writeFrame(
  store: LogStore,
  clock: Clock,
  frameNumber: number,
  frame: EncodedFrame,
): Promise<void> {
  let problem: MillraceError;
  try {
    await store.appendFrame(frameNumber, frame.bytes, "strict");
    return;
  } catch (error) {
    if (!(error instanceof FrameExistsError) && !(error instanceof OutcomeUnknownError))
      throw error;
    problem = error;
  }
  const stored =
    problem instanceof FrameExistsError
      ? await store.readFrame(frameNumber)
      : await frameAfterReopen(store, clock, frameNumber);
  if (stored === undefined) throw notWritten(frameNumber, problem);
  if (!isOwn(stored, frame)) {
    throw new DeposedError(
      `another leader wrote frame ${frameNumber}; this engine has been deposed`,
      { argument: "frameNumber", value: frameNumber, cause: problem },
    );
  }
}

function notWritten(frameNumber: number, cause: MillraceError): MillraceError {
  return new MillraceError(
    "InternalFailureException",
    `frame ${frameNumber} was not written: ${cause.message}`,
    { argument: "frameNumber", value: frameNumber, retryable: true, cause },
  );
}
