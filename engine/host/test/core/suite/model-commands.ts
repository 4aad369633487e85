/** What the model test does to a core and to the model at once, comparing what comes of it. */
import {
  SEGMENT_HEADER_BYTES,
  STATUS_NO_MEMORY,
  STATUS_OK,
  STATUS_ORDER,
} from "@millrace/core/layout";
import { assert } from "chai";
import type fc from "fast-check";
import type { Core } from "../../../src/core/core.ts";
import { CoreMemoryError } from "../../../src/core/core-errors.ts";
import type { AppendSettings, ReadRange, SealableSegment } from "../../../src/core/core-types.ts";
import { frameBytesOf, type LogModel, type ModelRecord, type ModelShard } from "./model.ts";
import { copyOf, packBatch, readFrames, type TestRecord, uniformRanges } from "./support.ts";

/** A core and what the host keeps of it: handles of sealed segments, images in the store. */
export interface LogUnderTest {
  readonly core: Core;
  readonly sealing: SealableSegment[];
  readonly images: {
    readonly slot: number;
    readonly ordinal: number;
    readonly image: Uint8Array;
  }[];
  readonly hashKeyOf: (key: string) => bigint;
}

/** One command of the model test. */
export type LogCommand = fc.Command<LogModel, LogUnderTest>;

function command(
  name: string,
  run: (model: LogModel, real: LogUnderTest) => void,
  check: (model: LogModel) => boolean = () => true,
): LogCommand {
  return {
    check,
    run: (model, real) => {
      run(model, real);
      compareState(model, real.core);
    },
    toString: () => name,
  };
}

function compareState(model: LogModel, core: Core): void {
  for (const [slot, shard] of model.shards.entries()) {
    const { nextIndex, durableIndex, nextOrdinal, durableMs, provisional } = core.position(slot);
    const pending = shard.records.length > shard.durableCount;
    assert.deepEqual(
      [nextIndex, durableIndex, durableMs, provisional],
      [shard.nextIndex, shard.durableIndex, shard.durable.at(-1)?.arrivalMs ?? 0, pending],
      `position of slot ${slot}`,
    );
    assert.isAbove(nextOrdinal, shard.lastOrdinal);
  }
  const provisional = model.shards.some(({ records, cutCount }) => records.length > cutCount);
  assert.equal(core.hasProvisional(), provisional, "hasProvisional");
  const memory = core.memory();
  const dirty = model.shards.some((shard) => shard.records.length > shard.durableCount);
  if (dirty) assert.isAbove(memory.dirtyBytes, 0);
  assert.isAtLeast(memory.freeBytes, 0);
}

function sameRecord(found: { index: number; key: string; data: Uint8Array }, wanted: ModelRecord) {
  assert.equal(found.index, wanted.index);
  assert.equal(found.key, wanted.key);
  assert.deepEqual(found.data, wanted.data);
}

/** Appends records `elapsedMs` after what came before; the clock may go back. */
export function appendCommand(
  records: readonly TestRecord[],
  ordered: boolean,
  elapsedMs: number,
): LogCommand {
  const sizes = records.map(({ key, data }) => `${key}:${data.length}`).join(" ");
  return command(`append(${sizes}, ${ordered}, ${elapsedMs} ms)`, (model, { core, hashKeyOf }) => {
    model.nowMs += elapsedMs;
    const settings = { route: 0, nowMs: model.nowMs, recordBytesMax: 1_048_576 };
    if (!appended(model, core, packBatch(records, ordered), settings)) return;
    const ranges = uniformRanges(model.shards.length);
    const refused = new Set<number>();
    for (const [i, record] of records.entries()) {
      const hashKey = record.explicitHashKey ?? hashKeyOf(record.key);
      const slot = ranges.findIndex(({ end }) => hashKey <= end);
      const row = core.appendRow(i);
      assert.equal(row.slot, slot, `slot of row ${i}`);
      const status = expectedStatus(model, record, slot, ordered && refused.has(slot), row.status);
      assert.equal(row.status, status, `status of row ${i}`);
      const index = model.shard(slot).records.at(-1)?.index ?? 0;
      assert.equal(row.index, status === STATUS_OK ? index : 0);
      if (status !== STATUS_OK) refused.add(slot);
    }
  });
}

