/** The keys of one life of an engine: who may use them for what, and the sweep of those that are of no use. */
import { KeyAccess, type KeyUse } from "../access/key-access.ts";
import { KeyLostError, KmsNotFoundError } from "../errors/index.ts";
import { keyArn } from "../keys/key-references.ts";
import { type MasterKey, MasterKeys, requireEnabled } from "../keys/master-keys.ts";
import { StreamKeys } from "../keys/stream-keys.ts";
import type { StreamDefinition } from "../log/control-records.ts";
import { encryptionOf, isDestroyed, type StreamEncryption } from "../log/data-keys.ts";
import type { Log } from "../log/log.ts";
import { keyLost } from "../log/record-cipher.ts";
import type { Clock, KeyVault, Random } from "../platform/platform.ts";
import type { Catalogue } from "../streams/catalogue.ts";

/** Time between two sweeps, in ms. */
const SWEEP_INTERVAL_MS = 60_000;

/** What the keys of a life work with. */
export interface KeyParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly catalogue: Catalogue;
  /** Absent where there is no cryptography. */
  readonly vault: KeyVault | undefined;
  /** Whether a new life can be recovered from the store. */
  readonly recoverable: boolean;
}

/** Master keys and data keys of one life. */
export class EngineKeys {
  readonly masters: MasterKeys;
  readonly ofStreams: StreamKeys;
  readonly parts: KeyParts;
  readonly #access = new KeyAccess();
  #cancelSweep: (() => void) | undefined;
  #stopped = false;

  constructor(parts: KeyParts) {
    this.parts = parts;
    this.masters = new MasterKeys(parts.log.control);
    this.ofStreams = new StreamKeys(parts.log, parts.vault);
  }

  /** Finishes what the last life left, and goes on to do so from time to time. */
  async resume(): Promise<void> {
    if (this.ofStreams.list().length === 0) return;
    await this.#sweepQuietly();
    this.sweepLater();
  }

  /** Ends the sweeps. */
  stop(): void {
    this.#stopped = true;
    this.#cancelSweep?.();
  }

  /** Has a sweep come, from the first data key on. */
  sweepLater(): void {
    if (this.#stopped || this.#cancelSweep !== undefined) return;
    this.#cancelSweep = this.parts.clock.after(SWEEP_INTERVAL_MS, () => {
      this.#cancelSweep = undefined;
      const next = (): void => this.sweepLater();
      this.#sweepQuietly().then(next, next);
    });
  }

  /**
   * Takes keys out of the vault that were destroyed, whose streams are gone, or that nothing is encrypted
   * with any more. @throws StoreFailedError; MillraceError when the log takes no change.
   */
  async sweep(): Promise<void> {
    const erased = await this.ofStreams.erase();
    await this.parts.catalogue.change(() => this.ofStreams.sweeping(erased));
  }

  /**
   * Lets a caller put into a stream or read it, as far as its key goes.
   * @throws KmsAccessDeniedError, KmsDisabledError, KmsNotFoundError; KeyLostError when the key is gone.
   */
  check(stream: StreamDefinition, principal: string, use: KeyUse): void {
    const encryption = encryptionOf(this.parts.log.control, stream.uid);
    if (encryption === undefined) return;
    this.#requireKept(stream, encryption);
    const { masterKeyId } = encryption;
    const key = this.masters.byId(masterKeyId);
    if (key === undefined) {
      throw new KmsNotFoundError(`Key '${keyArn(masterKeyId)}' does not exist`, {
        value: masterKeyId,
      });
    }
    this.checkKey(key, principal, use);
    this.requireReady(stream);
  }

  /** Lets a caller use a master key. @throws KmsAccessDeniedError, KmsDisabledError, KmsInvalidStateError. */
  checkKey(key: MasterKey, principal: string, use: KeyUse): void {
    this.#access.check(principal, use, { arn: keyArn(key.keyId), policy: key.policy });
    requireEnabled(key);
  }

  /** Refuses records that could not be encrypted when their frame is written. @throws KeyLostError. */
  requireReady(stream: StreamDefinition): void {
    const { log } = this.parts;
    const encryption = encryptionOf(log.control, stream.uid);
    if (encryption === undefined) return;
    this.#requireKept(stream, encryption);
    if (!log.cipher.isReady(encryption.dataKeyId)) throw keyLost(encryption.dataKeyId);
  }

  #requireKept({ name }: StreamDefinition, { dataKeyId, keyName }: StreamEncryption): void {
    if (!isDestroyed(this.parts.log.control, dataKeyId)) return;
    throw new KeyLostError(
      `the key ${keyName} of stream ${name} was destroyed, and what it encrypted with it; give the stream another key to use it again`,
      { argument: "keyId", value: keyName },
    );
  }

  /** A sweep that fails has forgotten nothing, and the next one tries again. */
  async #sweepQuietly(): Promise<void> {
    if (this.#stopped || this.parts.log.failure !== undefined) return;
    await this.sweep().catch(() => undefined);
  }
}
