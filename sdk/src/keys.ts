/** The master keys of an engine: what streams are encrypted under, and who may use them. */
import type { EngineClient, MasterKeyDescription } from "@millrace/engine";
import { checkMembers, refuse } from "./check.ts";

/** What a key is made with. */
export interface KeyOptions {
  /** A name for it, with `alias/` in front. */
  readonly alias?: string;
  /** The key policy, as JSON text or as the document; without one the account may do everything. */
  readonly policy?: string | object;
}

function textOf(argument: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  return refuse(argument, "a non-empty string", value, "a non-empty string");
}

function policyText(argument: string, policy: unknown): string {
  if (typeof policy === "object" && policy !== null) return JSON.stringify(policy);
  return textOf(argument, policy);
}

/**
 * The engine's master keys. A key is named by its id, its alias, or the ARN of either.
 *
 * Every call throws KmsNotFoundError for a key that there is not, and KmsInvalidStateError for one that
 * was destroyed.
 */
export class Keys {
  readonly #client: EngineClient;

  /** Made by `open`. */
  constructor(client: EngineClient) {
    this.#client = client;
  }

  /** Makes a key. @throws InvalidArgumentError; ResourceInUseError when the alias is taken. */
  async create(options: KeyOptions = {}): Promise<MasterKeyDescription> {
    checkMembers("options", options, ["alias", "policy"]);
    const { alias, policy } = options;
    return await this.#client.call("keysCreate", {
      alias: alias === undefined ? null : textOf("options.alias", alias),
      policy: policy === undefined ? null : policyText("options.policy", policy),
    });
  }

  /** All keys, destroyed ones too; `alias/aws/kinesis`, which is there by itself, comes first. */
  async list(): Promise<MasterKeyDescription[]> {
    return await this.#client.call("keysList", {});
  }

  /** One key. */
  async describe(keyId: string): Promise<MasterKeyDescription> {
    return await this.#client.call("keysDescribe", { keyId: textOf("keyId", keyId) });
  }

  /**
   * Replaces the policy of a key; null restores the default one. The actions that count are
   * `kms:GenerateDataKey`, for puts, and `kms:Decrypt`, for reads. A policy is the only word on its key:
   * whoever it does not name may not use it. @throws InvalidArgumentError.
   */
  async setPolicy(keyId: string, policy: string | object | null): Promise<MasterKeyDescription> {
    return await this.#client.call("keysSetPolicy", {
      keyId: textOf("keyId", keyId),
      policy: policy === null ? null : policyText("policy", policy),
    });
  }

  /** Lets a key be used again. */
  async enable(keyId: string): Promise<MasterKeyDescription> {
    return await this.#setEnabled(keyId, true);
  }

  /** Has puts and reads of the key's streams fail with KmsDisabledError until it is enabled. */
  async disable(keyId: string): Promise<MasterKeyDescription> {
    return await this.#setEnabled(keyId, false);
  }

  /**
   * Gives all streams under a key new data keys, and resolves with their number. What the old ones
   * encrypted can still be read; they are destroyed when retention has dropped the last of it.
   */
  async rotate(keyId: string): Promise<number> {
    return await this.#client.call("keysRotate", { keyId: textOf("keyId", keyId) });
  }

  /**
   * Destroys a key and all that was encrypted under it, for ever; resolves with the number of streams
   * that cannot be used until they get another key. @throws InvalidArgumentError for `alias/aws/kinesis`.
   */
  async destroy(keyId: string): Promise<number> {
    return (await this.#client.call("keysDestroy", { keyId: textOf("keyId", keyId) })).streams;
  }

  async #setEnabled(keyId: string, enabled: boolean): Promise<MasterKeyDescription> {
    return await this.#client.call("keysSetEnabled", { keyId: textOf("keyId", keyId), enabled });
  }
}
