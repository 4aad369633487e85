/**
 * Moves full segments from the core into the store: full -> committed -> written -> verified ->
 * declared.
 *
 * A segment counts only once a WAL frame declares it; one that was written and not declared is
 * garbage that the next leader removes. Every image is read back and verified before its declaration,
 * because some stores return damaged bytes without an error.
 */
import { CoreTrapError } from "../core/core-errors.ts";
import type { SealableSegment } from "../core/core-types.ts";
import { releaseBuffer } from "../core/release-buffer.ts";
import { MillraceError, OutcomeUnknownError, StoreFullError } from "../errors/index.ts";
import type { SegmentKey } from "../storage/log-store.ts";
import { CoreFailedError } from "./commit-errors.ts";
import type { SegmentManifest } from "./control-records.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { LogContext } from "./log-context.ts";
import { CIPHER_BYTES } from "./record-cipher.ts";
import { encryptSegment, keyForSegment } from "./segment-cipher.ts";
import { segmentIntact } from "./segment-image.ts";

/** Segments that one transaction takes at most. */
const SEGMENTS_PER_TRANSACTION_MAX = 16;
/** Bytes after which a transaction takes no further segment. */
const TRANSACTION_SOFT_BYTES = 4_194_304;
/** Segments that the core can hold at most; more than any arena has. */
const SEALABLE_MAX = 65_536;
/** Pause after a failed attempt, in ms; for want of room it is doubled up to the longest. */
const RETRY_DELAY_MS = { first: 1000, longest: 30_000 } as const;

interface Sealed {
  readonly segment: SealableSegment;
  readonly key: SegmentKey;
  readonly image: ArrayBuffer;
  /** Data key that it is stored under, 0 for none. */
  readonly dataKeyId: number;
}

/** Seals in the background, one transaction at a time. */
export class Sealer {
  readonly #context: LogContext;
  readonly #commit: GroupCommit;
  #running: Promise<void> | undefined;
  #failure: MillraceError | undefined;
  #stopped = false;
  /** Whether there was something to begin with while the last transaction came to its end. */
  #again = false;
  /** Keys that attempts which failed may have left in the store, in whatever condition. */
  #left: SegmentKey[] = [];
  #cancelRetry: (() => void) | undefined;
  #retryDelayMs: number = RETRY_DELAY_MS.first;
  /** The transaction under way, or the last one. */
  #round: Promise<boolean> = Promise.resolve(false);
  /** What it has taken and not declared. */
  #batch: readonly Sealed[] = [];

  constructor(context: LogContext, commit: GroupCommit) {
    this.#context = context;
    this.#commit = commit;
  }

  /** The last attempt's error, until one succeeds. */
  get failure(): MillraceError | undefined {
    return this.#failure;
  }

