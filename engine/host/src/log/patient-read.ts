/**
 * Reads of single values from a store that may fail for one value alone: a damaged value makes some
 * browsers drop the connection and then refuse that value for ever, while all others can be read.
 */
import { type MillraceError, OutcomeUnknownError, StoreFailedError } from "../errors/index.ts";
import type { LogStore } from "../storage/log-store.ts";
import type { StoreGuard } from "./store-guard.ts";

/** A value that cannot be read although the store can be reached. */
export interface UnreadableValue {
  readonly unreadable: string;
}

/**
 * Reads a value; once more after opening the store anew when it fails.
 * @throws MillraceError when the store itself is out of reach.
 */
export async function patientRead(
  store: LogStore,
  guard: StoreGuard,
  read: () => Promise<Uint8Array | undefined>,
): Promise<Uint8Array | undefined | UnreadableValue> {
  try {
    return await read();
  } catch (error) {
    if (!isReadFailure(error)) throw error;
  }
  await guard.reopen();
  try {
    return await read();
  } catch (error) {
    if (!isReadFailure(error)) throw error;
    await guard.reopen();
    // The keys tell whether it is the store that fails, or this one value.
    await store.lastFrameNumber();
    return { unreadable: `the store cannot read it: ${error.message}` };
  }
}

function isReadFailure(error: unknown): error is MillraceError {
  return error instanceof StoreFailedError || error instanceof OutcomeUnknownError;
}
