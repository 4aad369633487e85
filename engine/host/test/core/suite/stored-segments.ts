/** Segments that come back: evicted and loaded again, replayed from the WAL, found in damage. */
import {
  BLOCK_BYTES,
  FRAME_HEADER_BYTES,
  SEGMENT_CODEC,
  SEGMENT_EPOCH,
  SEGMENT_HASH,
  SEGMENT_KEY_VERSION,
  SEGMENT_SHARD_UID,
} from "@millrace/core/layout";
import { assert } from "chai";
import type { Core } from "../../../src/core/core.ts";
import { CoreMemoryError, DamagedSegmentError } from "../../../src/core/core-errors.ts";
import type { Run } from "../../../src/core/core-types.ts";
import { type CoreBuild, newCore } from "./build.ts";
import {
  addShards,
  append,
  appendDurably,
  copyOf,
  HASH_KEY_MAX,
  imageHash,
  readAll,
  readFrames,
  sealOldest,
  someRecords,
  testBytes,
  thrown,
} from "./support.ts";

const MIB = 1_048_576;

/** Frames of a run, out of core memory. */
function framesOf(core: Core, run: Run | undefined): Uint8Array {
  return run === undefined ? assert.fail("a run") : copyOf(core, run.address, run.byteLength);
}

function cacheTests(build: CoreBuild): void {
  it("evicts stored segments, the least recently read first, and loads them again", async () => {
    const core = await newCore(build, { arenaBytesMax: 4 * MIB });
    addShards(core, 1);
    const images: Uint8Array[] = [];
    for (let i = 0; i < 6; i++) {
      appendDurably(core, someRecords(5, 150_000), i + 1, 1_000_000 + i);
      assert.equal(core.locate(0, 0, 1, 1).kind, "records", "the first is read again and again");
      while (core.sealable(1).length > 0 || images.length <= i) images.push(sealOldest(core));
    }
    assert.equal(core.locate(0, 0, 1, 1).kind, "records", "read lately, so still there");
    const gap = core.locate(0, 5, 1, 1);
    assert.equal(gap.kind, "absent");
    for (const image of images) core.load(0, image);
    // All do not fit at once: a reader loads what it comes to.
    const indexes: number[] = [];
    for (let next = 0; next < 30; ) {
      const range = core.locate(0, next, 100, MIB);
      if (range.kind === "records") {
        const frames = readFrames(core, copyOf(core, range.address, range.byteLength));
        indexes.push(...frames.map(({ index }) => index));
        next = range.nextIndex;
      } else {
        const missing = images.find((image) => {
          const view = new DataView(image.buffer);
          return view.getBigUint64(40, true) <= next && next <= view.getBigUint64(48, true);
        });
        core.load(0, missing ?? assert.fail(`index ${next} is in an image`));
      }
    }
    assert.deepEqual(indexes, [...Array(30).keys()]);
    assert.isAtMost(core.memory().totalBytes, 4 * MIB + 8 * MIB);
  });

  it("evicts nothing for what would not fit even then", async () => {
    const core = await newCore(build, { arenaBytesMax: 64 * BLOCK_BYTES });
    addShards(core, 2);
    const low = { key: "k", data: testBytes(9), explicitHashKey: 0n };
    appendDurably(core, [low]);
    sealOldest(core);
    append(core, [{ ...low, explicitHashKey: HASH_KEY_MAX }]);
    // The dirty block lies behind the cached one: 62 blocks in a row are the most there can be.
    thrown(CoreMemoryError, () => core.load(0, new Uint8Array(62 * BLOCK_BYTES)));
    assert.equal(core.memory().cachedBytes, BLOCK_BYTES);
    thrown(DamagedSegmentError, () => core.load(0, new Uint8Array(61 * BLOCK_BYTES)));
    assert.equal(core.memory().cachedBytes, BLOCK_BYTES);
  });

  it("evicts and grows at once when only both together make room", async () => {
    const core = await newCore(build, { arenaBytesMax: 64 * BLOCK_BYTES });
    addShards(core, 1);
    appendDurably(core, someRecords(20, 50_000));
    while (core.memory().dirtyBytes > 0) sealOldest(core);
    thrown(DamagedSegmentError, () => core.load(0, new Uint8Array(63 * BLOCK_BYTES)));
    assert.equal(core.memory().freeBytes, 64 * BLOCK_BYTES);
    assert.isAbove(core.memory().totalBytes, 64 * BLOCK_BYTES);
  });

  it("answers for records that are not cached with where cached ones begin", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    appendDurably(core, someRecords(3, 10));
    sealOldest(core);
    core.trim(0, 3);
    assert.deepEqual(core.locate(0, 0, 1, 1), { kind: "absent", cachedFrom: 3 });
    assert.deepEqual(core.locate(0, 3, 1, 1), { kind: "end" });
    appendDurably(core, someRecords(3, 10), 2);
    assert.deepEqual(core.locate(0, 1, 1, 1), { kind: "absent", cachedFrom: 3 });
  });

  it("takes an image into a shard that came with its position only", async () => {
    const source = await newCore(build);
    addShards(source, 1);
    appendDurably(source, someRecords(9, 1_000), 4, 70_000);
    const image = sealOldest(source);
    const core = await newCore(build);
    addShards(core, 1, { nextIndex: 9, nextOrdinal: 2 });
    assert.deepEqual(core.locate(0, 0, 1, 1), { kind: "absent", cachedFrom: 9 });
    core.load(0, image);
    core.load(0, image);
    assert.deepEqual(readAll(core, 0), readAll(source, 0));
    assert.equal(core.position(0).durableMs, 70_000);
    assert.equal(core.memory().cachedBytes, 65_536, "the second time changed nothing");
  });

  it("refuses images that are damaged, foreign or not known, and keeps no memory for them", async () => {
    const core = await newCore(build);
    addShards(core, 2);
    appendDurably(core, someRecords(40, 10));
    const image = sealOldest(core);
    const free = core.memory().freeBytes;
    const rehashed = (change: (view: DataView) => void): Uint8Array => {
      const copy = image.slice();
      const view = new DataView(copy.buffer);
      change(view);
      view.setBigUint64(SEGMENT_HASH, imageHash(core, copy), true);
      return copy;
    };
    const other = await newCore(build);
    addShards(other, 1, { nextIndex: 900, nextOrdinal: 8 });
    appendDurably(other, someRecords(1, 10));
    const ahead = sealOldest(other);
    const bad: [string, Uint8Array][] = [
      ["empty", image.slice(0, 0)],
      ["short", image.slice(0, 100)],
      ["cut", image.slice(0, -8)],
      ["magic", rehashed((view) => view.setUint32(0, 1, true))],
      ["format", rehashed((view) => view.setUint16(4, 9, true))],
      ["header length", rehashed((view) => view.setUint16(6, 64, true))],
      ["incompatible feature", rehashed((view) => view.setUint32(12, 1, true))],
      ["encrypted", rehashed((view) => view.setUint32(SEGMENT_KEY_VERSION, 1, true))],
      ["codec", rehashed((view) => view.setUint32(SEGMENT_CODEC, 1, true))],
      ["shard", rehashed((view) => view.setUint32(SEGMENT_SHARD_UID, 101, true))],
      ["count", rehashed((view) => view.setUint32(88, 1, true))],
      ["first index", rehashed((view) => view.setBigUint64(40, 1n, true))],
      ["frame length", rehashed((view) => view.setUint32(128 + 8, 8, true))],
      ["records beyond the durable ones", ahead],
    ];
    for (const [what, bytes] of bad) {
      const error = thrown(DamagedSegmentError, () => core.load(0, bytes));
      assert.equal(error.code, "DamagedSegmentException", what);
    }
    for (let at = 0; at < image.length; at += 13) {
      const flipped = image.slice();
      flipped[at] = (flipped[at] ?? 0) ^ 16;
      thrown(DamagedSegmentError, () => core.load(0, flipped));
    }
    assert.equal(core.memory().freeBytes, free);
    assert.equal(new DataView(image.buffer).getBigUint64(SEGMENT_EPOCH, true), 7n);
  });

  it("says that there is no room for an image when all memory is dirty", async () => {
    const source = await newCore(build);
    addShards(source, 1);
    appendDurably(source, someRecords(4, 100_000));
    while (source.sealable(1).length === 0) source.roll(0);
    const image = sealOldest(source);
    const core = await newCore(build, { arenaBytesMax: 65_536 });
    addShards(core, 1, { nextIndex: 9 });
    append(core, someRecords(1, 100));
    thrown(CoreMemoryError, () => core.load(0, image));
  });
}

