/**
 * One stage in one shard: what comes of its records, the state of its keys and its checkpoint are stored in one
 * epoch, so that each record counts once, whoever is killed and when.
 */
import {
  type EngineClient,
  InvalidArgumentError,
  ResourceNotFoundError,
  type ShardDescription,
} from "@millrace/engine";
import { memberFallsInto } from "../aggregation/index.ts";
import { utf8Bytes } from "../aggregation/protobuf-writer.ts";
import { show } from "../check.ts";
import type {
  Checkpointer,
  InitializeInput,
  OutputRecord,
  ProcessInput,
  ShardProcessor,
  StateValue,
  UserRecord,
} from "../groups/group-types.ts";
import { allShards, childrenOf } from "../shard-turns.ts";
import { KeyedState } from "./keyed-state.ts";
import type { Element } from "./operators.ts";
import type { Stage } from "./stage-graph.ts";
import { decodeValue, encodeValue } from "./value-format.ts";

/** An epoch is full when its outputs have so many bytes. */
const EPOCH_BYTES_FULL = 2_097_152;
/** What comes of a record waits for the next epoch where this one would have more; the engine takes 8 MiB, or one record. */
const EPOCH_BYTES_MAX = 7_340_032;
/** And when so many keys have changed; the engine takes 10,000 entries. */
const EPOCH_KEYS_FULL = 2000;
/** At most what a record takes besides its data and key, in bytes. */
const RECORD_BYTES = 32;

type KeptState = Record<string, StateValue>;

/** What comes of one record. */
interface Made {
  readonly outputs: readonly OutputRecord[];
  readonly bytes: number;
}

/** See above. */
export class StageProcessor implements ShardProcessor {
  readonly #client: Pick<EngineClient, "call">;
  readonly #stage: Stage;
  readonly #shardId: string;
  /** Of each operator that is an aggregation. */
  #states: readonly (KeyedState | undefined)[] = [];
  /** The shard as it is; undefined where nothing is kept by key. */
  #shard: ShardDescription | undefined;
  #checkpointer: Checkpointer | undefined;
  #outputs: OutputRecord[] = [];
  #outputBytes = 0;

  constructor(client: Pick<EngineClient, "call">, stage: Stage, shardId: string) {
    this.#client = client;
    this.#stage = stage;
    this.#shardId = shardId;
  }

