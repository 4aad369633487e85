/**
 * Which stream a replication ships to: what its standing name and its progress bear, so that the progress of one far
 * side is never taken for another one's.
 */
import {
  type EngineClient,
  type GroupDefinition,
  hexOfBytes,
  ResourceInUseError,
} from "@millrace/engine";
import { md5 } from "../aggregation/md5.ts";
import type { PutTarget } from "../producer/put-target.ts";

/** Of a far side as the engine keeps it, in characters. */
const IDENTITY_LENGTH_MAX = 2048;
/** Characters of a hash in a name. */
const HASH_LENGTH = 8;
const ENCODER = new TextEncoder();

function hashOf(text: string): string {
  return hexOfBytes(md5(ENCODER.encode(text))).slice(0, HASH_LENGTH);
}

/** A name of so many characters at most; a hash takes the place of what is left out. */
export function shortName(name: string, lengthMax: number): string {
  if (name.length <= lengthMax) return name;
  return `${name.slice(0, lengthMax - HASH_LENGTH - 1)}-${hashOf(name)}`;
}

/** A name that is another one for every place and stream. */
export function nameFor(prefix: string, target: PutTarget, lengthMax: number): string {
  const { name, identity } = target;
  const place = identity === undefined ? name : `${identity.place} ${identity.arn}`;
  return `${prefix.slice(0, lengthMax - HASH_LENGTH - 1)}-${hashOf(place)}`;
}

/**
 * The far side as the progress bears it. Its address is no part of it: the same stream may be reached by another one.
 * A stream that was deleted and made again is another one.
 */
function identityOf({ name, identity }: PutTarget): string {
  const whole = identity === undefined ? name : `${identity.arn} of ${identity.createdMs}`;
  return shortName(whole, IDENTITY_LENGTH_MAX);
}

/**
 * Binds a group to a far side, for as long as there is the group. @throws ResourceInUseError when it is bound to
 * another one; what the engine throws.
 */
export async function claimFarSide(
  client: EngineClient,
  group: GroupDefinition,
  target: PutTarget,
): Promise<void> {
  const shipsTo = identityOf(target);
  const { shipsTo: stored = shipsTo } = await client.call("groupsCreate", { ...group, shipsTo });
  if (stored === shipsTo) return;
  throw new ResourceInUseError(
    `consumer group ${group.name} keeps the progress of a replication to ${stored}, and this one is to ${shipsTo}: ` +
      "give it another name, or delete the group to begin anew",
    { argument: "name", value: group.name, limit: stored },
  );
}
