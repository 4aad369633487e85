/** What is done with keys: streams get and lose them, they are rotated, and destroyed with all they encrypt. */
import { parseKeyPolicy } from "../access/key-access.ts";
import { InvalidArgumentError } from "../errors/index.ts";
import { keyArn } from "../keys/key-references.ts";
import { type MasterKey, type MasterKeyChange, newKeyId } from "../keys/master-keys.ts";
import type { ControlRecord, StreamDefinition } from "../log/control-records.ts";
import { encryptionOf, isDestroyed, type StreamEncryption } from "../log/data-keys.ts";
import type { EngineKeys } from "./engine-keys.ts";

/** A change of a stream's encryption. */
export interface EncryptionChange {
  /** Finds the stream, and refuses by throwing; called again when the change is decided. */
  readonly locate: () => StreamDefinition;
  /** The key as the caller names it. */
  readonly keyText: string;
  readonly principal: string;
  /** What is committed with the change. */
  readonly also: (stream: StreamDefinition) => readonly ControlRecord[];
}

/** Makes a master key; durable when it resolves. @throws InvalidArgumentError, ResourceInUseError. */
export async function createMasterKey(
  { masters, parts }: EngineKeys,
  alias: string | null,
  policy: string | null,
): Promise<MasterKey> {
  const { catalogue, clock, random } = parts;
  const keyId = newKeyId(random);
  if (policy !== null) parseKeyPolicy(policy, keyArn(keyId));
  const createdMs = clock.nowMs();
  await catalogue.change(() => [masters.creating({ keyId, alias, policy, createdMs })]);
  return masters.find("keyId", keyId);
}

/** Changes a master key. @throws InvalidArgumentError, KmsNotFoundError, KmsInvalidStateError. */
export async function changeMasterKey(
  { masters, parts }: EngineKeys,
  keyText: string,
  change: MasterKeyChange,
): Promise<MasterKey> {
  const { keyId } = masters.find("keyId", keyText);
  if (typeof change.policy === "string") parseKeyPolicy(change.policy, keyArn(keyId));
  await parts.catalogue.change(() => [masters.changing(masters.find("keyId", keyId), change)]);
  return masters.find("keyId", keyId);
}

/**
 * Encrypts a stream from the next section on; one that has the key already stays as it is.
 * @throws KmsNotFoundError, KmsDisabledError, KmsInvalidStateError, KmsAccessDeniedError,
 * InvalidArgumentError, NotSupportedError where there is no cryptography; what `locate` throws.
 */
export async function startEncryption(keys: EngineKeys, change: EncryptionChange): Promise<void> {
  const decide = (): { stream: StreamDefinition; key: MasterKey; has: boolean } => {
    const stream = change.locate();
    const key = keys.masters.find("KeyId", change.keyText);
    keys.checkKey(key, change.principal, "GenerateDataKey");
    return { stream, key, has: isEncryptedWith(keys, stream, key) };
  };
  if (decide().has) return;
  await withNewDataKey(keys, (dataKeyId) => {
    const { stream, key, has } = decide();
    if (has) return [];
    const encryption = { masterKeyId: key.keyId, keyName: change.keyText, dataKeyId };
    const starting = keys.ofStreams.starting(stream.uid, encryption, keys.parts.clock.nowMs());
    return [...starting, ...change.also(stream)];
  });
}

/**
 * Ends a stream's encryption from the next section on; one that has none stays as it is.
 * @throws InvalidArgumentError for another key than the stream's, or one that there is not; what `locate` throws.
 */
export async function stopEncryption(keys: EngineKeys, change: EncryptionChange): Promise<void> {
  const { masters, ofStreams, parts } = keys;
  await parts.catalogue.change(() => {
    const stream = change.locate();
    const key = masters.lookUp("KeyId", change.keyText);
    const encryption = encryptionOf(parts.log.control, stream.uid);
    if (key === undefined) {
      // The operation has none of KMS's errors.
      throw new InvalidArgumentError(`There is no key ${change.keyText}.`, {
        argument: "KeyId",
        value: change.keyText,
      });
    }
    if (encryption === undefined) return [];
    if (encryption.masterKeyId !== key.keyId) {
      throw new InvalidArgumentError(
        `Stream ${stream.name} is not encrypted with key ${change.keyText}, but with ${encryption.keyName}.`,
        { argument: "KeyId", value: change.keyText, limit: encryption.keyName },
      );
    }
    return [...ofStreams.stopping(stream.uid), ...change.also(stream)];
  });
}

/**
 * Gives all streams under a master key new data keys; the old ones decrypt what they encrypted until
 * nothing of it is left. Resolves with the number of streams. @throws as {@link startEncryption}.
 */
