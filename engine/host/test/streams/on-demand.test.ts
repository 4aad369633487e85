/** On-demand streams over a real core and log on a virtual clock: what is throttled, and how they scale. */
import {
  STATUS_OK,
  STATUS_ORDER,
  STATUS_STREAM_BYTE_RATE,
  STATUS_STREAM_RECORD_RATE,
} from "@millrace/core/layout";
import { assert } from "chai";
import type { StreamDefinition } from "../../src/log/control-records.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { ON_DEMAND_CAPACITY_MIN } from "../../src/streams/capacity.ts";
import { Catalogue } from "../../src/streams/catalogue.ts";
import { hashKeyOf } from "../../src/streams/hash-ranges.ts";
import { openShardsOf, parentIndexesOf } from "../../src/streams/lineage.ts";
import { OnDemandScaler } from "../../src/streams/on-demand-scaler.ts";
import type { TestRecord } from "../support/batches.ts";
import { RING_END, TestLog } from "../support/logs.ts";

const MIB = 1_048_576;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Batches of one second. */
const TICKS = 10;

const small: readonly TestRecord[] = Array.from({ length: 10_000 }, (_, i) => ({
  key: `k${i}`,
  data: new Uint8Array(1),
}));

/** Shards cover the ring exactly once, and every shard but the first ones has closed parents next to it. */
function checkLineage(stream: StreamDefinition): void {
  let next = 0n;
  for (const { startingHashKey, endingHashKey } of openShardsOf(stream)) {
    assert.equal(hashKeyOf(startingHashKey), next, "no gap and no overlap");
    next = hashKeyOf(endingHashKey) + 1n;
  }
  assert.equal(next, RING_END + 1n);
  for (const shard of stream.shards) {
    for (const index of parentIndexesOf(shard)) {
      const parent = stream.shards.find((one) => one.shardIndex === index);
      if (parent === undefined) continue; // It expired.
      assert.isDefined(parent.closedMs, "a parent is closed");
      assert.isBelow(parent.createdSeconds, shard.createdSeconds);
    }
  }
}

/** An engine's parts, as far as on-demand streams are concerned. */
class OnDemandLog {
  readonly test: TestLog;
  readonly catalogue: Catalogue;
  readonly scaler: OnDemandScaler;
  readonly platform: VirtualPlatform;

  private constructor(test: TestLog, quotas: "unlimited" | "aws") {
    const { log, platform } = test;
    this.test = test;
    this.platform = platform;
    this.catalogue = new Catalogue(log, platform.clock);
    const { documents } = this.catalogue;
    const { clock } = platform;
    this.scaler = new OnDemandScaler({ log, clock, catalogue: this.catalogue, documents, quotas });
    this.scaler.resume();
  }

  static async open(
    platform: VirtualPlatform = virtualPlatform(),
    quotas: "unlimited" | "aws" = "aws",
  ): Promise<OnDemandLog> {
    const writeQuotas = quotas === "aws";
    const arenaBytesMax = 64 * MIB;
    return new OnDemandLog(await TestLog.open(platform, { writeQuotas, arenaBytesMax }), quotas);
  }

  static async withStream(quotas: "unlimited" | "aws" = "aws"): Promise<OnDemandLog> {
    const engine = await OnDemandLog.open(virtualPlatform(), quotas);
    await engine.create("clicks");
    return engine;
  }

  async create(name: string): Promise<void> {
    await this.catalogue.create({
      name,
      shards: 0,
      retentionHours: 24,
      recordKibMax: 1024,
      mode: "ON_DEMAND",
    });
  }

  stream(name = "clicks"): StreamDefinition {
    return this.catalogue.get(name);
  }

  get capacity(): number {
    return this.stream().writeCapacity?.recordsPerSecond ?? 0;
  }

  async put(records: readonly TestRecord[], name = "clicks"): Promise<number[]> {
    const bytes = records.reduce((sum, { key, data }) => sum + key.length + data.byteLength, 0);
    this.scaler.offered(this.stream(name).uid, records.length, bytes);
    return (await this.test.put(records, name)).map(({ status }) => status);
  }

  /** Puts so many records per second for some seconds; how many were refused. */
  async run(recordsPerSecond: number, seconds: number, name = "clicks"): Promise<number> {
    let refused = 0;
    const batch = small.slice(0, recordsPerSecond / TICKS);
    for (let tick = 0; tick < seconds * TICKS; tick++) {
      const statuses = await this.put(batch, name);
      for (const status of statuses) {
        if (status === STATUS_OK) continue;
        assert.include([STATUS_STREAM_RECORD_RATE, STATUS_ORDER], status);
        refused++;
      }
      await this.platform.clock.advance(1_000 / TICKS);
    }
    return refused;
  }

