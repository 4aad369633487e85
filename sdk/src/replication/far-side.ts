/**
 * Which stream a replication ships to: what its standing name and its progress bear, so that the progress of one far
 * side is never taken for another one's.
 */
import { type EngineClient, hexOfBytes, ResourceInUseError } from "@millrace/engine";
import { md5 } from "../aggregation/md5.ts";
import type { PutTarget } from "../producer/put-target.ts";

/** Key of a lease's state under which the far side stands that its records are shipped to. */
export const TARGET_STATE_KEY = "millrace.target";

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
export function identityOf({ name, identity }: PutTarget): string {
  return identity === undefined ? name : `${identity.arn} of ${identity.createdMs}`;
}

/** The progress under a name is that of another far side. */
export function otherFarSide(groupName: string, stored: string, now: string): ResourceInUseError {
  return new ResourceInUseError(
    `consumer group ${groupName} keeps the progress of a replication to ${stored}, and this one is to ${now}: give ` +
      "it another name, or delete the group to begin anew",
    { argument: "name", value: groupName, limit: stored },
  );
}

const running = new WeakMap<EngineClient, Map<string, { readonly to: string; count: number }>>();

/**
 * Notes that a replication of this thread ships to a far side under a name. Returns how to end that.
 *
 * @throws ResourceInUseError while another one ships to another far side under the same name.
 */
export function claimFarSide(client: EngineClient, groupName: string, to: string): () => void {
  const claims = running.get(client) ?? new Map<string, { readonly to: string; count: number }>();
  running.set(client, claims);
  const claim = claims.get(groupName) ?? { to, count: 0 };
  if (claim.to !== to) throw otherFarSide(groupName, claim.to, to);
  claims.set(groupName, claim);
  claim.count += 1;
  return () => {
    claim.count -= 1;
    if (claim.count === 0) claims.delete(groupName);
  };
}
