/** The control operations about keys: what KMS's console would offer. They are the application's own. */
import { EngineFailedError, KmsNotFoundError } from "../errors/index.ts";
import { keyArn, parseKeyReference } from "../keys/key-references.ts";
import { MANAGED_KEY, type MasterKey, type MasterKeyChange } from "../keys/master-keys.ts";
import type { EngineKeys } from "./engine-keys.ts";
import type { ControlOperations, MasterKeyDescription } from "./engine-service.ts";
import {
  changeMasterKey,
  createMasterKey,
  destroyMasterKey,
  rotateMasterKey,
  shredStream,
  streamsUnder,
} from "./key-changes.ts";
import type { Lives } from "./lives.ts";
import { checkName } from "./validate.ts";

/** Names of the control operations about keys. */
export type KeyOperation =
  | "keysCreate"
  | "keysList"
  | "keysDescribe"
  | "keysSetPolicy"
  | "keysSetEnabled"
  | "keysRotate"
  | "keysDestroy"
  | "shredStream";

type KeyHandlers = {
  readonly [Operation in KeyOperation]: (
    argument: Parameters<ControlOperations[Operation]>[0],
    again: boolean,
  ) => Promise<ReturnType<ControlOperations[Operation]>>;
};

/** Handlers of the control operations about keys. */
export function keyHandlers(lives: Lives): KeyHandlers {
  const change = (keyId: string, what: MasterKeyChange): Promise<MasterKeyDescription> =>
    lives.attempt(async ({ context: { keys } }) =>
      describeKey(keys, await changeMasterKey(keys, keyId, what)),
    );
  return {
    keysCreate: ({ alias, policy }, again) => create(lives, alias, policy, again),
    keysList: () =>
      lives.attempt(async ({ context: { keys } }) =>
        keys.masters.list().map((key) => describeKey(keys, key)),
      ),
    keysDescribe: ({ keyId }) =>
      lives.attempt(async ({ context: { keys } }) =>
        describeKey(keys, keys.masters.find("keyId", keyId)),
      ),
    keysSetPolicy: ({ keyId, policy }) => change(keyId, { policy }),
    keysSetEnabled: ({ keyId, enabled }) =>
      change(keyId, { state: enabled ? "Enabled" : "Disabled" }),
    // Made again it rotates once more, which costs a key and nothing else.
    keysRotate: ({ keyId }) =>
      lives.attempt(({ context: { keys } }) => rotateMasterKey(keys, keyId)),
    keysDestroy: ({ keyId }, again) => destroy(lives, keyId, again),
    shredStream: async ({ name }, again) => {
      checkName("name", name);
      await lives.attempt(({ context }, anew) => shredStream(context.keys, name, again || anew));
      await forget(lives);
      return null;
    },
  };
}

/** Made again, an alias that came to be meanwhile is the call's own work. */
async function create(
  lives: Lives,
  alias: string | null,
  policy: string | null,
  again: boolean,
): Promise<MasterKeyDescription> {
  return await lives.attempt(async ({ context: { keys } }, anew) => {
    const own = alias === null || !(again || anew) ? undefined : ownKey(keys, alias);
    return describeKey(keys, own ?? (await createMasterKey(keys, alias, policy)));
  });
}

function ownKey({ masters }: EngineKeys, alias: string): MasterKey | undefined {
  return masters.list().find((key) => key.alias === alias);
}

/** Made again, a key that is destroyed already is the call's own work. */
async function destroy(lives: Lives, keyId: string, again: boolean): Promise<{ streams: number }> {
  const streams = await lives.attempt(async ({ context: { keys } }, anew) => {
    const isOver = (again || anew) && isDestroyed(keys, keyId);
    return isOver ? 0 : await destroyMasterKey(keys, keyId);
  });
  await forget(lives);
  return { streams };
}

/** Whether a key is destroyed, however it is named; its alias went with it. @throws InvalidArgumentError. */
function isDestroyed({ masters }: EngineKeys, keyText: string): boolean {
  try {
    return masters.find("keyId", keyText).state === "Destroyed";
  } catch (error) {
    if (!(error instanceof KmsNotFoundError)) throw error;
    return parseKeyReference(keyText)?.kind === "alias";
  }
}

/** Erases the keys that were given up, and all that memory holds of what they encrypted. */
async function forget(lives: Lives): Promise<void> {
  try {
    await lives.attempt(({ context }) => context.keys.ofStreams.erase());
  } finally {
    await lives.renew(
      new EngineFailedError("keys were destroyed, and the memory with what they encrypted", {
        retryable: true,
      }),
    );
  }
}

/** A master key as it is described to the application. */
export function describeKey(keys: EngineKeys, key: MasterKey): MasterKeyDescription {
  const { keyId, alias, state, policy, createdMs } = key;
  return {
    ...{ keyId, alias, state, policy, createdMs },
    arn: keyArn(keyId),
    managed: keyId === MANAGED_KEY.keyId,
    streams: streamsUnder(keys, keyId).map(({ stream }) => stream.name),
  };
}