export async function rotateMasterKey(keys: EngineKeys, keyText: string): Promise<number> {
  const { masters, ofStreams, parts } = keys;
  const key = masters.find("keyId", keyText);
  const streams = streamsUnder(keys, key.keyId);
  for (const { stream } of streams) {
    await withNewDataKey(keys, (dataKeyId) => {
      // As it is now: the stream may have been deleted, or its encryption changed.
      const current = streamsUnder(keys, key.keyId).find((one) => one.stream.uid === stream.uid);
      if (current === undefined) return [];
      const encryption = { ...current.encryption, dataKeyId };
      return ofStreams.starting(stream.uid, encryption, parts.clock.nowMs());
    });
  }
  return streams.length;
}

/**
 * Gives up all data keys of a stream, and with them what they encrypted. Whoever calls must erase them from
 * the vault next, and see to it that nothing of it stays in memory. `again`: it may be done already.
 * @throws ResourceNotFoundError; InvalidArgumentError when it has no key.
 */
export async function shredStream(keys: EngineKeys, name: string, again: boolean): Promise<void> {
  const { ofStreams, parts } = keys;
  await parts.catalogue.change(() => {
    const stream = parts.catalogue.get(name);
    const dataKeys = ofStreams.ofStream(stream.uid);
    const encryption = encryptionOf(parts.log.control, stream.uid);
    const isOver = again && ofStreams.list().some((key) => key.streamUid === stream.uid);
    if (dataKeys.length === 0 && encryption === undefined && !isOver) {
      throw new InvalidArgumentError(
        `stream ${name} has no key that could be destroyed: it is not encrypted; delete it instead`,
        { argument: "name", value: name },
      );
    }
    return [...ofStreams.destroying(dataKeys), ...forgetting(keys, [stream])];
  });
}

/**
 * Gives up a master key with all data keys under it, as {@link shredStream} does for one stream. Resolves
 * with the number of streams that have no other key now. @throws as {@link changeMasterKey}.
 */
export async function destroyMasterKey(keys: EngineKeys, keyText: string): Promise<number> {
  const { masters, ofStreams, parts } = keys;
  const { keyId } = masters.find("keyId", keyText);
  let streams = 0;
  await parts.catalogue.change(() => {
    const key = masters.find("keyId", keyId);
    const dataKeys = ofStreams.underMasterKey(keyId);
    const under = streamsUnder(keys, keyId);
    streams = under.length;
    return [
      masters.changing(key, { state: "Destroyed", alias: null }),
      ...ofStreams.destroying(dataKeys),
      ...forgetting(
        keys,
        under.map(({ stream }) => stream),
      ),
    ];
  });
  return streams;
}

/** Whether a stream has a data key under a master key, and one that is neither destroyed nor lost. */
function isEncryptedWith(
  { parts }: EngineKeys,
  { uid }: StreamDefinition,
  { keyId }: MasterKey,
): boolean {
  const { control, cipher } = parts.log;
  const encryption = encryptionOf(control, uid);
  if (encryption?.masterKeyId !== keyId) return false;
  return !isDestroyed(control, encryption.dataKeyId) && cipher.isReady(encryption.dataKeyId);
}

/** Streams that are encrypted under a master key at present, and are not shredded. */
export function streamsUnder(
  { parts }: EngineKeys,
  masterKeyId: string,
): { readonly stream: StreamDefinition; readonly encryption: StreamEncryption }[] {
  const { control } = parts.log;
  return [...control.streams()].flatMap((stream) => {
    const encryption = encryptionOf(control, stream.uid);
    if (encryption?.masterKeyId !== masterKeyId) return [];
    return isDestroyed(control, encryption.dataKeyId) ? [] : [{ stream, encryption }];
  });
}

/** Makes a data key and commits what names it; a key that nothing names after all is discarded. */
async function withNewDataKey(
  keys: EngineKeys,
  decide: (dataKeyId: number) => readonly ControlRecord[],
): Promise<void> {
  const dataKeyId = await keys.ofStreams.create();
  let named = false;
  try {
    await keys.parts.catalogue.change(() => {
      const records = decide(dataKeyId);
      // From here on the log may name it, whatever becomes of the commit.
      named = records.length > 0;
      return records;
    });
    keys.sweepLater();
  } finally {
    if (!named) await keys.ofStreams.discard(dataKeyId);
  }
}

/** Where nothing can be recovered from the store, what is in memory is hidden behind the trim horizon. */
function forgetting({ parts }: EngineKeys, streams: readonly StreamDefinition[]): ControlRecord[] {
  const { log, recoverable } = parts;
  if (recoverable) return [];
  return streams.flatMap(({ uid }) =>
    log.slots.ofStream(uid).map(
      (shard): ControlRecord => ({
        kind: "shard-trimmed",
        shardUid: shard.uid,
        beforeIndex: log.core.position(shard.slot).durableIndex,
        throughOrdinal: 0,
      }),
    ),
  );
}
