/**
 * Which slot of the core holds which shard, and which route leads into which stream. Follows the
 * control state: whoever applies a control record tells it.
 */

import type { ShardLogCore } from "../core/core-types.ts";
import { LimitExceededError, ResourceNotFoundError } from "../errors/index.ts";
import type { StreamDefinition } from "./control-records.ts";
import type { ShardState } from "./control-state.ts";

/** Shard slots of one engine: 500 open shards and as many that are closed and still readable. */
export const SHARD_SLOTS_MAX = 1024;
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

/** Smallest number from 0 that is not taken. */
function firstFree(taken: ReadonlySet<number>, limit: number, what: string): number {
  for (let candidate = 0; candidate < limit; candidate++) {
    if (!taken.has(candidate)) return candidate;
  }
  throw new LimitExceededError(`this engine holds at most ${limit} ${what}`, {
    argument: what,
    value: taken.size + 1,
    limit,
  });
}

/** Slots and routes in use. */
export class ShardSlots {
  readonly #core: ShardLogCore;
  readonly #writeQuotas: boolean;
  readonly #byUid = new Map<number, SlottedShard>();
  readonly #bySlot = new Map<number, SlottedShard>();
  readonly #routes = new Map<number, number>();

  constructor(core: ShardLogCore, writeQuotas: boolean) {
    this.#core = core;
    this.#writeQuotas = writeQuotas;
  }

  /** Puts a stream's shards into the core and routes to them. @throws LimitExceededError when there is no room. */
  addStream(stream: StreamDefinition, stateOf: (uid: number) => ShardState): void {
    const route = firstFree(new Set(this.#routes.values()), ROUTES_MAX, "streams");
    const slots = stream.shards.map((shard) => this.#addShard(stream, stateOf(shard.uid)));
    this.#core.setRoutes(route, slots);
    this.#routes.set(stream.uid, route);
  }

  /** Takes a stream's shards out of the core, with all that it holds of them. Returns them. */
  removeStream(streamUid: number): SlottedShard[] {
    const shards = this.ofStream(streamUid);
    const route = this.#routes.get(streamUid);
    if (route !== undefined) this.#core.setRoutes(route, []);
    this.#routes.delete(streamUid);
    for (const shard of shards) {
      this.#core.removeShard(shard.slot);
      this.#byUid.delete(shard.uid);
      this.#bySlot.delete(shard.slot);
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

  /** Makes sure, after a wait, that a shard still has its slot. @throws ResourceNotFoundError when its stream was deleted. */
  requireHeld(shard: SlottedShard): void {
    if (this.#byUid.get(shard.uid) !== shard) throw ResourceNotFoundError.stream(shard.streamName);
  }

  /** Shard in a slot. @throws Error when the slot is empty, which is a defect of the engine. */
  inSlot(slot: number): SlottedShard {
    const shard = this.#bySlot.get(slot);
    if (shard === undefined) throw new Error(`slot ${slot} holds no shard`);
    return shard;
  }

  /** Shards of a stream by their index. */
  ofStream(streamUid: number): SlottedShard[] {
    return [...this.#byUid.values()].filter((shard) => shard.streamUid === streamUid);
  }

  /** All shards. */
  all(): IterableIterator<SlottedShard> {
    return this.#byUid.values();
  }

  #addShard(stream: StreamDefinition, state: ShardState): number {
    const slot = firstFree(new Set(this.#bySlot.keys()), SHARD_SLOTS_MAX, "shards");
    this.#core.addShard({
      slot,
      streamUid: stream.uid,
      shardUid: state.uid,
      startingHashKey: BigInt(`0x${state.startingHashKey}`),
      endingHashKey: BigInt(`0x${state.endingHashKey}`),
      nextIndex: Math.max(state.nextIndexFloor, state.trimmedBefore),
      nextOrdinal: state.sealedThrough + 1,
      writeQuotas: this.#writeQuotas,
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
    return slot;
  }
}
