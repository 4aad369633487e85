/**
 * The core's facade: the shard log in Wasm memory as {@link ShardLogCore}. Every method is
 * synchronous. It checks its arguments, calls the module and reads results from core memory; nothing
 * outside this folder knows where they lie there.
 */
import {
  BATCH_OK,
  IMAGE_MEMORY,
  IMAGE_OK,
  READ_ABSENT,
  READ_END,
  ROUTE_OK,
  STATE_CLOSED,
  STATE_SEALING,
} from "@millrace/core/border";
import { BLOCK_BYTES, RECORD_BYTES_MAX, REQUEST_BYTES_MAX } from "@millrace/core/layout";
import { InvalidArgumentError } from "../errors/index.ts";
import { checkCounter, checkInteger, checkTime, U32_MAX } from "./core-arguments.ts";
import {
  type BatchCounts,
  batchRow,
  malformedBatch,
  packBatchResult,
  type ShardDescription,
} from "./core-batches.ts";
import { CoreMemoryError, MalformedBatchError } from "./core-errors.ts";
import { CoreHashes } from "./core-hashes.ts";
import { CoreInstance } from "./core-instance.ts";
import {
  damagedSegment,
  describeRun,
  describeSealable,
  intactRanges,
  olderFirst,
} from "./core-segments.ts";
import { checkPlacement, checkRouteSettings, refusedRoute, writeRange } from "./core-shards.ts";
import type {
  AppendOutcome,
  AppendRow,
  AppendSettings,
  CoreMemory,
  CoreOptions,
  IntactRange,
  ReadRange,
  RouteSettings,
  Run,
  SealableSegment,
  SealFields,
  ShardLogCore,
  ShardPlacement,
  ShardPosition,
} from "./core-types.ts";

const SHARD_SLOTS_MAX = 65_535;
const ROUTES_MAX = 65_535;
const ARENA_BYTES_LIMIT = 0xc000_0000;
const NO_BATCH: BatchCounts = { recordCount: 0, refusedCount: 0, shardCount: 0 };

/** The shard log over one instance of the core's Wasm module. */
export class Core implements ShardLogCore {
  readonly #core: CoreInstance;
  readonly #hashes: CoreHashes;
  readonly #options: CoreOptions;
  #lastBatch = NO_BATCH;

  private constructor(core: CoreInstance, options: CoreOptions) {
    this.#core = core;
    this.#hashes = new CoreHashes(core);
    this.#options = options;
  }

  /**
   * Instantiates the core and sets up its tables.
   * @throws CoreModuleError when the source is no Wasm module or not the core; InvalidArgumentError
   * for options out of range; CoreMemoryError when there is no memory for the tables.
   */
  static async instantiate(
    source: BufferSource | WebAssembly.Module,
    options: CoreOptions,
  ): Promise<Core> {
    const { shardSlotsMax, routesMax, arenaBytesMax } = options;
    checkInteger("shardSlotsMax", shardSlotsMax, 1, SHARD_SLOTS_MAX);
    checkInteger("routesMax", routesMax, 1, ROUTES_MAX);
    checkInteger("arenaBytesMax", arenaBytesMax, BLOCK_BYTES, ARENA_BYTES_LIMIT);
    const instance = await CoreInstance.instantiate(source);
    const blocks = Math.floor(arenaBytesMax / BLOCK_BYTES);
    if (instance.exports.init(shardSlotsMax, routesMax, blocks) === 0) {
      throw new CoreMemoryError(`There is no memory for ${shardSlotsMax} shard slots.`, {
        argument: "shardSlotsMax",
        value: shardSlotsMax,
      });
    }
    return new Core(instance, options);
  }

  // ── Shards and routes ──────────────────────────────────────────────────────────────────────────

