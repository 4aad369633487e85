/**
 * Opens a store anew without being fooled by what comes back: a store that is older than it was, or
 * empty, must not be written on as if nothing had happened.
 */
import { WAL_HASH, WAL_HEADER_BYTES } from "@millrace/core/layout";
import {
  DeposedError,
  EngineClosedError,
  EngineFailedError,
  type MillraceError,
  UnsupportedFormatError,
} from "../errors/index.ts";
import { pause } from "../platform/deadline.ts";
import type { Clock } from "../platform/platform.ts";
import type { LogStore } from "../storage/log-store.ts";
import { viewOf } from "./bytes.ts";
import type { WalLedger } from "./wal-ledger.ts";

/** Pauses before a store is opened anew, in ms: a browser that clears its data refuses for a moment. */
export const REOPEN_DELAYS_MS = [0, 50, 200, 1000] as const;

/** After these, another attempt ends no otherwise. */
const FINAL = [DeposedError, EngineClosedError, EngineFailedError, UnsupportedFormatError] as const;

/** The one way to open a log's store anew. */
export class StoreGuard {
  readonly #store: LogStore;
  readonly #wal: WalLedger;
  #reopening: Promise<void> | undefined;
  #stopped = false;
  /**
   * Told when the store came back older, or as another one; the log must end then. Returns what it ended with.
   * Set by whoever leads.
   */
  onOlder: ((error: EngineFailedError | DeposedError) => MillraceError) | undefined;

  constructor(store: LogStore, wal: WalLedger) {
    this.#store = store;
    this.#wal = wal;
  }

  /** From now on the store stays as it is. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Undefined when the store may be written to; else settles when it is known whether it may: one that was
   * opened anew takes writes at once, and must not get them before it is known to be the same.
   */
  get verifying(): Promise<void> | undefined {
    return this.#reopening;
  }

  /**
   * Opens the store anew; whoever asks meanwhile shares the attempt.
   * @throws EngineFailedError when frames are gone that it had; DeposedError when another leader trimmed
   * them; EngineClosedError after {@link stop}; what the store throws.
   */
  reopen(): Promise<void> {
    if (this.#stopped) {
      return Promise.reject(new EngineClosedError("the engine is closed; its store stays closed"));
    }
    this.#reopening ??= this.#reopen().finally(() => {
      this.#reopening = undefined;
    });
    return this.#reopening;
  }

  /** As {@link reopen}, a few times over. @throws what the last attempt throws. */
  async reopenPatiently(clock: Clock): Promise<void> {
    let failure: unknown;
    for (const delayMs of REOPEN_DELAYS_MS) {
      if (delayMs > 0) await pause(clock, delayMs);
      try {
        await this.reopen();
        return;
      } catch (error) {
        if (FINAL.some((kind) => error instanceof kind)) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  async #reopen(): Promise<void> {
    await this.#store.reopen();
    if (!this.#store.recoverable) return;
    const { frameNumber, hash } = this.#wal.end;
    const newest = await this.#store.lastFrameNumber();
    if (newest < frameNumber) throw this.#end(olderError(newest, frameNumber));
    if (this.onOlder === undefined || newest === 0 || hash === 0n) return;
    // A frame of another leader, or of another log: our newest one is never trimmed while we lead.
    const stored = await this.#readQuietly(frameNumber);
    if (stored === "unreadable") return;
    const same =
      stored !== undefined &&
      stored.byteLength >= WAL_HEADER_BYTES &&
      viewOf(stored).getBigUint64(WAL_HASH, true) === hash;
    if (same) return;
    const error =
      stored === undefined
        ? deposedError(newest, frameNumber)
        : olderError(newest, frameNumber, "another frame in its place");
    throw this.#end(error);
  }

  /** A value that cannot be read proves nothing. */
  async #readQuietly(frameNumber: number): Promise<Uint8Array | undefined | "unreadable"> {
    try {
      return await this.#store.readFrame(frameNumber);
    } catch {
      return "unreadable";
    }
  }

  #end(error: EngineFailedError | DeposedError): MillraceError {
    return this.onOlder?.(error) ?? error;
  }
}

function olderError(newest: number, expected: number, found?: string): EngineFailedError {
  const what = found ?? `frame ${newest} as its newest`;
  return new EngineFailedError(
    `the store came back with ${what}, where it had frame ${expected}: its ` +
      "data was cleared or replaced; open the engine again to go on with what is left",
    { argument: "frameNumber", value: newest, limit: expected, indeterminate: true },
  );
}

function deposedError(newest: number, expected: number): DeposedError {
  return new DeposedError(
    `another leader wrote frame ${newest} and trimmed frame ${expected}; this engine has been deposed`,
    { argument: "frameNumber", value: newest, limit: expected, indeterminate: true },
  );
}
