/** Logs without an engine around them: real core, real log, streams and reshards made by hand. */
import { PART_AT_END } from "@millrace/core/layout";
import { Core } from "../../src/core/core.ts";
import type {
  ControlRecord,
  ShardDefinition,
  StreamDefinition,
  StreamSettings,
} from "../../src/log/control-records.ts";
import { Log } from "../../src/log/log.ts";
import type { LogEvent } from "../../src/log/log-events.ts";
import { BatchResultBuilder } from "../../src/log/producer-table.ts";
import { ROUTES_MAX, SHARD_SLOTS_MAX, type SlottedShard } from "../../src/log/shard-slots.ts";
import type { Testimony } from "../../src/log/witness.ts";
import { hexOfBytes } from "../../src/model/hex.ts";
import type { VirtualPlatform } from "../../src/platform/virtual-platform.ts";
import {
  buildBatch,
  type ReadPart,
  type ReadRecord,
  readResult,
  readSlice,
  type TestRecord,
  type TestResultRow,
} from "./batches.ts";
import { coreModule } from "./cores.ts";

export const RING_END = (1n << 128n) - 1n;

export function hexKey(hashKey: bigint): string {
  return hashKey.toString(16).padStart(32, "0");
}

function numberOfHex(hashKey: string): bigint {
  return BigInt(`0x${hashKey}`);
}

/** A hash key somewhere inside a range, not at its start. */
export function middleOf(shard: ShardDefinition): bigint {
  return (numberOfHex(shard.startingHashKey) + numberOfHex(shard.endingHashKey)) / 2n + 1n;
}

export interface TestLogOptions {
  readonly arenaBytesMax?: number;
  readonly writeQuotas?: boolean;
  readonly storageBudgetBytes?: number;
  readonly onEvent?: (event: LogEvent) => void;
  readonly testimony?: Testimony;
}

/** One log with the few calls that tests need. */
export class TestLog {
  readonly log: Log;
  readonly platform: VirtualPlatform;
  readonly #producer: number;
  #batchNumber = 0;
  /** The batch that was put last. */
  lastBatch = new Uint8Array(0);
  /** The state with all changes that were sent, whether they are committed or not. */
  #planned: StreamDefinition[];
  #nextShardUid: number;

  private constructor(log: Log, platform: VirtualPlatform) {
    this.log = log;
    this.platform = platform;
    const random = platform.random.fill(new Uint8Array(4));
    this.#producer = new DataView(random.buffer).getUint32(0);
    this.#planned = [...log.control.streams()];
    this.#nextShardUid = log.control.nextShardUid;
  }

  static async open(platform: VirtualPlatform, options: TestLogOptions = {}): Promise<TestLog> {
    const arenaBytesMax = options.arenaBytesMax ?? 8 * 1024 * 1024;
    const core = await Core.instantiate(await coreModule(), {
      shardSlotsMax: SHARD_SLOTS_MAX,
      routesMax: ROUTES_MAX,
      arenaBytesMax,
    });
    const log = await Log.open({
      name: "test",
      core,
      store: await platform.stores.open("test"),
      clock: platform.clock,
      random: platform.random,
      vault: await platform.vaults.open("test"),
      witnesses: platform.witnesses,
      arenaBytesMax,
      writeQuotas: options.writeQuotas ?? false,
      onCommitted: () => undefined,
      storageBudgetBytes: options.storageBudgetBytes,
      onEvent: options.onEvent ?? (() => undefined),
      ...(options.testimony === undefined ? {} : { testimony: options.testimony }),
    });
    return new TestLog(log, platform);
  }

  /** The stream of a name as it is committed. */
  stream(name = "clicks"): StreamDefinition {
    for (const stream of this.log.control.streams()) if (stream.name === name) return stream;
    throw new Error(`no stream ${name}`);
  }

  shard(shardIndex: number, name = "clicks"): SlottedShard {
    const found = this.log.slots
      .ofStream(this.stream(name).uid)
      .find((shard) => shard.shardIndex === shardIndex);
    if (found === undefined) throw new Error(`no shard ${shardIndex}`);
    return found;
  }

