/**
 * Master keys: what stands for KMS's keys. One is a name, a state and a policy under which streams are
 * encrypted; the key material is the data keys of its streams, which are in the vault.
 */
import {
  InvalidArgumentError,
  KmsDisabledError,
  KmsInvalidStateError,
  KmsNotFoundError,
  ResourceInUseError,
} from "../errors/index.ts";
import type { ControlRecord } from "../log/control-records.ts";
import type { ControlState } from "../log/control-state.ts";
import { uuidOfBytes } from "../model/hex.ts";
import type { Random } from "../platform/platform.ts";
import { aliasArn, checkAlias, keyArn, parseKeyReference } from "./key-references.ts";

/** State of a master key. */
export type MasterKeyState = "Enabled" | "Disabled" | "Destroyed";

/** The document `key/<id>`. */
export interface MasterKey {
  readonly keyId: string;
  readonly state: MasterKeyState;
  /** Name with `alias/` in front; null for none. */
  readonly alias: string | null;
  /** The policy document; null for the one by which the account may do everything. */
  readonly policy: string | null;
  /** Milliseconds since the Unix epoch. */
  readonly createdMs: number;
}

/** Alias of the key that is there by itself, as AWS's own is. */
export const MANAGED_ALIAS = "alias/aws/kinesis";

/** The key that is there by itself: always enabled, for everyone of the account and nobody else. */
export const MANAGED_KEY: MasterKey = {
  keyId: "00000000-0000-4000-8000-000000000000",
  state: "Enabled",
  alias: MANAGED_ALIAS,
  policy: null,
  createdMs: 0,
};

const PREFIX = "key/";
/** Master keys of one engine. */
export const MASTER_KEYS_MAX = 1000;

/** What of a master key changes. */
export type MasterKeyChange = Partial<Pick<MasterKey, "state" | "alias" | "policy">>;

/** The master keys that a control state holds. */
export class MasterKeys {
  readonly #control: ControlState;

  constructor(control: ControlState) {
    this.#control = control;
  }

  /** All of them, the one of AWS's alias first, then by their age. */
  list(): MasterKey[] {
    const made = this.#control.documentKeys(PREFIX).flatMap((key) => this.#read(key) ?? []);
    const byAge = made.sort((a, b) => a.createdMs - b.createdMs || (a.keyId < b.keyId ? -1 : 1));
    return [MANAGED_KEY, ...byAge];
  }

  /** A key by its id, whatever its state; undefined when there is none. */
  byId(keyId: string): MasterKey | undefined {
    return keyId === MANAGED_KEY.keyId ? MANAGED_KEY : this.#read(PREFIX + keyId);
  }

  /** The key that a caller names, whatever its state. @throws InvalidArgumentError, KmsNotFoundError. */
  find(argument: string, text: string): MasterKey {
    const found = this.lookUp(argument, text);
    if (found !== undefined) return found;
    const reference = parseKeyReference(text);
    throw new KmsNotFoundError(
      reference?.kind === "alias"
        ? `Alias ${aliasArn(reference.alias)} is not found.`
        : `Key '${keyArn(reference?.keyId ?? text)}' does not exist`,
      { argument, value: text },
    );
  }

  /** The same; undefined when there is no such key. @throws InvalidArgumentError when the text names none. */
  lookUp(argument: string, text: string): MasterKey | undefined {
    const reference = parseKeyReference(text);
    if (reference === undefined) {
      throw new InvalidArgumentError(
        `KeyId ${text.slice(0, 80)} is neither the id nor the ARN of a key, nor the name or ARN of an alias.`,
        { argument, value: text.slice(0, 80) },
      );
    }
    return reference.kind === "id"
      ? this.byId(reference.keyId)
      : this.list().find(({ alias }) => alias === reference.alias);
  }

  /**
   * The record that makes a key.
   * @throws InvalidArgumentError for an alias that no key can have; ResourceInUseError when it is taken,
   * or there are {@link MASTER_KEYS_MAX} keys.
   */
  creating(key: Omit<MasterKey, "state">): ControlRecord {
    const { alias } = key;
    const keys = this.list();
    if (alias !== null) {
      checkAlias(alias);
      if (keys.some((one) => one.alias === alias)) {
        throw new ResourceInUseError(`An alias with the name ${aliasArn(alias)} already exists`, {
          argument: "alias",
          value: alias,
        });
      }
    }
    if (keys.length > MASTER_KEYS_MAX) {
      throw new ResourceInUseError(`an engine has at most ${MASTER_KEYS_MAX} keys`, {
        argument: "keys",
        value: keys.length,
        limit: MASTER_KEYS_MAX,
      });
    }
    return putting({ ...key, state: "Enabled" });
  }

  /** The record that changes a key. @throws InvalidArgumentError for the managed key; KmsInvalidStateError. */
  changing(key: MasterKey, change: MasterKeyChange): ControlRecord {
    if (key.keyId === MANAGED_KEY.keyId) {
      throw new InvalidArgumentError(`the key ${MANAGED_ALIAS} cannot be changed or destroyed`, {
        argument: "keyId",
        value: MANAGED_ALIAS,
      });
    }
    requireNotDestroyed(key);
    return putting({ ...key, ...change });
  }

  #read(documentKey: string): MasterKey | undefined {
    // Whoever puts the document writes this type.
    const value: unknown = this.#control.document(documentKey);
    return value as MasterKey | undefined;
  }
}

function putting(key: MasterKey): ControlRecord {
  return { kind: "document-put", key: PREFIX + key.keyId, value: { ...key } };
}

function requireNotDestroyed(key: MasterKey): void {
  if (key.state !== "Destroyed") return;
  throw new KmsInvalidStateError(`${keyArn(key.keyId)} is pending deletion.`, {
    argument: "keyId",
    value: key.keyId,
  });
}

/** Refuses a key that cannot be used now. @throws KmsDisabledError, KmsInvalidStateError. */
export function requireEnabled(key: MasterKey): void {
  requireNotDestroyed(key);
  if (key.state === "Enabled") return;
  throw new KmsDisabledError(`${keyArn(key.keyId)} is disabled.`, {
    argument: "keyId",
    value: key.keyId,
  });
}

/** A new random id of a key: a UUID of version 4. */
export function newKeyId(random: Random): string {
  const bytes = random.fill(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return uuidOfBytes(bytes);
}