  /** Lets time pass without load. */
  async rest(ms: number): Promise<void> {
    const { clock } = this.platform;
    for (let left = ms; left > 0; left -= HOUR_MS) {
      clock.advanceBy(Math.min(left, HOUR_MS) - 1);
      await clock.advance(1);
    }
  }

  async restart(): Promise<OnDemandLog> {
    this.scaler.stop();
    await this.test.log.close();
    return await OnDemandLog.open(this.platform.restart());
  }
}

describe("an on-demand stream whose adjustment the store does not take", () => {
  it("is adjusted a minute later, also when nothing is offered any more", async () => {
    const engine = await OnDemandLog.withStream();
    const { clock, stores } = engine.platform;
    const expiryMs = clock.nowMs() + HOUR_MS + 30 * DAY_MS;
    await engine.run(4_000, 61);
    await clock.advance(MINUTE_MS);
    assert.equal(engine.capacity, 8_000);
    await engine.rest(expiryMs - clock.nowMs() - 1);
    stores.faults.add({ kind: "abort", nth: 1, operations: ["appendFrame"] });
    await engine.rest(2);
    assert.equal(engine.capacity, 8_000);
    await engine.rest(MINUTE_MS);
    assert.equal(engine.capacity, 4_000);
  });
});

describe("an on-demand stream", () => {
  it("begins with 4 shards and is never throttled at exactly 4,000 records per second", async () => {
    const engine = await OnDemandLog.withStream();
    assert.deepEqual(engine.stream().writeCapacity, ON_DEMAND_CAPACITY_MIN);
    assert.equal(openShardsOf(engine.stream()).length, 4);
    assert.equal(await engine.run(4_000, 70), 0);
    checkLineage(engine.stream());
  });

  it("is never throttled at exactly 4 MiB per second", async () => {
    const engine = await OnDemandLog.withStream();
    const records = Array.from({ length: 4 }, (_, i) => ({
      key: String(i),
      data: new Uint8Array(MIB / 4 - 1),
    }));
    for (let tick = 0; tick < 60; tick++) {
      assert.deepEqual(await engine.put(records), [0, 0, 0, 0]);
      await engine.platform.clock.advance(250);
    }
  });

  it("takes all of its capacity through one shard, too", async () => {
    const engine = await OnDemandLog.withStream();
    const one = Array.from({ length: 4_000 }, () => ({ key: "same", data: new Uint8Array(1) }));
    assert.isTrue((await engine.put(one)).every((status) => status === STATUS_OK));
    const [refused] = await engine.put(one.slice(0, 1));
    assert.equal(refused, STATUS_STREAM_RECORD_RATE);
  });

  it("is throttled beyond its bytes per second", async () => {
    const engine = await OnDemandLog.withStream();
    const large = { key: "k", data: new Uint8Array(MIB - 1) };
    const statuses = await engine.put(Array.from({ length: 11 }, () => large));
    assert.deepEqual(statuses.slice(9), [STATUS_OK, STATUS_STREAM_BYTE_RATE]);
  });

  it("takes twice the peak of the last 30 days a minute later, and throttles a jump beyond", async () => {
    const engine = await OnDemandLog.withStream();
    assert.equal(await engine.run(4_000, 3), 0);
    await engine.rest(MINUTE_MS);
    assert.equal(engine.capacity, 8_000);
    assert.equal(openShardsOf(engine.stream()).length, 8);
    assert.equal(await engine.run(8_000, 3), 0);
    assert.isAbove(await engine.run(20_000, 3), 0);
    checkLineage(engine.stream());
  });

  it("is throttled after a jump until it takes twice the new peak, within 15 minutes", async () => {
    const engine = await OnDemandLog.withStream();
    const offered = 30_000;
    const counts: number[] = [];
    let throttled = true;
    let minutes = 0;
    while (engine.capacity < offered * 2) {
      minutes++;
      assert.isAtMost(minutes, 15);
      throttled = (await engine.run(offered, 2)) > 0;
      if (engine.capacity < offered) assert.isTrue(throttled, `at ${engine.capacity}`);
      await engine.rest(MINUTE_MS - 2_000);
      counts.push(openShardsOf(engine.stream()).length);
      checkLineage(engine.stream());
    }
    assert.deepEqual(counts, [8, 16, 32, 64]);
    assert.equal(await engine.run(offered * 2, 2), 0);
  });

  it("shrinks once the peak is 30 days old, and not before", async () => {
    const engine = await OnDemandLog.withStream();
    for (const offered of [4_000, 8_000]) {
      await engine.run(offered, 2);
      await engine.rest(MINUTE_MS);
    }
    assert.equal(engine.capacity, 16_000);
    await engine.rest(30 * DAY_MS - 2 * MINUTE_MS);
    assert.equal(engine.capacity, 16_000);
    assert.equal(await engine.run(16_000, 2), 0, "twice the peak, after almost 30 days");
    await engine.rest(30 * DAY_MS - HOUR_MS);
    assert.equal(engine.capacity, 32_000);
    checkLineage(engine.stream());
    await engine.rest(3 * HOUR_MS);
    assert.equal(engine.capacity, 4_000);
    assert.equal(openShardsOf(engine.stream()).length, 4);
    checkLineage(engine.stream());
    assert.isAbove(await engine.run(8_000, 3), 0);
  });

  it("keeps its capacity and its peaks over a restart", async () => {
    const before = await OnDemandLog.withStream();
    await before.run(4_000, 2);
    await before.rest(MINUTE_MS);
    const { shards } = before.stream();
    const engine = await before.restart();
    assert.equal(engine.capacity, 8_000);
    assert.deepEqual(engine.stream().shards, shards);
    assert.equal(await engine.run(8_000, 2), 0);
    const next = await engine.restart();
    await next.rest(30 * DAY_MS + 2 * HOUR_MS);
    assert.equal(next.capacity, 4_000);
  });

  it("is not resharded by load that grows little by little, but for one doubling", async () => {
    const engine = await OnDemandLog.withStream();
    for (let offered = 4_000; offered <= 7_000; offered += 500) {
      assert.equal(await engine.run(offered, 2), 0);
      await engine.rest(MINUTE_MS);
    }
    assert.equal(engine.capacity, 14_000);
    assert.equal(openShardsOf(engine.stream()).length, 16);
    assert.equal(engine.stream().shards.length, 4 + 8 + 16);
  });

  it("scales beside others, within the shards that the engine has", async () => {
    const engine = await OnDemandLog.withStream();
    await engine.create("orders");
    const rest = { name: "rest", shards: 484, retentionHours: 24, recordKibMax: 1024 };
    await engine.catalogue.create(rest);
    for (let minute = 0; minute < 3; minute++) {
      await engine.run(10_000, 1, "clicks");
      await engine.run(10_000, 1, "orders");
      await engine.rest(MINUTE_MS);
    }
    // 500 - 484 are left for the two of them.
    const counts = ["clicks", "orders"].map((name) => openShardsOf(engine.stream(name)).length);
    assert.deepEqual(counts, [8, 8]);
    assert.equal(engine.catalogue.openShards, 500);
    for (const name of ["clicks", "orders"]) {
      assert.equal(engine.stream(name).writeCapacity?.recordsPerSecond, 8_000);
      checkLineage(engine.stream(name));
    }
  });

  it("neither throttles nor scales where quotas are not enforced", async () => {
    const engine = await OnDemandLog.withStream("unlimited");
    assert.equal(await engine.run(20_000, 2), 0);
    await engine.rest(HOUR_MS);
    assert.equal(engine.capacity, 4_000);
    assert.equal(engine.stream().shards.length, 4);
  });

  it("is left alone when it is deleted while its capacity is being adjusted", async () => {
    const engine = await OnDemandLog.withStream();
    await engine.run(8_000, 1);
    const adjusting = engine.scaler.adjust();
    await engine.catalogue.delete("clicks");
    await adjusting;
    assert.isUndefined(engine.catalogue.find("clicks"));
    await engine.rest(MINUTE_MS);
  });

  it("sets no timer any more once the scaler is stopped", async () => {
    const engine = await OnDemandLog.withStream();
    await engine.run(4_000, 1);
    engine.scaler.stop();
    await engine.scaler.adjust();
    const pending = engine.platform.clock.pendingTimers;
    await engine.run(4_000, 1);
    assert.isAtMost(engine.platform.clock.pendingTimers, pending + 1);
    await engine.test.log.close();
    assert.equal(engine.platform.clock.pendingTimers, 0);
  });
});
