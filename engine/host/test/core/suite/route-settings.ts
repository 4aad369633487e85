/** Quotas of a whole route, records that are spread, and injected faults. */
import {
  RECORD_BYTES_MAX,
  RESULT_HEADER_BYTES,
  STATUS_BYTE_RATE,
  STATUS_FAULT,
  STATUS_OK,
  STATUS_ORDER,
  STATUS_RECORD_RATE,
  STATUS_STREAM_BYTE_RATE,
  STATUS_STREAM_RECORD_RATE,
} from "@millrace/core/layout";
import { assert } from "chai";
import type { Core } from "../../../src/core/core.ts";
import { MalformedBatchError } from "../../../src/core/core-errors.ts";
import { InvalidArgumentError } from "../../../src/errors/index.ts";
import { type CoreBuild, newCore } from "./build.ts";
import {
  addShards,
  append,
  HASH_KEY_MAX,
  packBatch,
  readAll,
  sealOldest,
  someRecords,
  statuses,
  type TestRecord,
  testBytes,
  thrown,
} from "./support.ts";

const MIB = 1_048_576;
const NOW_MS = 1_000_000;
const NO_QUOTA = { quota: null, spread: false };
const QUOTA = { recordsPerSecond: 4_000, bytesPerSecond: 4 * MIB };

const small = someRecords(4_001, 1);
const large = (count: number): TestRecord[] => {
  return Array.from({ length: count }, () => ({ key: "k", data: testBytes(MIB - 1) }));
};

function slots(core: Core, count: number): number[] {
  return Array.from({ length: count }, (_, i) => core.appendRow(i).slot);
}

function retryAfterMs(core: Core, nowMs = NOW_MS): number {
  const result = core.packResult(nowMs, (slot) => ({ shardIndex: slot, createdSeconds: 0 }));
  return new DataView(result).getUint32(RESULT_HEADER_BYTES + 4, true);
}