  async createStream(
    name = "clicks",
    shards = 1,
    settings: Partial<StreamSettings> = {},
  ): Promise<StreamDefinition> {
    const { control } = this.log;
    const createdMs = this.platform.clock.nowMs();
    const step = (RING_END + 1n) / BigInt(shards);
    const stream: StreamDefinition = {
      uid: control.nextStreamUid,
      name,
      createdMs,
      retentionHours: 24,
      recordKibMax: 1024,
      mode: "PROVISIONED",
      distribution: "USER_PARTITION_KEY",
      writeCapacity: null,
      durability: "strict",
      whenFull: "refuse-new",
      ...settings,
      nextShardIndex: shards,
      shards: Array.from({ length: shards }, (_, shardIndex) => ({
        uid: this.#nextShardUid + shardIndex,
        shardIndex,
        startingHashKey: hexKey(BigInt(shardIndex) * step),
        endingHashKey: hexKey(
          shardIndex === shards - 1 ? RING_END : BigInt(shardIndex + 1) * step - 1n,
        ),
        createdSeconds: Math.max(
          Math.floor(createdMs / 1000),
          control.lastCreatedSeconds(name) + 1,
        ),
      })),
    };
    await this.log.change([{ kind: "stream-created", stream }]);
    this.#nextShardUid += shards;
    this.#planned = [...control.streams()];
    return stream;
  }

  /** Splits an open shard in the middle. */
  async split(shardIndex: number, name = "clicks"): Promise<void> {
    await this.log.change([this.splitting(shardIndex, name)]);
  }

  /** Merges an open shard with the open one behind it on the ring. */
  async merge(shardIndex: number, name = "clicks"): Promise<void> {
    await this.log.change([this.merging(shardIndex, name)]);
  }