  /** Begins to seal what is sealable, unless it is at it or waits to try again. */
  kick(): void {
    if (this.#cancelRetry === undefined) this.#start();
  }

  /**
   * Seals until no sealable segment holds records of a WAL frame up to `throughFrame`; later ones may
   * come and go meanwhile.
   * @throws MillraceError of the first failed attempt, or because the sealer was stopped before the end:
   * whoever goes on to delete WAL frames must know.
   */
  async drain(throughFrame: number): Promise<void> {
    do {
      this.#start();
      await this.#round;
      const failure = this.#commit.failure ?? this.#failure;
      if (failure !== undefined) throw failure;
      if (this.#stopped) {
        throw new MillraceError("EngineClosedException", "the sealer was stopped while it drained");
      }
    } while (this.#holdsBack(throughFrame));
  }

  /** Starts no further transaction; resolves when the current one has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRetry?.();
    await this.#running;
    // What waits for room is told that there will be none.
    this.#commit.pump();
  }

  /** Whether no segment is sealed any more. */
  get stopped(): boolean {
    return this.#stopped && this.#running === undefined;
  }

  #holdsBack(throughFrame: number): boolean {
    // What the transaction under way has taken is not declared yet either.
    const taken = this.#batch.map(({ segment }) => segment);
    const sealable = this.#context.core.sealable(SEALABLE_MAX);
    return [...taken, ...sealable].some((segment) => segment.firstFrame <= throughFrame);
  }

  #start(): void {
    if (this.#stopped) return;
    if (this.#running !== undefined) {
      this.#again = true;
      return;
    }
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      const again = this.#again;
      this.#again = false;
      if (again) this.kick();
    });
  }

  async #run(): Promise<void> {
    let more = true;
    while (more && !this.#stopped && this.#commit.failure === undefined) {
      this.#round = this.#sealBatch();
      more = await this.#round;
    }
  }

  /** One transaction's worth, oldest first; whether there may be more. Never rejects. */
  async #sealBatch(): Promise<boolean> {
    try {
      this.#batch = this.#take();
      if (this.#batch.length === 0) {
        if (this.#failure !== undefined) await this.#clear();
        this.#succeeded();
        return false;
      }
      if (this.#batch.some(({ dataKeyId }) => dataKeyId !== 0)) {
        await this.#encrypt(this.#batch);
      }
      await this.#store(this.#batch);
      this.#batch = [];
      this.#succeeded();
      return true;
    } catch (error) {
      const batch = this.#batch;
      this.#batch = [];
      this.#failed(error, batch);
      return false;
    }
  }

  /** Nothing of an earlier failure is left, not even its next attempt. */
  #succeeded(): void {
    this.#failure = undefined;
    this.#retryDelayMs = RETRY_DELAY_MS.first;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }

  /** Deletes what attempts that failed may have left. */
  async #clear(): Promise<void> {
    if (this.#failure instanceof OutcomeUnknownError) await this.#context.guard.reopen();
    await this.#context.store.deleteSegments(this.#left);
    this.#left = [];
  }

  #failed(error: unknown, batch: readonly Sealed[]): void {
    this.#left.push(...batch.map(({ key }) => key));
    this.#failure =
      error instanceof MillraceError
        ? error
        : new MillraceError("InternalFailureException", `sealing failed: ${String(error)}`, {
            cause: error,
          });
    if (error instanceof CoreTrapError) {
      this.#commit.fail(new CoreFailedError(error));
      return;
    }
    this.#giveBack(batch);
    // Only `close` stops it; nobody waits for room then.
    if (this.#stopped) return;
    this.#cancelRetry ??= this.#context.clock.after(this.#retryDelayMs, () => {
      this.#cancelRetry = undefined;
      this.kick();
    });
    const { first, longest } = RETRY_DELAY_MS;
    const full = error instanceof StoreFullError;
    this.#retryDelayMs = full ? Math.min(2 * this.#retryDelayMs, longest) : first;
    // Whoever waits for room must learn that there will be none for now.
    this.#commit.pump();
  }

  #take(): Sealed[] {
    const { core, epoch, store } = this.#context;
    const batch: Sealed[] = [];
    let byteLength = 0;
    // Where several find no room, one may.
    const limit = this.#failure instanceof StoreFullError ? 1 : SEGMENTS_PER_TRANSACTION_MAX;
    for (const segment of core.sealable(limit)) {
      if (byteLength >= TRANSACTION_SOFT_BYTES) break;
      byteLength += segment.byteLength;
      // What ends with the process needs no key.
      const dataKeyId = store.recoverable ? keyForSegment(this.#context, segment) : 0;
      const spareBytes = dataKeyId === 0 ? 0 : CIPHER_BYTES;
      const image = core.seal(segment.segment, { epoch, spareBytes });
      const { shardUid, ordinal, firstIndex, firstMs, lastMs } = segment;
      const key: SegmentKey = [shardUid, ordinal, firstIndex, firstMs, lastMs, epoch];
      batch.push({ segment, key, image, dataKeyId });
    }
    return batch;
  }

  /** Encrypts images in place, one after the other: none gains from waiting beside others. */
  async #encrypt(batch: readonly Sealed[]): Promise<void> {
    const { core, cipher } = this.#context;
    for (const { dataKeyId, image } of batch) {
      if (dataKeyId !== 0) await encryptSegment(core, cipher, dataKeyId, new Uint8Array(image));
    }
  }

  async #store(batch: readonly Sealed[]): Promise<void> {
    const { store } = this.#context;
    const keys = batch.map((sealed) => sealed.key);
    if (this.#failure !== undefined) await this.#clear();
    // Before the images are the store's: those that it lets go have no length any more.
    const manifests = batch.map(manifestOf);
    await store.addSegments(batch.map(({ key, image }) => ({ key, image })));
    if (store.recoverable) for (const manifest of manifests) await this.#verify(manifest);
    const segments = manifests.filter(({ key }) => this.#exists(key[0]));
    await this.#commit.change([{ kind: "segments-sealed", segments }]);
    for (const { segment } of batch) {
      const { shardUid, ordinal } = segment;
      if (this.#exists(shardUid)) this.#context.core.declare(segment.segment);
      this.#context.cipher.forgetSegment(shardUid, ordinal);
    }
    this.#removeOrphans(keys);
    this.#commit.pump();
  }

  /** A stream that was deleted while its segments were sealed takes them along. */
  #removeOrphans(keys: readonly SegmentKey[]): void {
    const orphans = keys.filter(([shardUid]) => !this.#exists(shardUid));
    if (orphans.length === 0) return;
    // What stays behind because of an error is removed by the next leader, who knows of the deletion.
    this.#context.store.deleteSegments(orphans).catch(() => undefined);
  }

  async #verify({ key, byteLength }: SegmentManifest): Promise<void> {
    const stored = await this.#context.store.readSegment(key);
    const intact =
      stored !== undefined &&
      stored.byteLength === byteLength &&
      segmentIntact(this.#context.core, stored);
    if (stored !== undefined) releaseBuffer(stored);
    if (!intact) {
      throw new MillraceError(
        "InternalFailureException",
        `segment [${key.join(", ")}] did not read back as it was written`,
        { argument: "segment", value: key.join(","), retryable: true },
      );
    }
  }

  /** Segments of a shard that was deleted meanwhile have left the core with it. */
  #exists(shardUid: number): boolean {
    return this.#context.slots.ofUid(shardUid) !== undefined;
  }

  #giveBack(batch: readonly Sealed[]): void {
    if (this.#commit.failure !== undefined) return;
    try {
      for (const { segment } of batch) {
        if (this.#exists(segment.shardUid)) this.#context.core.unseal(segment.segment);
      }
    } catch (error) {
      if (!(error instanceof CoreTrapError)) throw error;
      this.#commit.fail(new CoreFailedError(error));
    }
  }
}

function manifestOf({ segment, key, image }: Sealed): SegmentManifest {
  return {
    key,
    lastIndex: segment.lastIndex,
    recordCount: segment.recordCount,
    byteLength: image.byteLength,
  };
}
