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
import { pause } from "../platform/deadline.ts";
import type { Durability, LogStore } from "../storage/log-store.ts";
import { viewOf } from "./bytes.ts";
import type { LogContext } from "./log-context.ts";
import { REOPEN_DELAYS_MS } from "./store-guard.ts";
import type { EncodedFrame } from "./wal-frame.ts";

/** Where a frame goes. */
export type FrameTarget = Pick<LogContext, "store" | "guard" | "clock">;

/** Opens the store anew, a few times over, and reads a frame. */
async function frameAfterReopen(
  target: FrameTarget,
  frameNumber: number,
): Promise<Uint8Array | undefined> {
  const { store, guard, clock } = target;
  let failure: unknown;
  for (const delayMs of REOPEN_DELAYS_MS) {
    if (delayMs > 0) await pause(clock, delayMs);
    try {
      await guard.reopen();
      const stored = await store.readFrame(frameNumber);
      if (stored === undefined) await refuseSuccessor(store, frameNumber);
      return stored;
    } catch (error) {
      if (error instanceof EngineFailedError || error instanceof DeposedError) throw error;
      failure = error;
    }
  }
  throw new IndeterminateError(
    `the store did not tell whether frame ${frameNumber} was written and could not be opened again`,
    { argument: "frameNumber", value: frameNumber, cause: failure },
  );
}

/** A frame that is absent while later ones are there may have been written, and trimmed by a successor. */
async function refuseSuccessor(store: LogStore, frameNumber: number): Promise<void> {
  const newest = await store.lastFrameNumber();
  if (newest <= frameNumber) return;
  throw new DeposedError(
    `another leader wrote frame ${newest}; nobody can tell what became of frame ${frameNumber}`,
    { argument: "frameNumber", value: frameNumber, indeterminate: true },
  );
}

function isOwn(stored: Uint8Array, frame: EncodedFrame): boolean {
  return (
    stored.byteLength === frame.bytes.byteLength &&
    viewOf(stored).getBigUint64(WAL_HASH, true) === frame.hash
  );
}

/**
 * Writes a frame. Resolves once it is as durable as asked.
 *
 * @throws DeposedError when another leader's frame has the number.
 * @throws IndeterminateError when the store stays out of reach.
 * @throws EngineFailedError when the store came back without frames that it had.
 * @throws StoreFullError or StoreFailedError when the frame is certainly not in the store.
 */
export async function writeFrame(
  target: FrameTarget,
  frameNumber: number,
  frame: EncodedFrame,
  durability: Durability = "strict",
): Promise<void> {
  const { store, guard, clock } = target;
  let problem: MillraceError;
  try {
    // Whoever opens it anew may give up at the first refusal.
    if (guard.verifying !== undefined)
      await guard.verifying.catch(() => guard.reopenPatiently(clock));
    await store.appendFrame(frameNumber, frame.bytes, durability);
    return;
  } catch (error) {
    if (!(error instanceof FrameExistsError) && !(error instanceof OutcomeUnknownError))
      throw error;
    problem = error;
  }
  const stored = await frameAfterReopen(target, frameNumber);
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
