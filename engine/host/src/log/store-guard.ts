/**
 * Opens a store anew without being fooled by what comes back: a store that is older than it was, or
 * empty, must not be written on as if nothing had happened.
 */
import { EngineClosedError, EngineFailedError } from "../errors/index.ts";
import type { LogStore } from "../storage/log-store.ts";
import type { WalLedger } from "./wal-ledger.ts";

/** The one way to open a log's store anew. */
export class StoreGuard {
  readonly #store: LogStore;
  readonly #wal: WalLedger;
  #reopening: Promise<void> | undefined;
  #stopped = false;
  /** Told when the store came back older; the log must end then. */
  onOlder: (error: EngineFailedError) => void = () => undefined;

  constructor(store: LogStore, wal: WalLedger) {
    this.#store = store;
    this.#wal = wal;
  }

  /** From now on the store stays as it is. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Opens the store anew; whoever asks meanwhile shares the attempt.
   * @throws EngineFailedError when frames are gone that it had; EngineClosedError after {@link stop};
   * what the store throws.
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

  async #reopen(): Promise<void> {
    await this.#store.reopen();
    if (!this.#store.recoverable) return;
    const expected = this.#wal.nextFrameNumber - 1;
    const newest = await this.#store.lastFrameNumber();
    if (newest >= expected) return;
    const error = new EngineFailedError(
      `the store came back with frame ${newest} as its newest, where it had frame ${expected}: its ` +
        "data was cleared or replaced; open the engine again to go on with what is left",
      { argument: "frameNumber", value: newest, limit: expected, indeterminate: true },
    );
    this.onOlder(error);
    throw error;
  }
}
