/**
 * How much the store holds, and how much more the engine's budget allows.
 *
 * What is in the WAL counts twice against the budget: it must still become segments before it can be
 * trimmed. So the sealing of what was accepted never goes beyond the budget.
 */
import type { LogContext } from "./log-context.ts";

/** Bytes of the budget that no put may use: trims, deletions and snapshots go through all the same. */
const RESERVE_BYTES = 1_048_576;

/** The bytes of one log in its store. */
export class StorageBudget {
  readonly #context: Pick<LogContext, "wal" | "directory" | "core" | "store">;
  /** Bytes that the log may keep; undefined for as much as the store gives. */
  readonly budgetBytes: number | undefined;

  constructor(
    context: Pick<LogContext, "wal" | "directory" | "core" | "store">,
    budgetBytes: number | undefined,
  ) {
    this.#context = context;
    this.budgetBytes = budgetBytes;
  }

  /** Bytes of the WAL frames and the declared segments in the store. */
  get storedBytes(): number {
    const { wal, directory } = this.#context;
    return wal.byteLength + directory.byteLength;
  }

  /** Whether so many bytes could be accepted if nothing else were stored. */
  fitsAtAll(byteLength: number): boolean {
    if (this.budgetBytes === undefined) return true;
    const copies = this.#context.store.recoverable ? 2 : 1;
    return copies * byteLength + RESERVE_BYTES <= this.budgetBytes;
  }

  /** Bytes that are missing before `byteLength` more can be accepted; none when it is not positive. */
  lacking(byteLength: number): number {
    if (this.budgetBytes === undefined) return 0;
    const { wal, directory, core, store } = this.#context;
    // Without a WAL, what is in memory alone is what must still be sealed.
    const [unsealed, copies] = store.recoverable
      ? [wal.byteLength, 2]
      : [core.memory().dirtyBytes, 1];
    const needed = directory.byteLength + copies * (unsealed + byteLength);
    return needed + RESERVE_BYTES - this.budgetBytes;
  }
}
