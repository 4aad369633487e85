/**
 * Encrypted records on their way back into the core: decrypts the sections that recovery needs, and keeps
 * account of those whose key is gone. A key that was destroyed on purpose took its records along; one that
 * vanished is a loss.
 */
import type { ControlState } from "./control-state.ts";
import { isDestroyed } from "./data-keys.ts";
import type { DataLoss } from "./loss-reports.ts";
import type { RecordCipher } from "./record-cipher.ts";
import { decryptRecords } from "./section-cipher.ts";
import { readRuns, type StoredRun } from "./sections.ts";
import type { ShardSlots } from "./shard-slots.ts";
import type { DecodedFrame, Section } from "./wal-frame.ts";

/** The encrypted sections of one recovery. */
export class EncryptedReplay {
  readonly #cipher: RecordCipher;
  readonly #control: ControlState;
  /** Records under keys that vanished, by data key. */
  readonly #lost = new Map<number, number>();
  /** Index after the last record that is not put back, by shard uid. */
  readonly #floors = new Map<number, number>();
  /** Shards (uids) by frame whose records there cannot be had. */
  readonly #released = new Map<number, Set<number>>();

  constructor(cipher: RecordCipher, control: ControlState) {
    this.#cipher = cipher;
    this.#control = control;
  }

  /**
   * The runs of a section with their frames; none when they cannot be had. Sections that hold nothing
   * `wanted` are left as they are. `note` is told of bytes that are not what was encrypted.
   * @throws StoreFailedError when the vault fails.
   */
  async runsOf(
    frame: DecodedFrame,
    section: Section,
    wanted: (run: StoredRun) => boolean,
    note: (loss: Omit<DataLoss, "kind">) => void,
  ): Promise<readonly StoredRun[]> {
    const runs = readRuns(section);
    if (section.keyId === 0 || !runs.some(wanted)) return runs;
    const destroyed = isDestroyed(this.#control, section.keyId);
    const found = destroyed ? "no-key" : await decryptRecords(this.#cipher, frame, section);
    if (typeof found !== "string") {
      for (const { shardUid, ordinal } of found) {
        this.#cipher.noteSegment(shardUid, ordinal, section.keyId);
      }
      return found;
    }
    const missing = runs.filter(wanted);
    const recordCount = missing.reduce((sum, run) => sum + run.recordCount, 0);
    for (const run of missing) this.#raise(run);
    this.#release(frame.frameNumber, runs);
    if (found === "damaged") {
      note({
        where: `WAL frame ${frame.frameNumber}, stream uid ${section.streamUid}`,
        reason: "its ciphertext does not verify with its key and headers",
        recordCount,
      });
    } else if (!destroyed) {
      this.#lost.set(section.keyId, (this.#lost.get(section.keyId) ?? 0) + recordCount);
    }
    return [];
  }

  /** What keys that vanished cost, one loss for each key. */
  losses(): DataLoss[] {
    return [...this.#lost].map(([dataKeyId, recordCount]) => ({
      kind: "key",
      where: `data key ${dataKeyId}`,
      reason: "the vault does not have it; what it encrypted cannot be read",
      recordCount,
    }));
  }

  /** Raises shards past the indexes of records that were not put back, so that they are not given out again. */
  raiseIndexes(slots: ShardSlots, raise: (slot: number, nextIndex: number) => void): void {
    for (const [shardUid, nextIndex] of this.#floors) {
      const shard = slots.ofUid(shardUid);
      if (shard !== undefined) raise(shard.slot, nextIndex);
    }
  }

  /** What frames hold and nobody can read does not keep them from being trimmed. */
  get released(): ReadonlyMap<number, ReadonlySet<number>> {
    return this.#released;
  }

  #release(frameNumber: number, runs: readonly StoredRun[]): void {
    const shards = this.#released.get(frameNumber) ?? new Set();
    for (const { shardUid } of runs) shards.add(shardUid);
    this.#released.set(frameNumber, shards);
  }

  #raise({ shardUid, firstIndex, recordCount }: StoredRun): void {
    const after = firstIndex + recordCount;
    this.#floors.set(shardUid, Math.max(after, this.#floors.get(shardUid) ?? 0));
  }
}
