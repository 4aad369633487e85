/**
 * The data keys of streams, from making to destroying.
 *
 * A key is in the vault before a record names it, and no record names it any more as a key to write with
 * before it leaves the vault: whenever a leader dies, the next one finishes what it finds.
 */
import { FrameExistsError, NotSupportedError } from "../errors/index.ts";
import type { ControlRecord, DocumentValue } from "../log/control-records.ts";
import {
  DATA_KEY_PREFIX,
  type DataKeyDocument,
  dataKeyKey,
  dataKeyOf,
  encryptionKey,
  encryptionOf,
  LAST_DATA_KEY,
  type LastUse,
  type StreamEncryption,
} from "../log/data-keys.ts";
import type { Log } from "../log/log.ts";
import { keyLost } from "../log/record-cipher.ts";
import type { KeyVault } from "../platform/platform.ts";

/** A data key that a log knows of. */
export interface KnownDataKey extends DataKeyDocument {
  readonly dataKeyId: number;
}

/** The data keys of one life of an engine. */
export class StreamKeys {
  readonly #log: Log;
  readonly #vault: KeyVault | undefined;
  /** Data keys that the vault was told to delete in this life. */
  readonly #erased = new Set<number>();

  constructor(log: Log, vault: KeyVault | undefined) {
    this.#log = log;
    this.#vault = vault;
  }

  /** All data keys that are not forgotten yet. */
  list(): KnownDataKey[] {
    const { control } = this.#log;
    return control.documentKeys(DATA_KEY_PREFIX).flatMap((key) => {
      const dataKeyId = Number(key.slice(DATA_KEY_PREFIX.length));
      const document = dataKeyOf(control, dataKeyId);
      return document === undefined ? [] : [{ ...document, dataKeyId }];
    });
  }

