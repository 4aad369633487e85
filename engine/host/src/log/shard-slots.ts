/**
 * Which slot of the core holds which shard, and which route leads into which stream. Follows the
 * control state: whoever applies a control record tells it.
 */

import type { RouteSettings, ShardLogCore } from "../core/core-types.ts";
import { LimitExceededError, ResourceNotFoundError } from "../errors/index.ts";
import { shardIdOf } from "../sequence/sequence-number.ts";
import type { ShardDefinition, StreamDefinition } from "./control-records.ts";
import type { ShardState } from "./control-state.ts";
import { openShards } from "./shard-ring.ts";

/** Shards of one engine: 500 that are open, the rest closed and still readable. */
export const SHARD_SLOTS_MAX = 4096;
/** Streams of one engine. */
export const ROUTES_MAX = 512;

/** A shard that the core holds. */
export interface SlottedShard {
  readonly slot: number;
  readonly uid: number;
  readonly streamUid: number;
  readonly streamName: string;
  readonly shardIndex: number;
  readonly createdSeconds: number;
}

/** Hands out the smallest numbers from 0 that are not taken. */
class Numbers {
  readonly #taken = new Set<number>();
  readonly #limit: number;
  readonly #what: string;
  /** All numbers below are taken. */
  #from = 0;

  constructor(limit: number, what: string) {
    this.#limit = limit;
    this.#what = what;
  }