/** Appends. False when memory is short and there was no room for the batch itself: then nothing changes. */
function appended(
  model: LogModel,
  core: Core,
  batch: Uint8Array,
  settings: AppendSettings,
): boolean {
  try {
    core.append(batch, settings);
    return true;
  } catch (error) {
    if (!model.tight || !(error instanceof CoreMemoryError)) throw error;
    return false;
  }
}

function expectedStatus(
  model: LogModel,
  { key, data }: TestRecord,
  slot: number,
  outOfOrder: boolean,
  found: number,
): number {
  if (outOfOrder) return STATUS_ORDER;
  const shard = model.shard(slot);
  const status = shard.append(key, data, model.nowMs);
  if (!model.tight || status !== STATUS_OK || found !== STATUS_NO_MEMORY) return status;
  shard.unappend();
  return STATUS_NO_MEMORY;
}

/** Cuts. */
export function cutCommand(): LogCommand {
  return command(
    "cut",
    (model, { core }) => {
      const runs = core.cut();
      for (const [slot, shard] of model.shards.entries()) {
        const fresh = shard.records.slice(shard.durableCount);
        const own = runs.filter((run) => run.slot === slot);
        for (const run of own) {
          const frames = readFrames(core, copyOf(core, run.address, run.byteLength));
          const wanted = fresh.splice(0, run.recordCount);
          assert.deepEqual([frames.length, run.firstIndex], [wanted.length, wanted[0]?.index]);
          checkOrdinal(shard, run.ordinal, run.bodyOffset);
          for (const [i, record] of wanted.entries()) {
            record.ordinal = run.ordinal;
            sameRecord(frames[i] ?? assert.fail("a frame"), record);
            assert.equal(frames[i]?.arrivalMs, record.arrivalMs);
          }
        }
        assert.isEmpty(fresh, "the cut takes everything");
        shard.cut();
      }
      model.cutInFlight = runs.length > 0;
    },
    (model) => !model.cutInFlight,
  );
}

/** A run continues the last durable segment at its end, or begins a later one. */
function checkOrdinal(shard: ModelShard, ordinal: number, bodyOffset: number): void {
  const same = shard.segments.find((segment) => segment.ordinal === ordinal);
  assert.isAtLeast(ordinal, shard.lastOrdinal);
  if (same !== undefined) assert.isFalse(shard.isClosed(ordinal), "a closed segment takes none");
  const bytes = same?.records.reduce((sum, record) => sum + frameBytesOf(record), 0) ?? 0;
  assert.equal(bodyOffset, bytes);
}

/** Commits the cut. */
export function commitCommand(): LogCommand {
  return command(
    "commit",
    (model, { core }) => {
      model.frame++;
      core.commit(model.frame);
      for (const shard of model.shards) shard.commit(model.frame);
      model.cutInFlight = false;
    },
    (model) => model.cutInFlight,
  );
}

/** Rewinds. */
export function rewindCommand(): LogCommand {
  return command("rewind", (model, { core }) => {
    core.rewind();
    for (const shard of model.shards) shard.rewind();
    model.cutInFlight = false;
  });
}

/** Rolls one shard, or all when there is none with that slot. */
export function rollCommand(slot: number): LogCommand {
  return command(`roll(${slot})`, (model, { core }) => {
    const shard = model.shards[slot];
    if (shard !== undefined) core.roll(slot);
    else core.rollOlderThan(Number.POSITIVE_INFINITY);
    for (const one of shard === undefined ? model.shards : [shard]) one.roll();
  });
}

/** Raises the next index of a shard by more than it is, or less. */
export function raiseCommand(slot: number, by: number): LogCommand {
  return command(`raise(${slot}, ${by})`, (model, { core }) => {
    const shard = model.shard(slot % model.shards.length);
    const index = Math.max(0, shard.nextIndex + by);
    core.raiseNextIndex(slot % model.shards.length, index);
    shard.raise(index);
  });
}