function quotaTests(build: CoreBuild): void {
  const quotaCore = async (quota = QUOTA): Promise<Core> => {
    const core = await newCore(build, { arenaBytesMax: 64 * MIB });
    addShards(core, 4);
    core.setRouteSettings(0, { quota, spread: false });
    return core;
  };

  it("takes as many records per second as the route may, whatever the shard", async () => {
    const core = await quotaCore();
    const toOne = small.map((record) => ({ ...record, explicitHashKey: 0n }));
    assert.equal(append(core, toOne).refusedCount, 1);
    assert.deepEqual(core.appendRow(4_000), {
      slot: 0,
      status: STATUS_STREAM_RECORD_RATE,
      index: 4_000,
    });
    assert.equal(retryAfterMs(core), 1);
    assert.equal(append(core, small.slice(0, 41), { nowMs: NOW_MS + 10 }).refusedCount, 1);
    assert.equal(append(core, small, { nowMs: NOW_MS + 60_000 }).refusedCount, 1, "a tank of 1 s");
  });

  it("takes 10 MiB at once, then bytes at the route's rate", async () => {
    const core = await quotaCore();
    assert.equal(append(core, large(10)).refusedCount, 0);
    assert.equal(append(core, large(1)).refusedCount, 1);
    const { status, index } = core.appendRow(0);
    assert.deepEqual([status, index], [STATUS_STREAM_BYTE_RATE, 4 * MIB]);
    assert.equal(retryAfterMs(core), 250);
    assert.equal(append(core, large(1), { nowMs: NOW_MS + 249 }).refusedCount, 1);
    assert.equal(append(core, large(1), { nowMs: NOW_MS + 250 }).refusedCount, 0);
  });

  it("has a tank of one second when that is more than 10 MiB", async () => {
    const core = await quotaCore({ recordsPerSecond: 20_000, bytesPerSecond: 20 * MIB });
    for (let i = 0; i < 2; i++) assert.equal(append(core, large(10)).refusedCount, 0);
    assert.equal(append(core, large(1)).refusedCount, 1);
  });

  it("is one of two quotas: the shard's own is said first, and a retry waits for both", async () => {
    const core = await quotaCore({ recordsPerSecond: 2_000, bytesPerSecond: 2 * MIB });
    for (const slot of [0, 1]) core.setWriteQuotas(slot, true);
    const to = (slot: bigint, count: number): TestRecord[] =>
      small.slice(0, count).map((one) => ({ ...one, explicitHashKey: slot << 126n }));
    assert.equal(append(core, to(0n, 1_001)).refusedCount, 1);
    assert.equal(core.appendRow(1_000).status, STATUS_RECORD_RATE);
    assert.equal(append(core, to(1n, 1_000)).refusedCount, 0);
    assert.equal(append(core, to(2n, 1)).refusedCount, 1, "no quota of its own");
    assert.equal(core.appendRow(0).status, STATUS_STREAM_RECORD_RATE);
    assert.deepEqual(
      [0, 2].map((slot) => core.writeRetryAfterMs(slot, 1, NOW_MS)),
      [1, 1],
    );
    append(core, large(10), { nowMs: NOW_MS + 60_000 });
    const waits = [0, 2].map((slot) => core.writeRetryAfterMs(slot, 2 * MIB, NOW_MS + 60_000));
    assert.deepEqual(waits, [1_000, 1_000]);
    core.setRouteSettings(0, NO_QUOTA);
    assert.equal(core.writeRetryAfterMs(2, 2 * MIB, NOW_MS + 60_000), 0);
  });

  it("says how long to wait so that the wait is enough and a millisecond less is not", async () => {
    const core = await quotaCore({ recordsPerSecond: 5_000, bytesPerSecond: 3_000_000 });
    for (const slot of [0, 1, 2, 3]) core.setWriteQuotas(slot, true);
    let nowMs = 1_700_000_000_123;
    append(core, [{ key: "k", data: testBytes(RECORD_BYTES_MAX - 1) }], { nowMs });
    for (let length = 5_000; length < 5_000_000; length = length * 3 + 1) {
      // Alternating shards: now the shard's quota, now the route's is the tighter one.
      for (const explicitHashKey of [0n, HASH_KEY_MAX]) {
        const record = { key: "k", data: testBytes(length), explicitHashKey };
        if (append(core, [record], { nowMs }).refusedCount === 0) continue;
        const waitMs = retryAfterMs(core, nowMs);
        assert.isAbove(waitMs, 0);
        assert.equal(append(core, [record], { nowMs: nowMs + waitMs - 1 }).refusedCount, 1);
        assert.equal(append(core, [record], { nowMs: nowMs + waitMs }).refusedCount, 0);
        nowMs += waitMs;
      }
    }
  });

  it("keeps its level when it changes, up to the new size, and begins full when it is new", async () => {
    const core = await quotaCore();
    append(core, small.slice(0, 3_000));
    core.setRouteSettings(0, { quota: { ...QUOTA, recordsPerSecond: 8_000 }, spread: false });
    assert.equal(append(core, small).refusedCount, 3_001);
    core.setRouteSettings(0, NO_QUOTA);
    assert.equal(append(core, small).refusedCount, 0);
    core.setRouteSettings(0, { quota: QUOTA, spread: false });
    core.setRouteSettings(0, { quota: { ...QUOTA, recordsPerSecond: 100 }, spread: false });
    assert.equal(append(core, small).refusedCount, 3_901);
  });

  it("takes nothing for what is refused, and gives nothing back for what is rewound", async () => {
    const core = await quotaCore();
    for (let i = 0; i < 3; i++) append(core, small);
    assert.equal(append(core, small, { nowMs: NOW_MS + 1_000 }).refusedCount, 1);
    core.rewind();
    assert.equal(append(core, small, { nowMs: NOW_MS + 1_500 }).refusedCount, 2_001);
  });

  it("is overdrawn by a batch that may, and so is the shard's own; others wait for both", async () => {
    const core = await newCore(build, { arenaBytesMax: 64 * MIB });
    addShards(core, 1, { writeQuotas: true });
    core.setRouteSettings(0, { quota: QUOTA, spread: false });
    const batch = packBatch(small.slice(0, 2_500), true);
    const settings = { route: 0, nowMs: NOW_MS, recordBytesMax: RECORD_BYTES_MAX };
    for (let i = 0; i < 2; i++) {
      assert.equal(core.append(batch, { ...settings, overdraws: true }).refusedCount, 0);
    }
    // 5,000 records of 1,000 per second, and of 4,000 on the route: the debts are paid first.
    assert.equal(core.writeRetryAfterMs(0, 1, NOW_MS), 4_001);
    assert.equal(append(core, small.slice(0, 1)).refusedCount, 1);
    assert.equal(append(core, small.slice(0, 1), { nowMs: NOW_MS + 4_000 }).refusedCount, 1);
    assert.equal(append(core, small.slice(0, 1), { nowMs: NOW_MS + 4_001 }).refusedCount, 0);
    // What is too large is refused as ever, and takes nothing.
    const large = packBatch([{ key: "k", data: testBytes(100) }], true);
    thrown(MalformedBatchError, () =>
      core.append(large, { ...settings, recordBytesMax: 50, overdraws: true }),
    );
    // Taken back, the shard owes nothing more.
    core.rewind();
    assert.equal(core.writeRetryAfterMs(0, 1, NOW_MS + 60_000), 0);
  });

  it("outlives a change of the route's shards, and goes with the last of them", async () => {
    const core = await quotaCore();
    append(core, small.slice(0, 3_999));
    core.setRoutes(0, [3, 2, 1, 0]);
    assert.equal(append(core, small.slice(0, 2)).refusedCount, 1);
    core.setRoutes(0, []);
    core.setRoutes(0, [0, 1, 2, 3]);
    assert.equal(append(core, small).refusedCount, 0);
    core.setRouteSettings(0, { quota: QUOTA, spread: false });
    core.removeShard(0);
    core.removeShard(1);
    core.removeShard(2);
    core.removeShard(3);
    addShards(core, 4);
    assert.equal(append(core, small).refusedCount, 0);
  });

  it("refuses quotas of less than 1 and routes without shards", async () => {
    const core = await quotaCore();
    for (const bad of [{ recordsPerSecond: 0 }, { bytesPerSecond: 0.5 }]) {
      const settings = { quota: { ...QUOTA, ...bad }, spread: false };
      const error = thrown(InvalidArgumentError, () => core.setRouteSettings(0, settings));
      assert.equal(error.argument, Object.keys(bad)[0]);
    }
    thrown(InvalidArgumentError, () => core.setRouteSettings(1, NO_QUOTA));
    thrown(InvalidArgumentError, () => core.setWriteQuotas(9, true));
  });

  it("enforces a shard's own quotas from when it is told to until it is told not to", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    assert.equal(append(core, small).refusedCount, 0);
    core.setWriteQuotas(0, true);
    assert.equal(append(core, small).refusedCount, 3_001, "its tank was not touched");
    core.setWriteQuotas(0, false);
    assert.equal(append(core, small).refusedCount, 0);
    assert.equal(core.writeRetryAfterMs(0, MIB, NOW_MS), 0);
  });
}