  async initialize({ state, checkpointer }: InitializeInput): Promise<void> {
    this.#checkpointer = checkpointer;
    let aggregations = 0;
    // Other operators may come and go between two starts: each aggregation finds its own keys again.
    this.#states = this.#stage.operators.map(({ kind }) =>
      kind === "aggregate" ? new KeyedState(aggregations++, state) : undefined,
    );
    if (aggregations > 0) this.#shard = await this.#describeShard();
  }

  async processRecords({ records, checkpointer, signal }: ProcessInput): Promise<void> {
    this.#forget();
    try {
      let before: UserRecord | undefined;
      for (const record of records) {
        signal.throwIfAborted();
        const made = await this.#process(record);
        if (!this.#hasRoomFor(made)) await this.#commit(checkpointer, before);
        this.#add(made);
        if (this.#isFull()) await this.#commit(checkpointer, record);
        before = record;
      }
      await this.#commit(checkpointer);
    } finally {
      this.#forget();
    }
  }

  /** Keys go to the shards that have their records from now on. */
  async shardEnded({
    checkpointer,
  }: Parameters<NonNullable<ShardProcessor["shardEnded"]>>[0]): Promise<void> {
    const held = this.#states.flatMap((state) => state ?? []);
    const all = held.flatMap((state) => state.keys.map((key) => ({ state, key })));
    if (all.length === 0) return;
    const children = await this.#children();
    for (let from = 0; from < all.length; from += EPOCH_KEYS_FULL) {
      const some = all.slice(from, from + EPOCH_KEYS_FULL);
      const last = from + EPOCH_KEYS_FULL >= all.length;
      await (last ? checkpointer : this.#keeper()).checkpoint(moved(some, children));
    }
  }

  /** Runs one record through all operators. @throws what the application's functions throw. */
  async #process(record: UserRecord): Promise<Made> {
    const { operators, fromFormat, toFormat, to: streamName } = this.#stage;
    const { partitionKey, sequenceNumber, shardId, arrivalMs } = record;
    const origin = { partitionKey, sequenceNumber, shardId, arrivalMs };
    this.#checkPlace(partitionKey);
    const value = decodeValue(fromFormat, record.data);
    let elements: readonly Element[] = [{ key: partitionKey, value }];
    for (const [i, operator] of operators.entries()) {
      const next: Element[] = [];
      for (const element of elements) {
        const made = operator.apply(element, origin, this.#states[i]);
        next.push(...(made instanceof Promise ? await made : made));
      }
      elements = next;
    }
    const outputs = elements.map(({ key, value: made }) => ({
      ...{ streamName, partitionKey: key, data: encodeValue(toFormat, made) },
    }));
    return { outputs, bytes: outputs.reduce((sum, output) => sum + bytesOf(output), 0) };
  }

  /** A key has its state where its records are: all of them in one shard. @throws InvalidArgumentError. */
  #checkPlace(partitionKey: string): void {
    const shard = this.#shard;
    if (shard === undefined || isPlacedIn(partitionKey, shard)) return;
    const { from } = this.#stage;
    throw new InvalidArgumentError(
      `a record of ${from} with the key ${show(partitionKey)} is not in that key's shard, as with an explicit ` +
        "hash key: aggregate such a stream behind keyBy",
      { argument: "partitionKey", value: show(partitionKey), limit: shard.shardId },
    );
  }

  /** Without anything before it, what comes of a record is stored as it is, or refused. */
  #hasRoomFor({ bytes }: Made): boolean {
    return this.#outputs.length === 0 || this.#outputBytes + bytes <= EPOCH_BYTES_MAX;
  }

  /** A record is processed: what comes of it goes with the epoch that is being gathered. */
  #add({ outputs, bytes }: Made): void {
    for (const output of outputs) this.#outputs.push(output);
    this.#outputBytes += bytes;
    for (const state of this.#states) state?.stage();
  }

  #isFull(): boolean {
    const keys = this.#states.reduce((sum, state) => sum + (state?.stagedCount ?? 0), 0);
    return this.#outputBytes >= EPOCH_BYTES_FULL || keys >= EPOCH_KEYS_FULL;
  }

  /** Stores everything up to a record, or to the delivery's end. */
  async #commit(checkpointer: Checkpointer, at?: UserRecord): Promise<void> {
    const state: KeptState = {};
    for (const one of this.#states) Object.assign(state, one?.staged());
    await checkpointer.checkpoint({
      ...(at === undefined ? {} : { at }),
      ...{ outputs: this.#outputs, state },
    });
    for (const one of this.#states) one?.commit();
    this.#clearOutputs();
  }

  /** Nothing of a delivery is left that was not stored. */
  #forget(): void {
    this.#clearOutputs();
    for (const state of this.#states) state?.discard();
  }

  #clearOutputs(): void {
    this.#outputs = [];
    this.#outputBytes = 0;
  }

  async #describeShard(): Promise<ShardDescription> {
    const { from } = this.#stage;
    const description = await this.#client.call("describeStream", { name: from });
    const own = allShards(description).find(({ shardId }) => shardId === this.#shardId);
    if (own !== undefined) return own;
    throw new ResourceNotFoundError(`stream ${from} has no shard ${this.#shardId} any more`, {
      ...{ argument: "shardId", value: this.#shardId },
    });
  }

  async #children(): Promise<readonly ShardDescription[]> {
    const description = await this.#client.call("describeStream", { name: this.#stage.from });
    const shards = allShards(description);
    const own = shards.find(({ shardId }) => shardId === this.#shardId);
    return own === undefined ? [] : childrenOf(shards, own.shardIndex);
  }

  /** Stores while the checkpoint stays where it is. */
  #keeper(): Checkpointer {
    if (this.#checkpointer === undefined) throw new Error("a processor is initialized first");
    return this.#checkpointer;
  }
}

function bytesOf({ data, partitionKey }: OutputRecord): number {
  const dataBytes = typeof data === "string" ? utf8Bytes(data) : data.byteLength;
  return dataBytes + utf8Bytes(partitionKey) + RECORD_BYTES;
}

function isPlacedIn(partitionKey: string, shard: ShardDescription): boolean {
  return memberFallsInto({ partitionKey, explicitHashKey: undefined }, shard);
}

/** Moves keys to the children that have their hash keys. Another shard's keys, whose state is there, end here. */
function moved(
  keys: readonly { readonly state: KeyedState; readonly key: string }[],
  children: readonly ShardDescription[],
): { readonly state: KeptState; readonly childState: Readonly<Record<string, KeptState>> } {
  const state: KeptState = {};
  const childState: Record<string, KeptState> = {};
  for (const { state: held, key } of keys) {
    const { removing, putting } = held.entries([key]);
    Object.assign(state, removing);
    const child = children.find((one) => isPlacedIn(key, one));
    if (child === undefined) continue;
    const own = childState[child.shardId] ?? {};
    childState[child.shardId] = Object.assign(own, putting);
  }
  return { state, childState };
}