function checkSealable(model: LogModel, found: readonly SealableSegment[]): void {
  for (const [slot, shard] of model.shards.entries()) {
    const listed = new Set(found.filter((one) => one.slot === slot).map(({ ordinal }) => ordinal));
    const provisional = shard.records.length > shard.durableCount;
    for (const { ordinal, dirty } of shard.segments) {
      const taken = shard.stored.has(ordinal) || shard.trimmed.has(ordinal);
      const last = ordinal === shard.lastOrdinal;
      if (taken || dirty > 0) assert.isFalse(listed.has(ordinal), "taken or not durable");
      else if (!last) assert.isTrue(listed.has(ordinal), "a later segment is durable");
      else if (shard.isClosed(ordinal)) assert.isTrue(listed.has(ordinal), "rolled and durable");
      else if (!provisional && shard.maybeFull !== ordinal) {
        assert.isFalse(listed.has(ordinal), "open");
      }
    }
  }
}

function checkDescription(shard: ModelShard, found: SealableSegment): readonly ModelRecord[] {
  const segment = shard.segments.find(({ ordinal }) => ordinal === found.ordinal);
  const records = segment?.records ?? assert.fail("the model has the segment");
  const times = records.map(({ arrivalMs }) => arrivalMs);
  assert.deepEqual(
    [found.firstIndex, found.lastIndex, found.recordCount, found.firstMs, found.lastMs],
    [records[0]?.index, records.at(-1)?.index, records.length, times[0], Math.max(...times)],
  );
  assert.deepEqual([found.firstFrame, found.lastFrame], [records[0]?.frame, records.at(-1)?.frame]);
  return records;
}

/** Seals one of the sealable segments. */
export function sealCommand(which: number): LogCommand {
  return command(`seal(${which})`, (model, { core, sealing, images }) => {
    const found = core.sealable(1_000);
    checkSealable(model, found);
    const chosen = found[which % Math.max(1, found.length)];
    if (chosen === undefined) return;
    const { slot, ordinal } = chosen;
    const records = checkDescription(model.shard(slot), chosen);
    const image = new Uint8Array(core.seal(chosen.segment, { epoch: 3 }));
    const frames = readFrames(core, image.subarray(SEGMENT_HEADER_BYTES));
    assert.equal(frames.length, records.length);
    for (const [i, record] of records.entries()) sameRecord(frames[i] ?? assert.fail(), record);
    sealing.push(chosen);
    images.push({ slot, ordinal, image });
    model.shard(slot).stored.set(ordinal, "sealing");
  });
}

/** Declares a segment that is being sealed, or gives it back. */
export function settleCommand(which: number, declare: boolean): LogCommand {
  return command(`${declare ? "declare" : "unseal"}(${which})`, (model, { core, sealing }) => {
    const [chosen] = sealing.splice(which % Math.max(1, sealing.length), 1);
    if (chosen === undefined) return;
    const { stored } = model.shard(chosen.slot);
    if (declare) {
      core.declare(chosen.segment);
      stored.set(chosen.ordinal, "declared");
    } else {
      core.unseal(chosen.segment);
      stored.delete(chosen.ordinal);
    }
  });
}

/** Loads an image of a declared segment. */
export function loadCommand(which: number): LogCommand {
  return command(`load(${which})`, (model, { core, images }) => {
    const chosen = images[which % Math.max(1, images.length)];
    if (chosen === undefined) return;
    const shard = model.shard(chosen.slot);
    if (shard.stored.get(chosen.ordinal) !== "declared") return;
    if (model.tight && core.memory().freeBytes + core.memory().cachedBytes < 1_048_576) return;
    core.load(chosen.slot, chosen.image);
    shard.trimmed.delete(chosen.ordinal);
  });
}

/** Trims a shard before some index at most as high as the beginning of its last segment. */
export function trimCommand(slot: number, permille: number): LogCommand {
  return command(`trim(${slot}, ${permille})`, (model, { core }) => {
    const shard = model.shard(slot % model.shards.length);
    const last = shard.segments.at(-1)?.records[0]?.index ?? 0;
    const before = Math.floor((last * permille) / 1_000);
    core.trim(slot % model.shards.length, before);
    for (const { ordinal, records } of shard.segments) {
      if ((records.at(-1)?.index ?? 0) >= before) break;
      if (shard.stored.get(ordinal) !== "sealing") shard.trimmed.add(ordinal);
    }
  });
}