function spreadTests(build: CoreBuild): void {
  const spreadCore = async (): Promise<Core> => {
    const core = await newCore(build);
    addShards(core, 3);
    core.setRouteSettings(0, { quota: null, spread: true });
    return core;
  };
  const keyless = (count: number): TestRecord[] =>
    Array.from({ length: count }, (_, i) => ({ key: "", data: testBytes(i, i) }));

  it("sends records to every shard in turn, whatever their keys, across batches", async () => {
    const core = await spreadCore();
    const same = { key: "k", data: testBytes(3), explicitHashKey: 0n };
    append(core, [same, same, same, same]);
    assert.deepEqual(slots(core, 4), [0, 1, 2, 0]);
    append(core, keyless(3));
    assert.deepEqual(slots(core, 3), [1, 2, 0]);
    core.setRouteSettings(0, NO_QUOTA);
    append(core, [same, same]);
    assert.deepEqual(slots(core, 2), [0, 0]);
  });

  it("goes on in turn when the route has other shards", async () => {
    const core = await spreadCore();
    append(core, keyless(2));
    core.addShard({
      slot: 5,
      streamUid: 1,
      shardUid: 105,
      startingHashKey: 0n,
      endingHashKey: HASH_KEY_MAX,
      nextIndex: 0,
      nextOrdinal: 1,
      writeQuotas: false,
    });
    core.setRoutes(0, [5]);
    append(core, keyless(2));
    assert.deepEqual(slots(core, 2), [5, 5]);
    core.setRoutes(0, [0, 1, 2]);
    append(core, keyless(6));
    assert.deepEqual(slots(core, 6).sort(), [0, 0, 1, 1, 2, 2]);
  });

  it("takes records without a key, and reads, seals, loads and replays them", async () => {
    const core = await spreadCore();
    const records = keyless(9);
    append(core, records);
    const [run] = core.cut();
    if (run === undefined) return assert.fail("there is a run");
    const frames = core.view(run.address, run.byteLength).slice();
    core.commit(1);
    const wanted = [0, 3, 6].map((i) => records[i]?.data);
    const datas = (from: Core): Uint8Array[] => readAll(from, 0).map(({ data }) => data);
    assert.deepEqual(datas(core), wanted);
    const image = sealOldest(core);
    for (const load of [true, false]) {
      const other = await newCore(build);
      addShards(other, 1, load ? { nextIndex: 3, nextOrdinal: 2 } : {});
      if (load) other.load(0, image);
      else other.replay(0, 1, frames, 1);
      assert.deepEqual(datas(other), wanted);
    }
    assert.equal(core.intactFrames(frames)[0]?.recordCount, 3);
  });

  it("still refuses records without a key where they are not spread", async () => {
    const core = await spreadCore();
    core.setRouteSettings(0, NO_QUOTA);
    const error = thrown(MalformedBatchError, () => append(core, keyless(1)));
    assert.equal(error.argument, "records[0].partitionKey");
    assert.isFalse(core.hasProvisional());
  });
}

