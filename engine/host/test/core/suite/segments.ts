/** From appended to durable to sealed. */
import {
  BLOCK_BYTES,
  SEGMENT_FIRST_WAL,
  SEGMENT_HASH,
  SEGMENT_LAST_WAL,
  SEGMENT_MAGIC,
  SEGMENT_SIZE_CLASS,
  SLACK_BYTES,
} from "@millrace/core/layout";
import { assert } from "chai";
import { InvalidArgumentError } from "../../../src/errors/index.ts";
import { type CoreBuild, newCore } from "./build.ts";
import {
  addShards,
  append,
  appendDurably,
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

function durabilityTests(build: CoreBuild): void {
  it("shows readers what is committed, and nothing of what is not", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    append(core, someRecords(3, 10));
    assert.deepEqual(core.locate(0, 0, 9, 9_999), { kind: "end" });
    const runs = core.cut();
    append(core, someRecords(2, 10));
    assert.deepEqual(core.locate(0, 0, 9, 9_999), { kind: "end" });
    core.commit(1);
    assert.equal(readAll(core, 0).length, 3);
    assert.deepEqual([runs.length, runs[0]?.recordCount, runs[0]?.bodyOffset], [1, 3, 0]);
    const [next] = core.cut();
    assert.deepEqual(
      [next?.firstIndex, next?.recordCount, next?.bodyOffset],
      [3, 2, runs[0]?.byteLength],
    );
    assert.deepEqual(core.position(0), {
      nextIndex: 5,
      durableIndex: 3,
      nextOrdinal: 2,
      durableMs: 1_000_000,
      provisional: true,
    });
  });

  it("knows whether anything was appended since the cut", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    assert.isFalse(core.hasProvisional());
    append(core, someRecords(1, 10));
    assert.isTrue(core.hasProvisional());
    core.cut();
    assert.isFalse(core.hasProvisional());
    thrown(InvalidArgumentError, () => core.cut());
    append(core, someRecords(1, 10));
    assert.isTrue(core.hasProvisional());
    core.commit(1);
    assert.isTrue(core.hasProvisional());
    core.rewind();
    assert.isFalse(core.hasProvisional());
    assert.deepEqual(core.cut(), []);
    assert.deepEqual(core.cut(), [], "a cut without runs is not in flight");
    core.commit(2);
    assert.equal(core.position(0).durableIndex, 1);
  });

  it("cuts what is appended again after a rewind, though it ends where the old cut did", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    appendDurably(core, someRecords(1, 10));
    append(core, someRecords(1, 10));
    core.cut();
    core.rewind();
    append(core, someRecords(1, 10));
    assert.isTrue(core.hasProvisional());
    assert.deepEqual(
      core.cut().map(({ firstIndex, recordCount }) => [firstIndex, recordCount]),
      [[1, 1]],
    );
  });

  it("does not count a WAL frame to a segment that got records after its cut only", async () => {
    const core = await newCore(build);
    addShards(core, 2);
    const low = { key: "k", data: testBytes(9), explicitHashKey: 0n };
    appendDurably(core, [low], 1);
    append(core, [{ ...low, explicitHashKey: HASH_KEY_MAX }]);
    core.cut();
    append(core, [low]);
    core.commit(2);
    core.rewind();
    core.roll(0);
    assert.deepEqual(
      core.sealable(9).map(({ firstFrame, lastFrame }) => [firstFrame, lastFrame]),
      [[1, 1]],
    );
  });

  it("rewinds to the durable mark inside a segment that was rolled since, and opens it again", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    appendDurably(core, someRecords(2, 100));
    append(core, someRecords(2, 100));
    core.cut();
    core.roll(0);
    append(core, someRecords(300, 1_000));
    core.rewind();
    assert.equal(core.position(0).nextIndex, 2);
    assert.equal(core.position(0).nextOrdinal, 2);
    assert.deepEqual(core.sealable(9), []);
    append(core, someRecords(1, 5));
    const [run] = core.cut();
    assert.deepEqual([run?.ordinal, run?.firstIndex], [1, 2]);
    core.commit(2);
    assert.equal(readAll(core, 0).length, 3);
    assert.equal(core.memory().dirtyBytes, 65_536);
  });

  it("keeps a segment closed that was rolled when all of it was durable", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    appendDurably(core, someRecords(2, 100));
    core.roll(0);
    append(core, someRecords(2, 100));
    core.rewind();
    append(core, someRecords(1, 100));
    assert.equal(core.cut()[0]?.ordinal, 2);
    assert.equal(core.sealable(9).length, 1);
  });

  it("gives no index below a raised one, even after a rewind", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    appendDurably(core, someRecords(2, 10));
    append(core, someRecords(1, 10));
    core.raiseNextIndex(0, 1_000);
    core.raiseNextIndex(0, 50);
    append(core, someRecords(1, 10));
    assert.equal(core.appendRow(0).index, 1_000);
    core.rewind();
    appendDurably(core, someRecords(1, 10), 2);
    assert.deepEqual(
      readAll(core, 0).map(({ index }) => index),
      [0, 1, 1_000],
    );
    assert.equal(core.position(0).nextIndex, 1_001);
  });

  it("forgets a removed shard that had records in the cut, and uses its slot again", async () => {
    const core = await newCore(build);
    addShards(core, 2);
    append(core, someRecords(20, 10));
    core.cut();
    core.removeShard(0);
    core.commit(1);
    assert.isAbove(core.position(1).durableIndex, 0);
    core.removeShard(1);
    assert.equal(core.memory().dirtyBytes, 0);
    addShards(core, 1);
    appendDurably(core, someRecords(4, 10), 2);
    assert.equal(readAll(core, 0).length, 4);
  });
}

