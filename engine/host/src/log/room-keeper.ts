/**
 * Keeps room in the store: what to do when the budget is used up or the store refuses a frame.
 *
 * First what costs nothing: the retention sweep, and a checkpoint that trims the WAL. Then streams that
 * give way lose their oldest segments. When all that is not enough the store is full: puts are refused,
 * reads and changes of state go on, and room is looked for again from time to time.
 */
import { MillraceError, StoreFullError } from "../errors/index.ts";
import type { SegmentKey } from "../storage/log-store.ts";
import type { Checkpointer } from "./checkpoint.ts";
import { OldestDropper } from "./drop-oldest.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { LogContext } from "./log-context.ts";
import type { LogEvent } from "./log-events.ts";
import type { RetentionSweep } from "./retention.ts";
import { factsOfImage, PROBE_ORDINAL } from "./segment-directory.ts";
import { StorageBudget } from "./storage-budget.ts";

/** How soon room is looked for again while the store is full, in ms; doubled up to the longest. */
const RETRY_DELAY_MS = { first: 1000, longest: 30_000 } as const;
/** Bytes that must come free before a store that refused a frame is asked again. */
const PROGRESS_BYTES = 65_536;
/** Frames that may be refused one after the other, with room made in between, before the store is full. */
const REFUSALS_MAX = 3;
/** Bytes that are freed at least when records are dropped, so that it is not done for each batch anew. */
const DROP_BYTES_MIN = 1_048_576;
/** Part of the budget that is freed at least. */
const DROP_PART = 1 / 16;
/** Bytes that must come free for a segment that was refused. */
const SEALED_BYTES = 1_048_576;
/** Bytes that are written to try whether the store has room again: small writes succeed in a full one. */
const PROBE_BYTES = { min: 65_536, max: 4_194_304 } as const;

/** Where noise begins; any number but 0. */
const NOISE_SEED = 0x9e3779b9;

/** What the keeper works with. */
export interface RoomParts {
  readonly commit: GroupCommit;
  readonly checkpointer: Checkpointer;
  readonly retention: RetentionSweep;
  readonly budgetBytes: number | undefined;
  readonly onEvent: (event: LogEvent) => void;
}

/** Decides whether there is room, and makes some. */
export class RoomKeeper {
  readonly budget: StorageBudget;
  readonly #context: LogContext;
  readonly #parts: RoomParts;
  readonly #dropper: OldestDropper;
  #making: Promise<void> | undefined;
  /** Why the store itself takes no batches, until it does. */
  #refusal: StoreFullError | undefined;
  /** Frames that the store refused since it last took one with batches. */
  #refusals = 0;
  /** All was done that makes room, and nothing has changed since. */
  #exhausted = false;
  /** Bytes that were last refused for want of budget. */
  #wantedBytes = 0;
  /** Bytes that the store last refused. */
  #refusedBytes = 0;
  #full = false;
  #retryDelayMs: number = RETRY_DELAY_MS.first;
  #cancelRetry: (() => void) | undefined;
  #stopped = false;

  constructor(context: LogContext, parts: RoomParts) {
    this.#context = context;
    this.#parts = parts;
    this.budget = new StorageBudget(context, parts.budgetBytes);
    this.#dropper = new OldestDropper(context, parts.commit, parts.onEvent);
  }

  /** Whether puts are refused for want of room. */
  get full(): boolean {
    return this.#full;
  }

