/** The exports of the core's Wasm module, as engine/core/assembly/index.ts documents them. */

/** Functions of the core by name; the table is checked against a module when it is instantiated. */
interface CoreFunctions {
  init(shardSlotsMax: number, routesMax: number, arenaBlocks: number): number;
  scratchAddress(): number;
  inputResidentBytes(): number;
  reserveInput(byteLength: number): number;
  reserveRun(byteLength: number): number;
  releaseInput(): void;
  describeMemory(): void;

  shardPresent(slot: number): number;
  addShard(
    slot: number,
    streamUid: number,
    shardUid: number,
    nextIndex: number,
    nextOrdinal: number,
    writeQuotas: number,
  ): void;
  removeShard(slot: number): void;
  setRoutes(route: number, slots: number, count: number): number;
  setRouteSettings(
    route: number,
    recordsPerSecond: number,
    bytesPerSecond: number,
    spread: number,
  ): void;
  setWriteQuotas(slot: number, enforced: number): void;
  routePresent(route: number): number;
  routeKey(route: number, key: number, length: number): number;
  raiseNextIndex(slot: number, nextIndex: number): void;
  describeShard(slot: number): void;

  appendBatch(
    batch: number,
    byteLength: number,
    route: number,
    nowMs: number,
    recordBytesMax: number,
    overdraws: number,
  ): number;
  appendRows(): number;
  appendShards(): number;
  writeRetryAfterMs(slot: number, bytes: number, nowMs: number): number;
  hasProvisional(): number;
  cutInFlight(): number;
  cut(): number;
  describeRun(run: number): void;
  commit(frame: number): void;
  rewind(): void;

  roll(slot: number): void;
  rollOlderThan(beforeMs: number): number;
  findSealable(): number;
  describeSealable(i: number): void;
  segmentState(handle: number): number;
  segmentIsDurable(handle: number): number;
  seal(handle: number, epoch: number): void;
  declareSealed(handle: number): void;
  unseal(handle: number): void;
  loadImage(slot: number, image: number, byteLength: number): number;
  trim(slot: number, beforeIndex: number): void;
  replay(
    slot: number,
    ordinal: number,
    frames: number,
    byteLength: number,
    walFrame: number,
  ): number;
  nextIntact(from: number, end: number): number;

  locate(slot: number, fromIndex: number, recordsMax: number, bytesMax: number): number;
  indexAtTime(slot: number, timeMs: number): number;
  admitRead(slot: number, nowMs: number): number;
  chargeRead(slot: number, byteLength: number, nowMs: number): void;

  xxh64Reset(stream: number): void;
  xxh64Update(stream: number, address: number, byteLength: number): void;
  xxh64Digest(stream: number): void;
  xxh64Of(address: number, byteLength: number): void;
  crc32(crc: number, address: number, byteLength: number): number;
  crc32c(crc: number, address: number, byteLength: number): number;
  md5Start(): void;
  md5Add(address: number, byteLength: number): void;
  md5End(): void;

  packSequence(created: number, index: number, arrival: number, shardIndex: number): void;
  unpackSequence(): number;
}

/** The exports of the core. Addresses come as i32: `>>> 0` before use. */
export interface CoreExports extends CoreFunctions {
  readonly memory: WebAssembly.Memory;
}

// A record, so that the compiler notices a name that is missing here or that the core does not have.
const NAMES: Record<keyof CoreFunctions, true> = {
  init: true,
  scratchAddress: true,
  inputResidentBytes: true,
  reserveInput: true,
  reserveRun: true,
  releaseInput: true,
  describeMemory: true,
  shardPresent: true,
  addShard: true,
  removeShard: true,
  setRoutes: true,
  setRouteSettings: true,
  setWriteQuotas: true,
  routePresent: true,
  routeKey: true,
  raiseNextIndex: true,
  describeShard: true,
  appendBatch: true,
  appendRows: true,
  appendShards: true,
  writeRetryAfterMs: true,
  hasProvisional: true,
  cutInFlight: true,
  cut: true,
  describeRun: true,
  commit: true,
  rewind: true,
  roll: true,
  rollOlderThan: true,
  findSealable: true,
  describeSealable: true,
  segmentState: true,
  segmentIsDurable: true,
  seal: true,
  declareSealed: true,
  unseal: true,
  loadImage: true,
  trim: true,
  replay: true,
  nextIntact: true,
  locate: true,
  indexAtTime: true,
  admitRead: true,
  chargeRead: true,
  xxh64Reset: true,
  xxh64Update: true,
  xxh64Digest: true,
  xxh64Of: true,
  crc32: true,
  crc32c: true,
  md5Start: true,
  md5Add: true,
  md5End: true,
  packSequence: true,
  unpackSequence: true,
};

/** Names of all functions that the core exports. */
export const CORE_EXPORT_NAMES: readonly string[] = Object.keys(NAMES);