  /** Makes a data key, durably, and makes it ready to encrypt. @throws NotSupportedError without cryptography. */
  async create(): Promise<number> {
    const vault = this.#requireVault();
    const taken = [this.#lastNumber, ...(await vault.keyIds())];
    for (let dataKeyId = Math.max(...taken) + 1; ; dataKeyId++) {
      try {
        await vault.createKey(dataKeyId);
      } catch (error) {
        // Another call, or a leader that was deposed and does not know it, was faster.
        if (error instanceof FrameExistsError) continue;
        throw error;
      }
      if (await this.#log.cipher.prepare(dataKeyId)) return dataKeyId;
      throw keyLost(dataKeyId);
    }
  }

  /** Deletes a key that no record names after all. */
  async discard(dataKeyId: number): Promise<void> {
    if (dataKeyOf(this.#log.control, dataKeyId) === undefined) {
      this.#log.cipher.forgetKey(dataKeyId);
      await this.#requireVault().destroyKey(dataKeyId);
    }
  }

  /** The records by which a stream is encrypted with a new data key from the next section on. */
  starting(streamUid: number, encryption: StreamEncryption, nowMs: number): ControlRecord[] {
    const { dataKeyId, masterKeyId } = encryption;
    return [
      ...this.#retiring(streamUid),
      putting(dataKeyKey(dataKeyId), {
        ...{ streamUid, masterKeyId, state: "active", createdMs: nowMs },
      }),
      putting(LAST_DATA_KEY, Math.max(dataKeyId, this.#lastNumber)),
      putting(encryptionKey(streamUid), { ...encryption }),
    ];
  }

  /** The records by which a stream is not encrypted any more from the next section on. */
  stopping(streamUid: number): ControlRecord[] {
    return [
      ...this.#retiring(streamUid),
      { kind: "document-deleted", key: encryptionKey(streamUid) },
    ];
  }

  /** The records that give up data keys for good, and what they encrypted with them. */
  destroying(keys: readonly KnownDataKey[]): ControlRecord[] {
    return keys
      .filter(({ state }) => state !== "destroyed")
      .map(({ dataKeyId, streamUid, masterKeyId, createdMs }) =>
        putting(dataKeyKey(dataKeyId), {
          ...{ streamUid, masterKeyId, createdMs, state: "destroyed" },
        }),
      );
  }

  /** Data keys of a stream that are not destroyed. */
  ofStream(streamUid: number): KnownDataKey[] {
    return this.list().filter((key) => key.streamUid === streamUid && key.state !== "destroyed");
  }

  /** Data keys under a master key that are not destroyed. */
  underMasterKey(masterKeyId: string): KnownDataKey[] {
    return this.list().filter(
      (key) => key.masterKeyId === masterKeyId && key.state !== "destroyed",
    );
  }

  /**
   * Takes keys out of the vault that were destroyed or whose stream is gone. Resolves with the numbers of
   * those that are certainly gone from it. @throws StoreFailedError.
   */
  async erase(): Promise<ReadonlySet<number>> {
    const due = this.list().filter(
      (key) => !this.#erased.has(key.dataKeyId) && (key.state === "destroyed" || this.#isGone(key)),
    );
    if (due.length === 0) return this.#erased;
    const vault = this.#requireVault();
    // Keys are remembered long after they are gone, and a deletion that finds nothing costs a write as well.
    const kept = new Set(await vault.keyIds());
    for (const { dataKeyId } of due) {
      if (kept.has(dataKeyId)) await vault.destroyKey(dataKeyId);
      this.#erased.add(dataKeyId);
    }
    return this.#erased;
  }

  /**
   * The records of a sweep: retired keys that nothing refers to any more count as destroyed, and newly
   * retired ones learn where they were used last, which only the time after their last use can tell. Once
   * they are `erased`, those are forgotten, and keys of streams that are gone. Of a key that was destroyed
   * before that something may be left for as long as its stream is there: it is remembered as no loss.
   */
  sweeping(erased: ReadonlySet<number>): ControlRecord[] {
    return this.list().flatMap((key): ControlRecord[] => {
      const { dataKeyId, state, lastUses } = key;
      if (this.#isGone(key) || (state === "destroyed" && lastUses !== undefined)) {
        return erased.has(dataKeyId)
          ? [{ kind: "document-deleted", key: dataKeyKey(dataKeyId) }]
          : [];
      }
      if (state !== "retired") return [];
      if (lastUses === undefined) return [putting(dataKeyKey(dataKeyId), this.#withLastUses(key))];
      if (this.#isReferred(lastUses)) return [];
      return [putting(dataKeyKey(dataKeyId), documentOf(key, "destroyed", lastUses))];
    });
  }

  #isGone({ streamUid }: KnownDataKey): boolean {
    return this.#log.control.stream(streamUid) === undefined;
  }

  get #lastNumber(): number {
    const last = this.#log.control.document(LAST_DATA_KEY);
    return Math.max(
      typeof last === "number" ? last : 0,
      ...this.list().map(({ dataKeyId }) => dataKeyId),
    );
  }

  #requireVault(): KeyVault {
    if (this.#vault !== undefined) return this.#vault;
    throw new NotSupportedError(
      "this platform has no place for keys, so that nothing is encrypted",
    );
  }

  /** The data key that a stream wrote with until now goes on to decrypt, until nothing refers to it. */
  #retiring(streamUid: number): ControlRecord[] {
    const { control } = this.#log;
    const dataKeyId = encryptionOf(control, streamUid)?.dataKeyId;
    const document = dataKeyId === undefined ? undefined : dataKeyOf(control, dataKeyId);
    if (dataKeyId === undefined || document?.state !== "active") return [];
    const { masterKeyId, createdMs } = document;
    const retired = { streamUid, masterKeyId, createdMs, state: "retired" };
    return [putting(dataKeyKey(dataKeyId), retired)];
  }

  /** No segment after those that the stream's shards have now gets a record under a key that is retired. */
  #withLastUses(key: KnownDataKey): DocumentValue {
    const { slots, core } = this.#log;
    const lastUses = slots.ofStream(key.streamUid).map(({ uid, slot }) => ({
      shardUid: uid,
      ordinal: core.position(slot).nextOrdinal - 1,
    }));
    return documentOf(key, key.state, lastUses);
  }

  /** Whether anything that is kept may be encrypted with a key that was last used there. */
  #isReferred(lastUses: readonly LastUse[]): boolean {
    return lastUses.some(({ shardUid, ordinal }) => this.#log.holdsThrough(shardUid, ordinal));
  }
}

function documentOf(
  { streamUid, masterKeyId, createdMs }: KnownDataKey,
  state: DataKeyDocument["state"],
  lastUses: readonly LastUse[],
): DocumentValue {
  return {
    streamUid,
    masterKeyId,
    createdMs,
    state,
    lastUses: lastUses.map((use) => ({ ...use })),
  };
}

function putting(key: string, value: DocumentValue): ControlRecord {
  return { kind: "document-put", key, value };
}