  take(): number {
    while (this.#taken.has(this.#from)) this.#from++;
    if (this.#from >= this.#limit) throw tooMany(this.#what, this.#taken.size + 1, this.#limit);
    this.#taken.add(this.#from);
    return this.#from;
  }

  release(number: number): void {
    this.#taken.delete(number);
    this.#from = Math.min(this.#from, number);
  }
}

function tooMany(what: string, value: number, limit: number): LimitExceededError {
  return new LimitExceededError(`this engine holds at most ${limit} ${what}`, {
    argument: what,
    value,
    limit,
  });
}

/** Refuses more streams and shards than an engine has places for. @throws LimitExceededError. */
export function checkRoom(counts: { readonly streams: number; readonly shards: number }): void {
  const { streams, shards } = counts;
  if (streams > ROUTES_MAX) throw tooMany("streams", streams, ROUTES_MAX);
  if (shards > SHARD_SLOTS_MAX) {
    throw tooMany("shards, closed ones included", shards, SHARD_SLOTS_MAX);
  }
}

/** Slots and routes in use. */
export class ShardSlots {
  readonly #core: ShardLogCore;
  readonly #writeQuotas: boolean;
  readonly #byUid = new Map<number, SlottedShard>();
  readonly #bySlot = new Map<number, SlottedShard>();
  readonly #ofStream = new Map<number, SlottedShard[]>();
  readonly #routes = new Map<number, number>();
  readonly #freeSlots = new Numbers(SHARD_SLOTS_MAX, "shards, closed ones included");
  readonly #freeRoutes = new Numbers(ROUTES_MAX, "streams");

  /** `writeQuotas` says whether AWS's write quotas are enforced, whichever a stream has. */
  constructor(core: ShardLogCore, writeQuotas: boolean) {
    this.#core = core;
    this.#writeQuotas = writeQuotas;
  }

  /** Puts a stream's shards into the core and routes to the open ones. @throws LimitExceededError when there is no room. */
  addStream(stream: StreamDefinition, stateOf: (uid: number) => ShardState): void {
    const route = this.#freeRoutes.take();
    this.#routes.set(stream.uid, route);
    this.#ofStream.set(stream.uid, []);
    for (const { uid } of stream.shards) this.#addShard(stream, stateOf(uid));
    this.#setRoute(stream);
    this.updateSettings(stream);
  }

  /** Follows a reshard: the children get slots and the closed shards no more records. */
  reshard(
    stream: StreamDefinition,
    opened: readonly ShardDefinition[],
    stateOf: (uid: number) => ShardState,
  ): void {
    for (const { uid } of opened) this.#addShard(stream, stateOf(uid));
    this.#setRoute(stream);
    this.updateSettings(stream);
  }

  /** Follows a change of a stream's settings: its quota, those of its shards, and spreading. */
  updateSettings(stream: StreamDefinition): void {
    const route = this.routeOf(stream.uid);
    if (route === undefined) return;
    this.#core.setRouteSettings(route, this.#settingsOf(stream));
    const enforced = this.#shardQuotas(stream);
    for (const shard of this.ofStream(stream.uid)) {
      this.#core.setWriteQuotas(shard.slot, enforced);
    }
  }

  /** Takes a stream's shards out of the core, with all that it holds of them. Returns them. */
  removeStream(streamUid: number): SlottedShard[] {
    const shards = this.ofStream(streamUid);
    const route = this.#routes.get(streamUid);
    if (route !== undefined) {
      this.#core.setRoutes(route, []);
      this.#freeRoutes.release(route);
    }
    this.#routes.delete(streamUid);
    this.#ofStream.delete(streamUid);
    for (const shard of shards) this.#removeShard(shard);
    return shards;
  }

  /** Takes closed shards out of the core and returns them; those that are gone already are left out. */
  removeClosed(uids: readonly number[]): SlottedShard[] {
    const shards = uids.flatMap((uid) => this.#byUid.get(uid) ?? []);
    for (const shard of shards) {
      const left = this.ofStream(shard.streamUid).filter(({ uid }) => uid !== shard.uid);
      this.#ofStream.set(shard.streamUid, left);
      this.#removeShard(shard);
    }
    return shards;
  }

  /** Route of a stream, or undefined when the stream is gone. */
  routeOf(streamUid: number): number | undefined {
    return this.#routes.get(streamUid);
  }

  /** Shard of a uid, or undefined when it is gone. */
  ofUid(uid: number): SlottedShard | undefined {
    return this.#byUid.get(uid);
  }

  /** Makes sure, after a wait, that a shard still has its slot. @throws ResourceNotFoundError when it expired or its stream was deleted. */
  requireHeld(shard: SlottedShard): void {
    if (this.#byUid.get(shard.uid) === shard) return;
    throw this.#routes.has(shard.streamUid)
      ? ResourceNotFoundError.shard(shardIdOf(shard.shardIndex), shard.streamName)
      : ResourceNotFoundError.stream(shard.streamName);
  }

  /** Shard in a slot. @throws Error when the slot is empty, which is a defect of the engine. */
  inSlot(slot: number): SlottedShard {
    const shard = this.#bySlot.get(slot);
    if (shard === undefined) throw new Error(`slot ${slot} holds no shard`);
    return shard;
  }

  /** Shards of a stream, open and closed, by their index. */
  ofStream(streamUid: number): SlottedShard[] {
    return [...(this.#ofStream.get(streamUid) ?? [])];
  }

  /** All shards. */
  all(): IterableIterator<SlottedShard> {
    return this.#byUid.values();
  }

  #shardQuotas(stream: StreamDefinition): boolean {
    return this.#writeQuotas && stream.writeCapacity === null;
  }

  #settingsOf(stream: StreamDefinition): RouteSettings {
    return {
      quota: this.#writeQuotas ? stream.writeCapacity : null,
      spread: stream.distribution === "AUTO",
    };
  }

  #setRoute(stream: StreamDefinition): void {
    const slots = openShards(stream.shards).map(({ uid }) => this.#require(uid).slot);
    const route = this.routeOf(stream.uid);
    if (route !== undefined) this.#core.setRoutes(route, slots);
  }

  #require(uid: number): SlottedShard {
    const shard = this.#byUid.get(uid);
    if (shard === undefined) throw new Error(`shard uid ${uid} has no slot`);
    return shard;
  }

  #addShard(stream: StreamDefinition, state: ShardState): void {
    const slot = this.#freeSlots.take();
    this.#core.addShard({
      slot,
      streamUid: stream.uid,
      shardUid: state.uid,
      startingHashKey: BigInt(`0x${state.startingHashKey}`),
      endingHashKey: BigInt(`0x${state.endingHashKey}`),
      nextIndex: Math.max(state.nextIndexFloor, state.trimmedBefore),
      nextOrdinal: state.sealedThrough + 1,
      writeQuotas: this.#shardQuotas(stream),
    });
    const shard: SlottedShard = {
      slot,
      uid: state.uid,
      streamUid: stream.uid,
      streamName: stream.name,
      shardIndex: state.shardIndex,
      createdSeconds: state.createdSeconds,
    };
    this.#byUid.set(shard.uid, shard);
    this.#bySlot.set(slot, shard);
    this.#ofStream.get(stream.uid)?.push(shard);
  }

  #removeShard(shard: SlottedShard): void {
    this.#core.removeShard(shard.slot);
    this.#byUid.delete(shard.uid);
    this.#bySlot.delete(shard.slot);
    this.#freeSlots.release(shard.slot);
  }
}