function replayTests(build: CoreBuild): void {
  it("replays runs into the same segments, and goes on where they end", async () => {
    const source = await newCore(build);
    const core = await newCore(build);
    addShards(source, 1);
    addShards(core, 1);
    for (let frame = 1; frame <= 12; frame++) {
      append(source, someRecords(7, 9_000), { nowMs: frame * 1_000 });
      for (const run of source.cut()) core.replay(0, run.ordinal, framesOf(source, run), frame);
      source.commit(frame);
      if (frame === 5) source.roll(0);
    }
    const seen = (one: Core) => [readAll(one, 0), one.position(0)];
    assert.deepEqual(seen(core), seen(source));
    for (const one of [source, core]) one.rollOlderThan(Number.POSITIVE_INFINITY);
    const segments = (one: Core) => one.sealable(99).map(({ segment: _, ...rest }) => rest);
    assert.deepEqual(segments(core), segments(source));
    assert.isAbove(segments(core).length, 1);
    appendDurably(core, someRecords(1, 10), 13);
    assert.equal(core.position(0).durableIndex, 85);
  });

  it("replays a run of more than 1 MiB into a segment that is partly there", async () => {
    const source = await newCore(build);
    const core = await newCore(build);
    addShards(source, 1);
    addShards(core, 1);
    append(source, someRecords(40, 60_000));
    for (const run of source.cut()) {
      const frames = framesOf(source, run);
      const first = new DataView(frames.buffer).getUint32(8, true);
      core.replay(0, run.ordinal, frames.subarray(0, first), 1);
      core.replay(0, run.ordinal, frames.subarray(first), 2);
    }
    source.commit(1);
    assert.deepEqual(readAll(core, 0), readAll(source, 0));
  });

  it("refuses to replay what does not verify or does not follow, and changes nothing", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    append(core, someRecords(3, 20));
    const frames = framesOf(core, core.cut()[0]);
    thrown(DamagedSegmentError, () => core.replay(0, 1, frames, 1));
    core.commit(1);
    thrown(DamagedSegmentError, () => core.replay(0, 1, frames, 1));
    thrown(DamagedSegmentError, () => core.replay(0, 2, frames, 1));
    core.removeShard(0);
    addShards(core, 1);
    for (let at = 0; at < frames.length; at += 1) {
      const flipped = frames.slice();
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      const padding = at % 72 >= FRAME_HEADER_BYTES + 5 + 20;
      if (!padding) thrown(DamagedSegmentError, () => core.replay(0, 1, flipped, 1));
      else assert.equal(frames[at], 0, "the rest is padding");
    }
    assert.equal(core.position(0).nextIndex, 0);
    core.replay(0, 4, frames, 1);
    thrown(DamagedSegmentError, () => core.replay(0, 3, frames, 1));
    assert.equal(core.position(0).nextOrdinal, 5);
    assert.equal(readAll(core, 0).length, 3);
  });

  it("finds the intact frames among damaged bytes, and only those", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    append(core, someRecords(9, 100), { nowMs: 4_000 });
    const frames = framesOf(core, core.cut()[0]);
    const size = frames.length / 9;
    const whole = { byteOffset: 0, byteLength: frames.length, recordCount: 9 };
    const times = { firstMs: 4_000, lastMs: 4_000 };
    assert.deepEqual(core.intactFrames(frames), [
      { ...whole, firstIndex: 0, lastIndex: 8, ...times },
    ]);
    const damaged = new Uint8Array(64 + frames.length + 40);
    damaged.set(testBytes(damaged.length));
    damaged.set(frames, 64);
    damaged[64 + 3 * size + 50] = (damaged[64 + 3 * size + 50] ?? 0) ^ 1;
    damaged.fill(0, 64 + 5 * size, 64 + 6 * size);
    const found = core.intactFrames(damaged);
    assert.deepEqual(
      found.map((one) => [one.byteOffset, one.recordCount, one.firstIndex, one.lastIndex]),
      [
        [64, 3, 0, 2],
        [64 + 4 * size, 1, 4, 4],
        [64 + 6 * size, 3, 6, 8],
      ],
    );
    assert.deepEqual(core.intactFrames(testBytes(100_000)), []);
    assert.deepEqual(core.intactFrames(new Uint8Array(0)), []);
    assert.deepEqual(core.intactFrames(new Uint8Array(2 * MIB)), []);
  });
}

/** The suite. */
export function storedSegmentSuite(build: CoreBuild): void {
  describe(`stored segments of the ${build.name} core`, () => {
    cacheTests(build);
    replayTests(build);
  });
}