  /** {@inheritDoc ShardLogCore.addShard} */
  addShard(placement: ShardPlacement): void {
    const { slot } = placement;
    checkPlacement(placement, this.#options.shardSlotsMax);
    if (this.#core.exports.shardPresent(slot) !== 0) {
      throw new InvalidArgumentError(`Slot ${slot} is taken.`, { argument: "slot", value: slot });
    }
    writeRange(this.#core, placement);
    this.#core.exports.addShard(
      slot,
      placement.streamUid,
      placement.shardUid,
      placement.nextIndex,
      placement.nextOrdinal,
      placement.writeQuotas ? 1 : 0,
    );
  }

  /** {@inheritDoc ShardLogCore.removeShard} A route that the shard is on is gone with it. */
  removeShard(slot: number): void {
    this.#core.exports.removeShard(this.#present(slot));
  }

  /** {@inheritDoc ShardLogCore.setRoutes} No slots: the route is gone. */
  setRoutes(route: number, slots: readonly number[]): void {
    checkInteger("route", route, 0, this.#options.routesMax - 1);
    checkInteger("slots.length", slots.length, 0, this.#options.shardSlotsMax);
    for (const slot of slots) this.#present(slot);
    const list = new Uint8Array(Uint32Array.from(slots).buffer);
    const code = this.#core.exports.setRoutes(route, this.#core.writeInput(list), slots.length);
    if (code === ROUTE_OK) return;
    throw refusedRoute(route, slots.length, code);
  }

  /**
   * {@inheritDoc ShardLogCore.setRouteSettings} The tank of another quota keeps its level as far as it
   * fits. The settings outlive a change of the route's shards, and go with the last of them.
   */
  setRouteSettings(route: number, settings: RouteSettings): void {
    this.#routed(route);
    const { quota, spread } = settings;
    checkRouteSettings(settings);
    this.#core.exports.setRouteSettings(
      route,
      quota?.recordsPerSecond ?? 0,
      quota?.bytesPerSecond ?? 0,
      spread ? 1 : 0,
    );
  }

  /** {@inheritDoc ShardLogCore.setWriteQuotas} */
  setWriteQuotas(slot: number, enforced: boolean): void {
    this.#core.exports.setWriteQuotas(this.#present(slot), enforced ? 1 : 0);
  }

  /** {@inheritDoc ShardLogCore.routeKey} */
  routeKey(route: number, key: Uint8Array): number {
    this.#routed(route);
    const address = this.#core.writeInput(key);
    const slot = this.#core.exports.routeKey(route, address, key.byteLength);
    this.#core.exports.releaseInput();
    return slot;
  }

  /** {@inheritDoc ShardLogCore.raiseNextIndex} */
  raiseNextIndex(slot: number, nextIndex: number): void {
    checkCounter("nextIndex", nextIndex);
    this.#core.exports.raiseNextIndex(this.#present(slot), nextIndex);
  }

  /** {@inheritDoc ShardLogCore.position} */
  position(slot: number): ShardPosition {
    const core = this.#core;
    core.exports.describeShard(this.#present(slot));
    return {
      nextIndex: core.field(0),
      durableIndex: core.field(1),
      nextOrdinal: core.field(2),
      durableMs: core.field(3),
      provisional: core.field(4) !== 0,
    };
  }

  #present(slot: number): number {
    checkInteger("slot", slot, 0, this.#options.shardSlotsMax - 1);
    if (this.#core.exports.shardPresent(slot) !== 0) return slot;
    throw new InvalidArgumentError(`Slot ${slot} holds no shard.`, {
      argument: "slot",
      value: slot,
    });
  }

  #routed(route: number): void {
    checkInteger("route", route, 0, this.#options.routesMax - 1);
    if (this.#core.exports.routePresent(route) !== 0) return;
    throw new InvalidArgumentError(`Route ${route} has no shards.`, {
      argument: "route",
      value: route,
    });
  }

  // ── The life of a record ───────────────────────────────────────────────────────────────────────

  /**
   * {@inheritDoc ShardLogCore.append}
   * @throws CoreMemoryError when a request over 1 MiB finds no room; nothing was appended then.
   */
  append(request: Uint8Array, settings: AppendSettings): AppendOutcome {
    const { route, nowMs, recordBytesMax, overdraws = false } = settings;
    this.#routed(route);
    checkTime("nowMs", nowMs);
    checkInteger("recordBytesMax", recordBytesMax, 1, RECORD_BYTES_MAX);
    const core = this.#core;
    if (request.byteLength > REQUEST_BYTES_MAX) {
      throw new MalformedBatchError(
        `The request has ${request.byteLength} bytes; the limit is ${REQUEST_BYTES_MAX}.`,
        { argument: "request", value: request.byteLength, limit: REQUEST_BYTES_MAX },
      );
    }
    const { byteLength } = request;
    const address = core.writeInput(request);
    const code = core.exports.appendBatch(
      ...([address, byteLength, route, nowMs, recordBytesMax, overdraws ? 1 : 0] as const),
    );
    core.exports.releaseInput();
    if (code !== BATCH_OK) throw malformedBatch(core, code);
    const [recordCount, refusedCount] = [core.field(0), core.field(1)];
    this.#lastBatch = { recordCount, refusedCount, shardCount: core.field(3) };
    return { recordCount, refusedCount, bytes: core.field(2) };
  }

  /** {@inheritDoc ShardLogCore.appendRow} */
  appendRow(i: number): AppendRow {
    checkInteger("i", i, 0, this.#lastBatch.recordCount - 1);
    return batchRow(this.#core, i);
  }

  /** {@inheritDoc ShardLogCore.packResult} */
  packResult(nowMs: number, describe: (slot: number) => ShardDescription): ArrayBuffer {
    return packBatchResult(this.#core, this.#lastBatch, nowMs, describe);
  }

  /** {@inheritDoc ShardLogCore.writeRetryAfterMs} */
  writeRetryAfterMs(slot: number, bytes: number, nowMs: number): number {
    checkInteger("bytes", bytes, 0, RECORD_BYTES_MAX);
    checkTime("nowMs", nowMs);
    return this.#core.exports.writeRetryAfterMs(this.#present(slot), bytes, nowMs);
  }

  /** {@inheritDoc ShardLogCore.hasProvisional} */
  hasProvisional(): boolean {
    return this.#core.exports.hasProvisional() !== 0;
  }

  /**
   * {@inheritDoc ShardLogCore.cut} A cut without runs is not in flight: it needs no commit.
   * @throws InvalidArgumentError when a cut is in flight.
   */
  cut(): Run[] {
    if (this.#core.exports.cutInFlight() !== 0) {
      throw new InvalidArgumentError("A cut is in flight: commit or rewind it first.");
    }
    const count = this.#core.exports.cut();
    return Array.from({ length: count }, (_, i) => describeRun(this.#core, i));
  }

  /** {@inheritDoc ShardLogCore.commit} Without a cut in flight nothing changes. */
  commit(frameNumber: number): void {
    checkCounter("frameNumber", frameNumber);
    this.#core.exports.commit(frameNumber);
  }

  /** {@inheritDoc ShardLogCore.rewind} */
  rewind(): void {
    this.#core.exports.rewind();
  }

  // ── Segments ───────────────────────────────────────────────────────────────────────────────────

  /** {@inheritDoc ShardLogCore.roll} */
  roll(slot: number): void {
    this.#core.exports.roll(this.#present(slot));
  }

  /** {@inheritDoc ShardLogCore.rollOlderThan} */
  rollOlderThan(beforeMs: number): number {
    return this.#core.exports.rollOlderThan(beforeMs);
  }

  /** {@inheritDoc ShardLogCore.sealable} */
  sealable(limit: number): SealableSegment[] {
    const count = this.#core.exports.findSealable();
    const segments = Array.from({ length: count }, (_, i) => describeSealable(this.#core, i));
    return segments.sort(olderFirst).slice(0, limit);
  }

  /**
   * {@inheritDoc ShardLogCore.seal}
   * @throws InvalidArgumentError when the segment is not sealable.
   */
  seal(segment: number, fields: SealFields): ArrayBuffer {
    checkCounter("epoch", fields.epoch);
    this.#inState(segment, STATE_CLOSED, "sealable");
    const core = this.#core;
    if (core.exports.segmentIsDurable(segment) === 0) throw wrongState(segment, "sealable");
    core.exports.seal(segment, fields.epoch);
    const address = core.field(0);
    const byteLength = core.field(1);
    const image = new Uint8Array(byteLength + (fields.spareBytes ?? 0));
    image.set(core.bytes.subarray(address, address + byteLength));
    return image.buffer;
  }

  /** {@inheritDoc ShardLogCore.declare} @throws InvalidArgumentError when it is not sealed. */
  declare(segment: number): void {
    this.#inState(segment, STATE_SEALING, "sealed");
    this.#core.exports.declareSealed(segment);
  }

  /** {@inheritDoc ShardLogCore.unseal} @throws InvalidArgumentError when it is not sealed. */
  unseal(segment: number): void {
    this.#inState(segment, STATE_SEALING, "sealed");
    this.#core.exports.unseal(segment);
  }

  #inState(segment: number, state: number, name: string): void {
    checkInteger("segment", segment, 1, U32_MAX);
    if (this.#core.exports.segmentState(segment) !== state) throw wrongState(segment, name);
  }

  /**
   * {@inheritDoc ShardLogCore.load} An image that is cached already counts as used.
   * @throws CoreMemoryError when there is no room for it.
   */
  load(slot: number, image: Uint8Array): void {
    const core = this.#core;
    this.#present(slot);
    const address = core.exports.reserveRun(image.byteLength) >>> 0;
    if (address === 0) throw core.outOfMemory("image", image.byteLength);
    core.bytes.set(image, address);
    const code = core.exports.loadImage(slot, address, image.byteLength);
    if (code !== IMAGE_OK) throw damagedSegment("image", slot, code);
  }

  /** {@inheritDoc ShardLogCore.trim} Open segments and those being sealed stay. */
  trim(slot: number, beforeIndex: number): void {
    checkCounter("beforeIndex", beforeIndex);
    this.#core.exports.trim(this.#present(slot), beforeIndex);
  }

  /**
   * {@inheritDoc ShardLogCore.replay}
   * @throws DamagedSegmentError when the frames do not verify, do not follow what is cached, or the
   * segment is closed; CoreMemoryError when there is no room. Nothing changes then.
   */
  replay(slot: number, ordinal: number, frames: Uint8Array, frameNumber: number): void {
    const core = this.#core;
    this.#present(slot);
    checkCounter("ordinal", ordinal, 1);
    checkCounter("frameNumber", frameNumber);
    const address = core.writeInput(frames);
    const code = core.exports.replay(slot, ordinal, address, frames.byteLength, frameNumber);
    core.exports.releaseInput();
    if (code === IMAGE_MEMORY) throw core.outOfMemory("frames", frames.byteLength);
    if (code !== IMAGE_OK) throw damagedSegment("frames", slot, code);
  }

  // ── Reading ────────────────────────────────────────────────────────────────────────────────────

  /** {@inheritDoc ShardLogCore.locate} */
  locate(slot: number, fromIndex: number, recordsMax: number, bytesMax: number): ReadRange {
    checkCounter("fromIndex", fromIndex);
    const core = this.#core;
    const [records, bytes] = [Math.min(recordsMax, U32_MAX), Math.min(bytesMax, U32_MAX)];
    const code = core.exports.locate(this.#present(slot), fromIndex, records, bytes);
    if (code === READ_END) return { kind: "end" };
    if (code === READ_ABSENT) return { kind: "absent", cachedFrom: core.field(0) };
    return {
      kind: "records",
      address: core.field(0),
      byteLength: core.field(1),
      recordCount: core.field(2),
      nextIndex: core.field(3),
      lastMs: core.field(4),
    };
  }

  /** {@inheritDoc ShardLogCore.indexAtTime} */
  indexAtTime(slot: number, timeMs: number): number | undefined {
    const found = this.#core.exports.indexAtTime(this.#present(slot), timeMs) !== 0;
    return found ? this.#core.field(0) : undefined;
  }

  /** {@inheritDoc ShardLogCore.view} */
  view(address: number, byteLength: number): Uint8Array {
    return this.#core.bytes.subarray(address, address + byteLength);
  }

  /** {@inheritDoc ShardLogCore.admitRead} */
  admitRead(slot: number, nowMs: number): number {
    checkTime("nowMs", nowMs);
    return this.#core.exports.admitRead(this.#present(slot), nowMs);
  }

  /** {@inheritDoc ShardLogCore.chargeRead} */
  chargeRead(slot: number, byteLength: number, nowMs: number): void {
    checkCounter("byteLength", byteLength);
    checkTime("nowMs", nowMs);
    this.#core.exports.chargeRead(this.#present(slot), byteLength, nowMs);
  }

  // ── Hashes ─────────────────────────────────────────────────────────────────────────────────────

  /** {@inheritDoc ShardLogCore.hashReset} */
  hashReset(): void {
    this.#hashes.reset();
  }

  /** {@inheritDoc ShardLogCore.hashMemory} */
  hashMemory(address: number, byteLength: number): void {
    this.#hashes.addMemory(address, byteLength);
  }

  /** {@inheritDoc ShardLogCore.hashBytes} */
  hashBytes(bytes: Uint8Array): void {
    this.#hashes.addBytes(bytes);
  }

  /** {@inheritDoc ShardLogCore.hashDigest} */
  hashDigest(): bigint {
    return this.#hashes.digest();
  }

  /** {@inheritDoc ShardLogCore.xxh64} */
  xxh64(bytes: Uint8Array): bigint {
    return this.#hashes.xxh64(bytes);
  }

  /** CRC-32 (gzip, event streams) of bytes from outside. */
  crc32(bytes: Uint8Array): number {
    return this.#hashes.crc32(bytes);
  }

  /** CRC-32C (snappy framing) of bytes from outside. */
  crc32c(bytes: Uint8Array): number {
    return this.#hashes.crc32c(bytes);
  }

  /** MD5 of bytes from outside: 16 bytes, owned by the caller. */
  md5(bytes: Uint8Array): Uint8Array {
    return this.#hashes.md5(bytes);
  }

  /**
   * {@inheritDoc ShardLogCore.intactFrames}
   * @throws CoreMemoryError when there is no room for the bytes.
   */
  intactFrames(bytes: Uint8Array): IntactRange[] {
    const address = this.#core.writeInput(bytes);
    const ranges = intactRanges(this.#core, address, bytes.byteLength);
    this.#core.exports.releaseInput();
    return ranges;
  }

  /** {@inheritDoc ShardLogCore.memory} */
  memory(): CoreMemory {
    const core = this.#core;
    core.exports.describeMemory();
    const [dirtyBytes, cachedBytes, maxBytes] = [core.field(0), core.field(1), core.field(2)];
    return {
      totalBytes: core.bytes.byteLength,
      dirtyBytes,
      cachedBytes,
      freeBytes: maxBytes - dirtyBytes - cachedBytes,
    };
  }
}

function wrongState(segment: number, name: string): InvalidArgumentError {
  return new InvalidArgumentError(`Segment ${segment} is not ${name}.`, {
    argument: "segment",
    value: segment,
  });
}
