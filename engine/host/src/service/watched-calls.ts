/** Puts and reads while faults are injected or a trail is kept; without either they pass by here. */

import type { FaultVerdict, RecordRefusals } from "../faults/fault-injector.ts";
import { CoreFailedError } from "../log/commit-errors.ts";
import type { StreamDefinition } from "../log/control-records.ts";
import { formatSequenceNumber, shardIdOf } from "../sequence/sequence-number.ts";
import { hexHashKey } from "../streams/hash-ranges.ts";
import { openShardsOf } from "../streams/lineage.ts";
import { type Facts, factsOfStream } from "./call-facts.ts";
import type { CallGate } from "./call-gate.ts";
import type { EngineLife } from "./engine-life.ts";
import type { BatchOrder, CallContext, ReadRequest } from "./engine-service.ts";
import type { Lives } from "./lives.ts";
import {
  failInternally,
  firstRowOf,
  markFault,
  type PackedRow,
  refusedRows,
  rowsOf,
} from "./packed-batch.ts";
import { type BatchHeader, readBatchHeader } from "./put-service.ts";

const NONE: ReadonlySet<number> = new Set();

/** The parts that watched calls go through. */
export interface WatchParts {
  readonly gate: CallGate;
  readonly lives: Lives;
}

/** Index of the open shard that takes a row; undefined where the stream spreads its records. */
function shardOfRow(
  { log }: EngineLife,
  stream: StreamDefinition,
  { key, hashKey }: PackedRow,
): number | undefined {
  if (stream.distribution === "AUTO") return undefined;
  if (hashKey === undefined) {
    const route = log.slots.routeOf(stream.uid);
    if (route === undefined || key.byteLength === 0) return undefined;
    return log.slots.inSlot(log.core.routeKey(route, key)).shardIndex;
  }
  const wanted = hexHashKey(hashKey);
  return openShardsOf(stream).find(
    (shard) => shard.startingHashKey <= wanted && wanted <= shard.endingHashKey,
  )?.shardIndex;
}

/** Shards that a batch's rows fall into. */
function shardsOf(
  life: EngineLife,
  stream: StreamDefinition | undefined,
  batch: Uint8Array,
): ReadonlySet<number> {
  const shards = new Set<number>();
  if (stream === undefined) return shards;
  for (const row of rowsOf(batch)) {
    const shardIndex = shardOfRow(life, stream, row);
    if (shardIndex !== undefined) shards.add(shardIndex);
  }
  return shards;
}

/** Marks the rows that are to be refused, and returns the positions of those that fail internally. */
function refuse(
  life: EngineLife,
  stream: StreamDefinition | undefined,
  batch: Uint8Array,
  refusals: readonly RecordRefusals[],
): ReadonlySet<number> {
  const internally = new Set<number>();
  if (stream === undefined) return internally;
  let position = 0;
  for (const row of rowsOf(batch)) {
    const refusal = refusals.find(
      ({ shardIndex, refuses }) =>
        (shardIndex === undefined || shardIndex === shardOfRow(life, stream, row)) && refuses(),
    );
    if (refusal !== undefined) markFault(batch, row);
    if (refusal?.code === "InternalFailure") internally.add(position);
    position += 1;
  }
  return internally;
}

/** What the trail is to know of a put's result. */
function describeResult(operation: string, result: ArrayBuffer): Facts {
  const refused = refusedRows(result).rows.length;
  if (operation !== "PutRecord" || refused > 0) return { FailedRecordCount: refused };
  const { shardIndex, ...place } = firstRowOf(result);
  return {
    ShardId: shardIdOf(shardIndex),
    SequenceNumber: formatSequenceNumber({ shardIndex, ...place }),
  };
}

/** Puts and reads of one engine, as faults and the trail see them. */
export class WatchedCalls {
  readonly #parts: WatchParts;
  /** Batches under way, by sender and number, so that a repeat is not another call. */
  readonly #puts = new Map<string, Promise<ArrayBuffer>>();

  constructor(parts: WatchParts) {
    this.#parts = parts;
  }

  /** Whether any put is under way here. */
  get busy(): boolean {
    return this.#puts.size > 0;
  }