  splitting(shardIndex: number, name = "clicks"): ControlRecord {
    const parent = this.open(name).find((shard) => shard.shardIndex === shardIndex);
    if (parent === undefined) throw new Error(`shard ${shardIndex} is not open`);
    const middle = middleOf(parent);
    return this.#resharding(
      name,
      [parent],
      [
        { startingHashKey: parent.startingHashKey, endingHashKey: hexKey(middle - 1n) },
        { startingHashKey: hexKey(middle), endingHashKey: parent.endingHashKey },
      ],
    );
  }

  merging(shardIndex: number, name = "clicks"): ControlRecord {
    const open = this.open(name);
    const at = open.findIndex((shard) => shard.shardIndex === shardIndex);
    const [lower, upper] = [open[at], open[at + 1]];
    if (lower === undefined || upper === undefined) throw new Error("nothing to merge with");
    const range = { startingHashKey: lower.startingHashKey, endingHashKey: upper.endingHashKey };
    return this.#resharding(name, [lower, upper], [range]);
  }

  /** Open shards, those of planned reshards included, by hash key. */
  open(name = "clicks"): ShardDefinition[] {
    const stream = this.#planned.find((one) => one.name === name);
    return (stream?.shards ?? [])
      .filter(({ closedMs }) => closedMs === undefined)
      .sort((a, b) => (a.startingHashKey < b.startingHashKey ? -1 : 1));
  }

  /** Goes back to what is committed, after a change that failed. */
  replan(): void {
    this.#planned = [...this.log.control.streams()];
  }

  #resharding(
    name: string,
    parents: readonly ShardDefinition[],
    ranges: readonly Pick<ShardDefinition, "startingHashKey" | "endingHashKey">[],
  ): ControlRecord {
    const stream = this.#planned.find((one) => one.name === name);
    const [parent, adjacent] = parents;
    if (stream === undefined || parent === undefined) throw new Error(`no stream ${name}`);
    const atMs = this.platform.clock.nowMs();
    const opened = ranges.map((range, i) => ({
      uid: this.#nextShardUid++,
      shardIndex: stream.nextShardIndex + i,
      ...range,
      createdSeconds: Math.max(
        Math.floor(atMs / 1000),
        ...parents.map(({ createdSeconds }) => createdSeconds + 1),
      ),
      parentShardIndex: parent.shardIndex,
      ...(adjacent === undefined ? {} : { adjacentParentShardIndex: adjacent.shardIndex }),
    }));
    const closed = parents.map(({ uid }) => uid);
    const shards = stream.shards.map((shard) =>
      closed.includes(shard.uid) ? { ...shard, closedMs: atMs } : shard,
    );
    const planned: StreamDefinition = {
      ...stream,
      shards: [...shards, ...opened],
      nextShardIndex: stream.nextShardIndex + ranges.length,
    };
    this.#planned = this.#planned.map((one) => (one.name === name ? planned : one));
    return { kind: "stream-resharded", streamUid: stream.uid, atMs, closed, opened };
  }

  /** Puts records with one producer, batch after batch. */
  async put(records: readonly TestRecord[], name = "clicks"): Promise<TestResultRow[]> {
    const stream = this.stream(name);
    this.#batchNumber++;
    const batchNumber = this.#batchNumber;
    const batch = buildBatch({
      streamUid: stream.uid,
      batchNumber,
      records,
      producer: this.#producer,
    });
    this.lastBatch = new Uint8Array(batch.slice(0));
    const result = await new Promise<ArrayBuffer>((resolve, reject) => {
      this.log.put({
        streamUid: stream.uid,
        byteLength: batch.byteLength,
        recordCount: records.length,
        reject,
        append: () => ({
          ...this.#append(stream, new Uint8Array(batch), batchNumber),
          streamUid: stream.uid,
          streamName: stream.name,
          byteLength: batch.byteLength,
          resolve,
          reject,
        }),
      });
    });
    return readResult(result);
  }

  #append(
    stream: StreamDefinition,
    batch: Uint8Array,
    batchNumber: number,
  ): { result: ArrayBuffer; outcome: ReturnType<BatchResultBuilder["build"]> } {
    const { core, slots } = this.log;
    const route = slots.routeOf(stream.uid);
    if (route === undefined) throw new Error(`stream ${stream.name} is gone`);
    const nowMs = this.platform.clock.nowMs();
    const recordBytesMax = stream.recordKibMax * 1024;
    const { recordCount } = core.append(batch, { route, nowMs, recordBytesMax });
    const result = core.packResult(nowMs, (slot) => slots.inSlot(slot));
    const builder = new BatchResultBuilder(recordCount);
    for (let i = 0; i < recordCount; i++) {
      const { slot, status, index } = core.appendRow(i);
      builder.add(i, slots.inSlot(slot).uid, status, index);
    }
    const producerId = hexOfBytes(batch.subarray(16, 32));
    return { result, outcome: builder.build(producerId, batchNumber, nowMs, recordCount) };
  }

  /** One read of one shard. */
  async read(
    shard: SlottedShard,
    nextIndex: number,
    limits = { recordsMax: 10_000, bytesMax: 1_048_576 },
  ): Promise<ReadPart> {
    const { slice } = await this.log.read([{ shard, nextIndex }], limits);
    const [part] = readSlice(slice);
    if (part === undefined) throw new Error("a slice without a part");
    return part;
  }

  /** All records of a stream, shard after shard by index; and the flags with which each shard ended. */
  async readAll(
    name = "clicks",
    bytesMax = 1_048_576,
  ): Promise<{ records: ReadRecord[]; flags: Map<number, number> }> {
    const records: ReadRecord[] = [];
    const flags = new Map<number, number>();
    for (const shard of this.log.slots.ofStream(this.stream(name).uid)) {
      let nextIndex = await this.log.trimHorizon(shard);
      for (;;) {
        const part = await this.read(shard, nextIndex, { recordsMax: 10_000, bytesMax });
        records.push(...part.records);
        nextIndex = part.nextIndex;
        flags.set(shard.shardIndex, part.flags);
        if ((part.flags & PART_AT_END) !== 0) break;
      }
    }
    return { records, flags };
  }
}