function expectedRange(shard: ModelShard, from: number): ModelRecord[] | number | undefined {
  const { cached } = shard;
  const at = cached.findIndex(({ records }) => (records.at(-1)?.index ?? 0) >= from);
  const segment = cached[at];
  if (segment === undefined) return from < shard.durableIndex ? shard.durableIndex : undefined;
  const first = segment.records[0]?.index ?? 0;
  const follows = cached[at - 1]?.ordinal === segment.ordinal - 1;
  if (first > from && !follows) return first;
  return segment.records.filter(({ index }) => index >= from);
}

function checkRecords(
  core: Core,
  range: Extract<ReadRange, { kind: "records" }>,
  wanted: readonly ModelRecord[],
  recordsMax: number,
  bytesMax: number,
): void {
  const taken: ModelRecord[] = [];
  let bytes = 0;
  for (const record of wanted) {
    bytes += frameBytesOf(record);
    if (taken.length > 0 && (taken.length >= recordsMax || bytes > bytesMax)) break;
    taken.push(record);
  }
  const frames = readFrames(core, copyOf(core, range.address, range.byteLength));
  assert.deepEqual(
    [frames.length, range.recordCount, range.nextIndex, range.lastMs],
    [taken.length, taken.length, (taken.at(-1)?.index ?? 0) + 1, taken.at(-1)?.arrivalMs],
  );
  for (const [i, record] of taken.entries()) sameRecord(frames[i] ?? assert.fail(), record);
}

/** Memory may have run out: everything in [from, cachedFrom) must be stored or trimmed. */
function checkEvicted(shard: ModelShard, from: number, cachedFrom: number): void {
  assert.isAbove(cachedFrom, from);
  const firsts = shard.segments.map(({ records }) => records[0]?.index);
  assert.include([...firsts, shard.durableIndex], cachedFrom);
  for (const { ordinal, records } of shard.segments) {
    if (!records.some(({ index }) => index >= from && index < cachedFrom)) continue;
    const gone = shard.trimmed.has(ordinal) || shard.stored.get(ordinal) === "declared";
    assert.isTrue(gone, `segment ${ordinal} is in no store`);
  }
}

/** Reads from some place of a shard. */
export function locateCommand(
  slot: number,
  permille: number,
  recordsMax: number,
  bytesMax: number,
): LogCommand {
  return command(`locate(${slot}, ${permille}, ${recordsMax}, ${bytesMax})`, (model, { core }) => {
    const shard = model.shard(slot % model.shards.length);
    const from = Math.floor(((shard.nextIndex + 2) * permille) / 1_000);
    const range = core.locate(slot % model.shards.length, from, recordsMax, bytesMax);
    const wanted = expectedRange(shard, from);
    if (model.tight && range.kind === "absent") {
      checkEvicted(shard, from, range.cachedFrom);
    } else if (Array.isArray(wanted)) {
      if (range.kind !== "records") return assert.fail(`${range.kind} instead of records`);
      checkRecords(core, range, wanted, recordsMax, bytesMax);
    } else if (wanted === undefined) {
      assert.deepEqual(range, { kind: "end" });
    } else {
      assert.deepEqual(range, { kind: "absent", cachedFrom: wanted });
    }
  });
}

/** Looks for a time near that of some record. */
export function indexAtTimeCommand(slot: number, permille: number, offMs: number): LogCommand {
  return command(`indexAtTime(${slot}, ${permille}, ${offMs})`, (model, { core }) => {
    const shard = model.shard(slot % model.shards.length);
    const records = shard.cached.flatMap((segment) => segment.records);
    const near = records[Math.floor((records.length * permille) / 1_000)]?.arrivalMs ?? 1_000;
    const timeMs = near + offMs;
    const found = core.indexAtTime(slot % model.shards.length, timeMs);
    const wanted = records.find(({ arrivalMs }) => arrivalMs >= timeMs)?.index;
    if (!model.tight) return assert.equal(found, wanted);
    // Stored segments may be gone, but nothing else is passed over.
    const unstored = shard.cached.filter(({ ordinal }) => shard.stored.get(ordinal) !== "declared");
    const certain = unstored.flatMap((segment) => segment.records);
    const limit = certain.find(({ arrivalMs }) => arrivalMs >= timeMs)?.index;
    const record = records.find(({ index }) => index === found);
    if (found !== undefined) assert.isAtLeast(record?.arrivalMs ?? 0, timeMs);
    assert.isAtMost(found ?? Number.POSITIVE_INFINITY, limit ?? Number.POSITIVE_INFINITY);
  });
}