  /**
   * Makes a put. Its number counts as taken when it comes: while it is held back later ones go ahead.
   * @throws what the put and the injected faults throw.
   */
  async put(batch: ArrayBuffer, call: CallContext, order?: BatchOrder): Promise<ArrayBuffer> {
    const header = readBatchHeader(new Uint8Array(batch));
    const life = await this.#parts.lives.current();
    const name = `${header.producerId}/${header.batchNumber}`;
    const underWay = this.#puts.get(name);
    if (underWay !== undefined) return (await underWay).slice(0);
    const earlier = life.puts.arrive(header, batch, order);
    if (earlier !== undefined) return await this.#join(earlier, batch, call);
    const put = this.#makePut(life, header, batch, call).finally(() => this.#puts.delete(name));
    this.#puts.set(name, put);
    return await put;
  }

  /** What comes of a batch that was under way when it came again; in the next life when this one ends. */
  async #join(
    earlier: Promise<ArrayBuffer>,
    batch: ArrayBuffer,
    call: CallContext,
  ): Promise<ArrayBuffer> {
    try {
      return await earlier;
    } catch (error) {
      if (!(error instanceof CoreFailedError)) throw error;
      return await this.#parts.lives.attempt((one) => one.puts.put(batch, call, undefined, true));
    }
  }

  async #makePut(
    life: EngineLife,
    header: BatchHeader,
    batch: ArrayBuffer,
    call: CallContext,
  ): Promise<ArrayBuffer> {
    const { gate, lives } = this.#parts;
    const bytes = new Uint8Array(batch, 0, header.byteLength);
    const stream = life.log.control.stream(header.streamUid);
    const facts = factsOfStream(
      call.operation,
      call.caller,
      stream?.name,
      () => shardsOf(life, stream, bytes),
      () => ({ streamName: stream?.name, ...sizesOf(bytes) }),
    );
    let made = false;
    const make = async ({ refusals }: FaultVerdict): Promise<ArrayBuffer> => {
      made = true;
      const internally = await this.#refuse(header.streamUid, bytes, refusals);
      const result = await lives.attempt((one) => one.puts.put(batch, call, undefined, true));
      failInternally(result, internally);
      return result;
    };
    const describe = (result: ArrayBuffer): Facts => describeResult(call.operation, result);
    try {
      return await gate.run(facts, { make, describe });
    } catch (error) {
      // What the put itself was refused with, it has noted.
      if (!made) life.puts.refuse(header, error);
      throw error;
    }
  }

  /** Marks rows to be refused by the stream's shards as they are now, however long the call was held back. */
  async #refuse(
    streamUid: number,
    batch: Uint8Array,
    refusals: readonly RecordRefusals[],
  ): Promise<ReadonlySet<number>> {
    if (refusals.length === 0) return NONE;
    const life = await this.#parts.lives.current();
    return refuse(life, life.log.control.stream(streamUid), batch, refusals);
  }

  /** Makes a read that belongs to no subscription. @throws what the read and the injected faults throw. */
  async read(request: ReadRequest, call: CallContext, signal: AbortSignal): Promise<ArrayBuffer> {
    const { gate, lives } = this.#parts;
    const life = await lives.current();
    const stream = life.log.control.stream(request.streamUid);
    const facts = factsOfStream(
      call.operation,
      call.caller,
      stream?.name,
      () => new Set(request.cursors.map(({ shardIndex }) => shardIndex)),
      () => ({
        streamName: stream?.name,
        shardIds: request.cursors.map(({ shardIndex }) => shardIdOf(shardIndex)),
        limit: request.recordsMax,
      }),
    );
    return await gate.run(facts, {
      make: () => lives.attempt((current) => current.reads.read(request, signal)),
      signal,
    });
  }
}

/** Number of a batch's records and the bytes of their keys and data. */
function sizesOf(batch: Uint8Array): Facts {
  let recordCount = 0;
  let recordBytes = 0;
  for (const { byteLength } of rowsOf(batch)) {
    recordCount += 1;
    recordBytes += byteLength;
  }
  return { recordCount, recordBytes };
}