  /**
   * Whether there is room for a batch besides what is appended and not written yet, in bytes. "later"
   * while room is being made; the commit is pumped afterwards.
   */
  admit(byteLength: number, unwrittenBytes: number): "now" | "later" | StoreFullError {
    if (this.#making !== undefined) return "later";
    if (this.#refusal !== undefined) return fullError(this.#refusal);
    const wanted = byteLength + unwrittenBytes;
    const lacking = this.budget.lacking(wanted);
    if (lacking <= 0) return "now";
    if (!this.budget.fitsAtAll(byteLength)) return tooLarge(this.budget, byteLength);
    // What is in flight is counted once as unwritten, and twice when it is in the WAL: it must land first.
    if (unwrittenBytes > 0) return "later";
    if (this.#exhausted) {
      this.#wantedBytes = wanted;
      this.#setFull(true);
      return overBudget(this.budget, byteLength);
    }
    this.#make(wanted);
    return "later";
  }

  /** The store refused a frame for lack of room; batches of so many bytes wait. */
  refused(error: StoreFullError, byteLength: number): void {
    this.#refusals += 1;
    this.#refusedBytes = byteLength;
    if (this.#making !== undefined) return;
    if (this.#refusals > REFUSALS_MAX) this.#giveUp(error);
    else this.#make(byteLength, error);
  }

  /**
   * Memory is full of what the store has no room for. Undefined while room is being made; then the commit is
   * pumped.
   */
  pressed(error: StoreFullError): StoreFullError | undefined {
    if (this.#making !== undefined) return undefined;
    if (this.#refusal !== undefined) return fullError(this.#refusal);
    // Whether there is room again is tried with as much: smaller frames may fit all the same.
    this.#refusedBytes = Math.max(this.#refusedBytes, SEALED_BYTES);
    this.#make(SEALED_BYTES, error);
    return undefined;
  }

  /** A frame with batches is in the store. */
  accepted(): void {
    this.#refusals = 0;
    this.#exhausted = false;
  }

  /** Something was deleted, or may be from now on: what was refused may fit. */
  changed(): void {
    this.#exhausted = false;
    if (!this.#full || this.#making !== undefined) return;
    this.#retryDelayMs = RETRY_DELAY_MS.first;
    this.#retryLater();
  }

  /** Makes room as for a frame that the store refused, unless it is at it. Resolves afterwards. */
  async makeRoom(error: StoreFullError): Promise<void> {
    if (this.#making === undefined && this.#refusal === undefined) {
      this.#make(PROGRESS_BYTES, error);
    }
    await this.#making;
  }

  /** Reads the lengths of segments that a snapshot of an older version did not tell, if they matter. */
  async measure(): Promise<void> {
    if (this.budget.budgetBytes === undefined) return;
    const { directory, store } = this.#context;
    for (const key of directory.unknown()) {
      if (this.#stopped) return;
      const image = await store.readSegment(key).catch(() => undefined);
      const facts = image === undefined ? undefined : factsOfImage(image);
      if (facts !== undefined && directory.of(key[0]).includes(key)) directory.note(key, facts);
    }
  }

  /** Looks for room no more; resolves when it is not looking. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRetry?.();
    await this.#making;
  }

  #make(byteLength: number, refusal?: StoreFullError): void {
    const before = this.budget.storedBytes;
    this.#making = this.#run(byteLength, refusal).then(() => {
      this.#making = undefined;
      this.#exhausted = true;
      const freed = before - this.budget.storedBytes;
      const failed = this.#parts.commit.failure !== undefined;
      if (refusal !== undefined && freed < PROGRESS_BYTES && !failed) this.#giveUp(refusal);
      this.#parts.commit.pump();
    });
  }

  /** Everything that makes room, until there is enough. Never rejects. */
  async #run(byteLength: number, refusal: StoreFullError | undefined): Promise<void> {
    const { retention, checkpointer } = this.#parts;
    const before = this.budget.storedBytes;
    await attempt(retention.trim());
    if (this.#enough(byteLength, refusal, before)) return;
    await attempt(checkpointer.squeeze());
    if (this.#enough(byteLength, refusal, before)) return;
    await attempt(this.#drop(byteLength, refusal));
    // What could not be sealed has another chance now.
    if (refusal !== undefined) await attempt(checkpointer.squeeze());
  }

  #enough(byteLength: number, refusal: StoreFullError | undefined, before: number): boolean {
    if (refusal === undefined) return this.budget.lacking(byteLength) <= 0;
    return before - this.budget.storedBytes >= Math.max(PROGRESS_BYTES, 2 * byteLength);
  }

  async #drop(byteLength: number, refusal: StoreFullError | undefined): Promise<void> {
    const { budgetBytes = 0 } = this.budget;
    const usual = Math.max(DROP_BYTES_MIN, Math.floor(budgetBytes * DROP_PART));
    if (refusal !== undefined) {
      await this.#dropper.drop(Math.max(usual, 2 * byteLength));
      return;
    }
    const lacking = this.budget.lacking(byteLength);
    // Nothing is given up for what does not fit all the same.
    if (this.#dropper.droppableBytes < lacking) return;
    await this.#dropper.drop(Math.max(usual, lacking));
  }

  #giveUp(refusal: StoreFullError): void {
    this.#refusal = refusal;
    this.#setFull(true);
  }

  #setFull(full: boolean): void {
    if (full) this.#retryLater();
    else {
      this.#retryDelayMs = RETRY_DELAY_MS.first;
      this.#cancelRetry?.();
      this.#cancelRetry = undefined;
    }
    if (this.#full === full) return;
    this.#full = full;
    this.#parts.onEvent({ kind: "storage-full", full });
  }

  #retryLater(): void {
    if (this.#stopped) return;
    this.#cancelRetry?.();
    this.#cancelRetry = this.#context.clock.after(this.#retryDelayMs, () => {
      this.#cancelRetry = undefined;
      this.#retryDelayMs = Math.min(2 * this.#retryDelayMs, RETRY_DELAY_MS.longest);
      void this.#retry();
    });
  }

  /** Tries whether there is room again. Never rejects. */
  async #retry(): Promise<void> {
    const { commit } = this.#parts;
    if (this.#stopped || commit.failure !== undefined || this.#making !== undefined) return;
    this.#making = this.#lookForRoom();
    await this.#making;
    this.#making = undefined;
    if (this.#refusal === undefined && this.budget.lacking(this.#wantedBytes) <= 0) {
      this.#setFull(false);
    } else {
      this.#exhausted = true;
      this.#retryLater();
    }
    commit.pump();
  }

  /** The store is asked first: where it has room again, nothing need give way. */
  async #lookForRoom(): Promise<void> {
    if (this.#refusal !== undefined) await this.#probe();
    const refusal = this.#refusal;
    await this.#run(refusal === undefined ? this.#wantedBytes : this.#refusedBytes, refusal);
    if (this.#refusal !== undefined) await this.#probe();
  }

  /** Writes what was refused, about, as a segment that nobody declares, and deletes it again. */
  async #probe(): Promise<void> {
    const { store, control, epoch } = this.#context;
    const [shard] = control.shards();
    if (shard === undefined) return;
    const key: SegmentKey = [shard.uid, PROBE_ORDINAL, 0, 0, 0, epoch];
    const { min, max } = PROBE_BYTES;
    const byteLength = Math.min(max, Math.max(min, 2 * this.#refusedBytes));
    try {
      await store.deleteSegments([key]);
      await store.addSegments([{ key, image: noise(byteLength) }]);
      await store.deleteSegments([key]);
      this.#refusal = undefined;
      this.#refusals = 0;
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      if (error instanceof StoreFullError) this.#refusal = error;
    }
  }
}

/** Bytes that no store can compress. */
function noise(byteLength: number): ArrayBuffer {
  const words = new Uint32Array(byteLength >>> 2);
  let word = NOISE_SEED;
  for (let i = 0; i < words.length; i++) {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    words[i] = word;
  }
  return words.buffer;
}

/** One step that may fail: the others, and the next time, may not. */
async function attempt(step: Promise<void>): Promise<void> {
  try {
    await step;
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
  }
}

function fullError(cause: StoreFullError): StoreFullError {
  return new StoreFullError(
    `the store is full (${cause.message}); records that are there can be read, and puts work again ` +
      "when there is room",
    { argument: "storage", cause },
  );
}

function overBudget(
  { budgetBytes, storedBytes }: StorageBudget,
  byteLength: number,
): StoreFullError {
  return new StoreFullError(
    `the engine's storage budget of ${budgetBytes} bytes has no room for ${byteLength} more: ${storedBytes} ` +
      "are stored, and what is in the write-ahead log needs as much again until it is sealed",
    { argument: "storageBudgetBytes", value: byteLength, ...limitOf(budgetBytes) },
  );
}

function tooLarge({ budgetBytes }: StorageBudget, byteLength: number): StoreFullError {
  return new StoreFullError(
    `the engine's storage budget of ${budgetBytes} bytes is too small for ${byteLength} at once, even when ` +
      "nothing else is stored: open it with a larger one",
    {
      ...{ argument: "storageBudgetBytes", value: byteLength, retryable: false },
      ...limitOf(budgetBytes),
    },
  );
}

function limitOf(limit: number | undefined): { limit?: number } {
  return limit === undefined ? {} : { limit };
}
