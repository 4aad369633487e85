/** Reads by index and by time, and the read quotas. */
import { assert } from "chai";
import { Core } from "../../../src/core/core.ts";
import { CoreModuleError, CoreTrapError } from "../../../src/core/core-errors.ts";
import { CoreInstance } from "../../../src/core/core-instance.ts";
import { InvalidArgumentError } from "../../../src/errors/index.ts";
import { type CoreBuild, newCore, SMALL_OPTIONS } from "./build.ts";
import { addShards, append, appendDurably, readAll, someRecords, thrown } from "./support.ts";

const MIB = 1_048_576;

function readTests(build: CoreBuild): void {
  it("reads from any index, as many records and bytes as asked for, and at least one", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    appendDurably(core, someRecords(20, 48));
    const all = readAll(core, 0);
    const frame = 96;
    for (let from = 0; from < 20; from++) {
      assert.deepEqual(readAll(core, 0, from), all.slice(from));
      for (const [records, bytes, expected] of [
        [3, 10_000, 3],
        [100, frame * 2, 2],
        [100, frame * 2 - 1, 1],
        [0, 0, 1],
      ] as const) {
        const range = core.locate(0, from, records, bytes);
        if (range.kind !== "records") return assert.fail("records are there");
        assert.equal(range.recordCount, Math.min(expected, 20 - from));
        assert.equal(range.nextIndex, from + range.recordCount);
      }
    }
    assert.deepEqual(core.locate(0, 20, 1, 1), { kind: "end" });
    assert.deepEqual(core.locate(0, Number.MAX_SAFE_INTEGER, 1, 1), { kind: "end" });
    thrown(InvalidArgumentError, () => core.locate(0, -1, 1, 1));
    thrown(InvalidArgumentError, () => core.locate(5, 0, 1, 1));
  });

  it("goes over a raised index without a stop, as no record can be there", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    appendDurably(core, someRecords(2, 10));
    core.raiseNextIndex(0, 100);
    appendDurably(core, someRecords(2, 10), 2);
    const range = core.locate(0, 2, 10, MIB);
    assert.deepEqual([range.kind, range.kind === "records" && range.nextIndex], ["records", 102]);
    assert.deepEqual(
      readAll(core, 0, 50).map(({ index }) => index),
      [100, 101],
    );
  });

  it("finds the first record at or after a time, also when the clock went backwards", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    for (const [i, nowMs] of [1_000, 2_000, 2_000, 5_000, 3_000, 6_000].entries()) {
      appendDurably(core, someRecords(1, 10), i + 1, nowMs);
      if (i === 2 || i === 4) core.roll(0);
    }
    append(core, someRecords(1, 10), { nowMs: 9_000 });
    const wanted = new Map([
      [0, 0],
      [1_000, 0],
      [1_001, 1],
      [2_000, 1],
      [2_001, 3],
      [5_000, 3],
      [5_001, 5],
    ]);
    for (const [timeMs, index] of wanted) assert.equal(core.indexAtTime(0, timeMs), index);
    assert.isUndefined(core.indexAtTime(0, 6_001), "what is not durable does not count");
  });
}

function quotaTests(build: CoreBuild): void {
  it("admits five reads per second", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    for (let i = 0; i < 5; i++) assert.equal(core.admitRead(0, 1_000_000), 0);
    assert.equal(core.admitRead(0, 1_000_000), 200);
    assert.equal(core.admitRead(0, 1_000_199), 1);
    assert.equal(core.admitRead(0, 1_000_200), 0);
    assert.equal(core.admitRead(0, 900_000), 200, "the clock going back refills nothing");
    assert.equal(core.admitRead(0, 900_200), 0);
  });

  it("pauses for 5 s after a read of 10 MiB, and in proportion after smaller ones", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    assert.equal(core.admitRead(0, 1_000_000), 0);
    core.chargeRead(0, 10 * MIB, 1_000_000);
    assert.equal(core.admitRead(0, 1_000_000), 5_000);
    assert.equal(core.admitRead(0, 1_004_999), 1);
    assert.equal(core.admitRead(0, 1_005_000), 0);
    core.chargeRead(0, 3 * MIB, 1_005_000);
    assert.equal(core.admitRead(0, 1_005_000), 1_500);
    assert.equal(core.admitRead(0, 1_010_000), 0);
    core.chargeRead(0, MIB, 1_010_000);
    assert.equal(core.admitRead(0, 1_010_000), 0, "half of the tank is left");
  });

  it("does not give more than 2 MiB per second in the long run", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    let bytes = 0;
    let nowMs = 1_000_000;
    while (nowMs < 1_100_000) {
      const waitMs = core.admitRead(0, nowMs);
      nowMs += waitMs;
      if (waitMs !== 0) continue;
      core.chargeRead(0, 700_000, nowMs);
      bytes += 700_000;
    }
    assert.approximately(bytes / (100 * 2 * MIB), 1, 0.03);
  });
}

function trapTests(build: CoreBuild): void {
  it("throws a typed error when the core traps, and from then on", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    const error = thrown(CoreTrapError, () => core.hashMemory(0xffff_fff0, 1_000));
    assert.equal(error.code, "InternalFailureException");
    assert.match(error.message, /xxh64Update/);
    assert.isDefined(error.cause);
    assert.equal(
      thrown(CoreTrapError, () => core.position(0)),
      error,
    );
  });

  it("says in the debug build which assertion failed and where", async () => {
    const core = await CoreInstance.instantiate(build.module);
    core.exports.init(1, 1, 16);
    core.exports.reserveRun(10);
    const reserveAgain = (): number => core.exports.reserveRun(10);
    if (build.name !== "debug") return assert.isAbove(reserveAgain() >>> 0, 0);
    const { message } = thrown(CoreTrapError, reserveAgain);
    assert.match(message, /one input at a time at .*input\.ts:[0-9]+:[0-9]+/);
  });

  it("throws a typed error for what is no Wasm module, or another one", async () => {
    const emptyModule = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
    for (const source of [new Uint8Array(10), new Uint8Array(0), emptyModule]) {
      const error = await Core.instantiate(source, SMALL_OPTIONS).catch((cause: unknown) => cause);
      assert.instanceOf(error, CoreModuleError);
    }
  });

  it("names the option that is out of range", async () => {
    for (const options of [
      { shardSlotsMax: 0 },
      { routesMax: 70_000 },
      { arenaBytesMax: 65_535 },
    ]) {
      const error = await newCore(build, options).catch((cause: unknown) => cause);
      assert.instanceOf(error, InvalidArgumentError);
      assert.include(Object.keys(options), (error as InvalidArgumentError).argument);
    }
  });
}

/** The suite. */
export function readingSuite(build: CoreBuild): void {
  describe(`reads of the ${build.name} core`, () => {
    readTests(build);
    quotaTests(build);
    trapTests(build);
  });
}