function faultTests(build: CoreBuild): void {
  const high = 1n << 127n;
  const to = (hashKey: bigint, fault = false): TestRecord => {
    return { key: "k", data: testBytes(9), explicitHashKey: hashKey, fault };
  };

  it("refuses records with a fault, and in an ordered batch what follows in their shard", async () => {
    const core = await newCore(build);
    addShards(core, 2);
    const batch = [to(0n), to(0n, true), to(high), to(0n), to(0n, true), to(high)];
    assert.equal(append(core, batch, { ordered: true }).refusedCount, 3);
    const [ok, fault, order] = [STATUS_OK, STATUS_FAULT, STATUS_ORDER];
    assert.deepEqual(statuses(core, 6), [ok, fault, ok, order, order, ok]);
    assert.equal(append(core, batch).refusedCount, 2);
    assert.deepEqual(statuses(core, 6), [ok, fault, ok, ok, fault, ok]);
    assert.deepEqual(core.appendRow(1), { slot: 0, status: STATUS_FAULT, index: 0 });
    core.cut();
    core.commit(1);
    assert.equal(readAll(core, 0).length, 3);
  });

  it("takes no tokens for a fault, and advises a retry for a quota rather than for a fault", async () => {
    const core = await newCore(build);
    addShards(core, 1, { writeQuotas: true });
    append(
      core,
      Array.from({ length: 2_000 }, () => to(0n, true)),
    );
    assert.equal(retryAfterMs(core), 0);
    assert.equal(core.writeRetryAfterMs(0, 10 * MIB, NOW_MS), 0);
    append(core, large(9));
    append(core, [to(0n, true), ...large(2)]);
    assert.deepEqual(statuses(core, 3), [STATUS_FAULT, STATUS_OK, STATUS_BYTE_RATE]);
    assert.equal(retryAfterMs(core), 1_000);
  });
}

/** The suite. */
export function routeSettingsSuite(build: CoreBuild): void {
  describe(`the quota of a route of the ${build.name} core`, () => {
    quotaTests(build);
  });
  describe(`spreading by the ${build.name} core`, () => {
    spreadTests(build);
  });
  describe(`injected faults in the ${build.name} core`, () => {
    faultTests(build);
  });
}
