/** The model of on-demand capacity: peaks, targets, growth and shards, by numbers alone. */
import { assert } from "chai";
import fc from "fast-check";
import type { WriteCapacity } from "../../src/log/control-records.ts";
import {
  adjusted,
  boundedCapacity,
  type CapacityHistory,
  countedLoad,
  historyOfShards,
  NO_HISTORY,
  nextExpiryMs,
  ON_DEMAND_CAPACITY_MIN,
  observe,
  PEAK_AGE_MS_MAX,
  peakOf,
  shardCountFor,
  shardsNeeded,
  targetCapacity,
} from "../../src/streams/capacity.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const MIB = 1_048_576;
const START_MS = Date.UTC(2026, 0, 1);

function load(recordsPerSecond: number, bytesPerSecond = 0): WriteCapacity {
  return { recordsPerSecond, bytesPerSecond };
}

describe("the capacity of an on-demand stream", () => {
  it("is 4,000 records and 4 MiB per second at the start", () => {
    assert.deepEqual(targetCapacity(NO_HISTORY, START_MS, 0), load(4_000, 4 * MIB));
    assert.equal(shardCountFor(ON_DEMAND_CAPACITY_MIN, 0, 500), 4);
  });

  it("is twice the highest load of the last 30 days, records and bytes each by themselves", () => {
    let history = observe(NO_HISTORY, START_MS, load(5_000, MIB));
    history = observe(history, START_MS + HOUR_MS, load(100, 30 * MIB));
    history = observe(history, START_MS + 2 * HOUR_MS, load(3_000, 20 * MIB));
    assert.deepEqual(targetCapacity(history, START_MS + 3 * HOUR_MS, 0), load(10_000, 60 * MIB));
  });

  it("keeps a peak for 30 days and no more than an hour longer", () => {
    const history = observe(NO_HISTORY, START_MS, load(9_000));
    assert.equal(peakOf(history, START_MS + PEAK_AGE_MS_MAX).recordsPerSecond, 9_000);
    const waitMs = nextExpiryMs(history, START_MS);
    assert.equal(waitMs, PEAK_AGE_MS_MAX + HOUR_MS);
    assert.equal(peakOf(history, START_MS + PEAK_AGE_MS_MAX + HOUR_MS).recordsPerSecond, 0);
    const later = observe(history, START_MS + PEAK_AGE_MS_MAX + HOUR_MS, load(0));
    assert.deepEqual(later, NO_HISTORY);
    assert.isUndefined(nextExpiryMs(later, START_MS));
  });

  it("is never less than the warm throughput", () => {
    assert.deepEqual(targetCapacity(NO_HISTORY, START_MS, 100), load(100_000, 100 * MIB));
    const history = observe(NO_HISTORY, START_MS, load(80_000));
    assert.deepEqual(targetCapacity(history, START_MS, 100), load(160_000, 100 * MIB));
  });

  it("has the same peaks as a list of all observations, whatever they are", () => {
    const observation = fc.record({
      afterMs: fc.oneof(fc.nat({ max: 30 * MINUTE_MS }), fc.nat({ max: 12 * 24 * HOUR_MS })),
      records: fc.nat({ max: 50_000 }),
      bytes: fc.nat({ max: 50 * MIB }),
    });
    const property = fc.property(fc.array(observation, { maxLength: 60 }), (observations) => {
      let history: CapacityHistory = NO_HISTORY;
      let nowMs = START_MS;
      const all: { atMs: number; records: number; bytes: number }[] = [];
      for (const { afterMs, records, bytes } of observations) {
        nowMs += afterMs;
        all.push({ atMs: nowMs, records, bytes });
        history = observe(history, nowMs, load(records, bytes));
        const target = targetCapacity(history, nowMs, 0);
        const within = (ageMs: number) => all.filter(({ atMs }) => atMs > nowMs - ageMs);
        const least = within(PEAK_AGE_MS_MAX);
        const most = within(PEAK_AGE_MS_MAX + HOUR_MS);
        for (const [of, start, wanted] of [
          ["records", 4_000, target.recordsPerSecond],
          ["bytes", 4 * MIB, target.bytesPerSecond],
        ] as const) {
          assert.isAtLeast(wanted, Math.max(start, ...least.map((one) => one[of] * 2)));
          assert.isAtMost(wanted, Math.max(start, ...most.map((one) => one[of] * 2)));
        }
        const hours = history.peaks.map(([hour]) => hour);
        assert.deepEqual(
          hours,
          [...new Set(hours)].sort((a, b) => a - b),
        );
        assert.isAtMost(hours.length, 30 * 24 + 1);
      }
      assert.deepEqual(JSON.parse(JSON.stringify(history)), history);
    });
    fc.assert(property, { numRuns: 200 });
  });

  it("stays the same object when an observation changes nothing", () => {
    const history = observe(NO_HISTORY, START_MS, load(5_000));
    assert.strictEqual(observe(history, START_MS + MINUTE_MS, load(4_000)), history);
    assert.strictEqual(observe(history, START_MS + HOUR_MS, load(2_000)), history);
    assert.strictEqual(observe(NO_HISTORY, START_MS, load(2_000, 2 * MIB)), NO_HISTORY);
  });

  it("counts a clock that goes back as the newest hour", () => {
    const history = observe(NO_HISTORY, START_MS + 5 * HOUR_MS, load(5_000));
    const back = observe(history, START_MS, load(6_000));
    assert.deepEqual(
      back.peaks.map(([, records]) => records),
      [6_000],
    );
    assert.equal(back.peaks[0]?.[0], history.peaks[0]?.[0]);
  });

  it("reaches twice any load that 500 shards can take within 15 minutes", () => {
    for (const offered of [4_001, 5_000, 10_000, 100_000, 249_999]) {
      let capacity: WriteCapacity = ON_DEMAND_CAPACITY_MIN;
      let history: CapacityHistory = NO_HISTORY;
      let minutes = 0;
      while (capacity.recordsPerSecond < offered * 2) {
        minutes++;
        const nowMs = START_MS + minutes * MINUTE_MS;
        history = observe(history, nowMs, countedLoad(load(offered, 0), capacity));
        capacity = adjusted(capacity, targetCapacity(history, nowMs, 0));
        assert.isAtMost(minutes, 14, `${offered} records per second`);
      }
      assert.equal(capacity.recordsPerSecond, offered * 2);
    }
  });

  it("does not take what is refused and offered again for demand", () => {
    const capacity = ON_DEMAND_CAPACITY_MIN;
    const history = observe(NO_HISTORY, START_MS, countedLoad(load(1_000_000), capacity));
    assert.equal(peakOf(history, START_MS).recordsPerSecond, 8_000);
    assert.equal(adjusted(capacity, targetCapacity(history, START_MS, 0)).recordsPerSecond, 8_000);
  });

  it("shrinks at once", () => {
    assert.deepEqual(
      adjusted(load(64_000, 64 * MIB), ON_DEMAND_CAPACITY_MIN),
      load(4_000, 4 * MIB),
    );
  });

  it("has a shard for 1,000 records or 1 MiB per second, in steps of twice as many", () => {
    const counts = [4_000, 4_001, 8_000, 8_001, 16_001].map((records) =>
      shardCountFor(load(records), 4, 500),
    );
    assert.deepEqual(counts, [4, 8, 8, 16, 32]);
    assert.equal(shardCountFor(load(1, 9 * MIB), 4, 500), 16);
    assert.equal(shardsNeeded(load(16_001)), 17);
  });

  it("keeps the shards that there are while they are enough and not too many", () => {
    const counts = [9, 10, 12, 16, 17, 40].map((open) => shardCountFor(load(10_000), open, 500));
    assert.deepEqual(counts, [16, 10, 12, 16, 16, 16]);
  });

  it("is bounded by the shards that the engine has left, but never below the start", () => {
    assert.equal(shardCountFor(load(300_000), 256, 500), 500);
    assert.deepEqual(boundedCapacity(load(300_000, MIB), 40), load(40_000, MIB));
    assert.deepEqual(boundedCapacity(load(4_000, 4 * MIB), 2), load(4_000, 4 * MIB));
  });

  it("is what the shards of a provisioned stream could take, for 30 days", () => {
    const history = historyOfShards(11, START_MS);
    assert.deepEqual(targetCapacity(history, START_MS, 0), load(11_000, 11 * MIB));
    const laterMs = START_MS + PEAK_AGE_MS_MAX + HOUR_MS;
    assert.deepEqual(targetCapacity(history, laterMs, 0), load(4_000, 4 * MIB));
    assert.strictEqual(historyOfShards(4, START_MS), NO_HISTORY);
  });
});