function sealingTests(build: CoreBuild): void {
  it("lists closed, durable segments, oldest first, until they are taken", async () => {
    const core = await newCore(build);
    addShards(core, 2);
    for (const frame of [11, 12, 13]) {
      appendDurably(core, someRecords(20, 10), frame, frame * 1_000);
      assert.equal(core.rollOlderThan(frame * 1_000), 0, "not older");
      assert.equal(core.rollOlderThan(frame * 1_000 + 1), 2);
    }
    append(core, someRecords(20, 10));
    core.rollOlderThan(Number.POSITIVE_INFINITY);
    const found = core.sealable(9);
    assert.deepEqual(
      found.map((one) => [one.firstFrame, one.slot, one.ordinal]),
      [11, 12, 13].flatMap((frame) => [0, 1].map((slot) => [frame, slot, frame - 10])),
    );
    assert.equal(core.sealable(2).length, 2);
    const first = found[0]?.segment ?? 0;
    core.seal(first, { epoch: 1 });
    assert.equal(core.sealable(9).length, 5);
    core.unseal(first);
    assert.equal(core.sealable(9)[0]?.segment, first);
    thrown(InvalidArgumentError, () => core.declare(first));
    thrown(InvalidArgumentError, () => core.seal(999, { epoch: 1 }));
    thrown(InvalidArgumentError, () => core.seal(0, { epoch: 1 }));
  });

  it("seals an image that follows the layout", async () => {
    const core = await newCore(build);
    addShards(core, 1, { nextIndex: 30, nextOrdinal: 5 });
    appendDurably(core, someRecords(3, 100), 21, 5_000);
    appendDurably(core, someRecords(2, 50), 23, 6_000);
    const image = sealOldest(core);
    const view = new DataView(image.buffer);
    const u64 = (at: number): number => Number(view.getBigUint64(at, true));
    assert.equal(view.getUint32(0, true), SEGMENT_MAGIC);
    assert.deepEqual([view.getUint16(4, true), view.getUint16(6, true)], [1, 128]);
    assert.deepEqual(
      [16, 20].map((at) => view.getUint32(at, true)),
      [1, 100],
    );
    assert.deepEqual([24, 32, 40, 48].map(u64), [5, 7, 30, 34]);
    assert.deepEqual(
      [56, 64].map((at) => view.getFloat64(at, true)),
      [5_000, 6_000],
    );
    assert.deepEqual([SEGMENT_FIRST_WAL, SEGMENT_LAST_WAL].map(u64), [21, 23]);
    assert.deepEqual(
      [88, 92, 96, 100].map((at) => view.getUint32(at, true)),
      [5, 0, 1, 0],
    );
    assert.equal(u64(104), image.byteLength - 128);
    assert.equal(view.getBigUint64(SEGMENT_HASH, true), imageHash(core, image));
    assert.deepEqual(readFrames(core, image.subarray(128)), readAll(core, 0, 30));
  });

  it("keeps the slack behind the frames of a full segment free", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    const smallest = someRecords(9, 0).map((record) => ({ ...record, key: "k" }));
    for (let i = 0; i < 400; i++) append(core, smallest);
    core.cut();
    core.commit(1);
    const [first] = core.sealable(1);
    const image = new DataView(core.seal(first?.segment ?? 0, { epoch: 1 }));
    const capacity = image.getUint32(SEGMENT_SIZE_CLASS, true) * BLOCK_BYTES - SLACK_BYTES;
    assert.isAtMost(image.byteLength, capacity);
    assert.isAbove(image.byteLength, capacity - 48, "it was full");
  });

  it("does not seal what is not durable", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    append(core, someRecords(1, 10));
    core.roll(0);
    assert.deepEqual(core.sealable(9), []);
    thrown(InvalidArgumentError, () => core.seal(1, { epoch: 1 }));
    core.cut();
    core.commit(1);
    assert.equal(core.sealable(9).length, 1);
  });

  it("tells dirty memory from cached", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    appendDurably(core, someRecords(1, 10));
    sealOldest(core, false);
    assert.deepEqual([core.memory().dirtyBytes, core.memory().cachedBytes], [65_536, 0]);
    core.unseal(1);
    sealOldest(core);
    assert.deepEqual([core.memory().dirtyBytes, core.memory().cachedBytes], [0, 65_536]);
    assert.equal(core.memory().freeBytes, 32 * MIB - 65_536);
  });

  it("drops trimmed segments, and neither the open one nor one that is being stored", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    for (const frame of [1, 2, 3]) {
      appendDurably(core, someRecords(2, 10), frame);
      if (frame < 3) core.roll(0);
    }
    const first = core.sealable(1)[0]?.segment ?? 0;
    core.seal(first, { epoch: 1 });
    core.trim(0, 1_000);
    core.declare(first);
    assert.deepEqual(
      readAll(core, 0).map(({ index }) => index),
      [0, 1, 4, 5],
    );
    core.trim(0, 1);
    assert.equal(readAll(core, 0).length, 4, "a segment that reaches further stays");
    core.trim(0, 2);
    assert.deepEqual(core.locate(0, 0, 9, 999), { kind: "absent", cachedFrom: 4 });
  });
}

/** The suite. */
export function segmentSuite(build: CoreBuild): void {
  describe(`durability and segments of the ${build.name} core`, () => {
    durabilityTests(build);
    sealingTests(build);
  });
}
