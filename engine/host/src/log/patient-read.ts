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
  /** What the store said when it was asked last. */
  readonly cause: MillraceError;
}

/**
 * Reads a value, up to `attempts` times, opening the store anew after each that fails.
 * @throws MillraceError when the store itself is out of reach.
 */
export async function patientRead(
  store: LogStore,
  guard: StoreGuard,
  attempts: number,
  read: () => Promise<Uint8Array | undefined>,
): Promise<Uint8Array | undefined | UnreadableValue> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await read();
    } catch (error) {
      if (!isReadFailure(error)) throw error;
      await guard.reopen();
      if (attempt < attempts) continue;
      // The keys tell whether it is the store that fails, or this one value.
      await store.lastFrameNumber();
      return { unreadable: `the store cannot read it: ${error.message}`, cause: error };
    }
  }
}

function isReadFailure(error: unknown): error is MillraceError {
  return error instanceof StoreFailedError || error instanceof OutcomeUnknownError;
}
