/** Hash key ranges and routes against MD5 and bigint arithmetic. */
import { assert } from "chai";
import fc from "fast-check";
import type { Core } from "../../../src/core/core.ts";
import { InvalidArgumentError } from "../../../src/errors/index.ts";
import { type CoreBuild, newCore } from "./build.ts";
import {
  addShards,
  append,
  HASH_KEY_MAX,
  hashKeyOf,
  removeShards,
  testBytes,
  thrown,
  uniformRanges,
  utf8,
} from "./support.ts";

const NO_DATA = new Uint8Array(0);

function slotsOfHashKeys(core: Core, hashKeys: readonly bigint[]): number[] {
  append(
    core,
    hashKeys.map((explicitHashKey) => ({ key: "k", data: NO_DATA, explicitHashKey })),
  );
  return hashKeys.map((_, i) => core.appendRow(i).slot);
}

function placement(slot: number, startingHashKey: bigint, endingHashKey: bigint) {
  const uids = { streamUid: 1, shardUid: slot + 1, nextIndex: 0, nextOrdinal: 1 };
  return { slot, startingHashKey, endingHashKey, writeQuotas: false, ...uids };
}

/** The suite. */
export function routingSuite(build: CoreBuild): void {
  describe(`routing of the ${build.name} core`, () => {
    for (const count of [1, 3, 7, 500]) {
      it(`sends the borders of ${count} ranges to the shard that owns them`, async () => {
        const core = await newCore(build, { shardSlotsMax: 500 });
        addShards(core, count);
        const ranges = uniformRanges(count);
        const starts = ranges.map(({ start }) => start);
        const ends = ranges.map(({ end }) => end);
        const slots = [...Array(count).keys()];
        assert.deepEqual(slotsOfHashKeys(core, starts), slots);
        assert.deepEqual(slotsOfHashKeys(core, ends), slots);
      });
    }

    it("cuts the ring for three shards where Kinesis does", async () => {
      const core = await newCore(build);
      addShards(core, 3);
      const border = 113427455640312821154458202477256070485n;
      assert.deepEqual(slotsOfHashKeys(core, [border - 1n, border]), [0, 1]);
    });

    it("takes explicit hash keys 0 and 2^128 - 1", async () => {
      const core = await newCore(build);
      addShards(core, 7);
      assert.deepEqual(slotsOfHashKeys(core, [0n, HASH_KEY_MAX]), [0, 6]);
    });

    it("sends keys of every length to the shard that MD5 says, alone and in batches", async () => {
      const core = await newCore(build, { shardSlotsMax: 500 });
      addShards(core, 500);
      const hashKey = await hashKeyOf();
      const ranges = uniformRanges(500);
      const keys = Array.from({ length: 300 }, (_, i) =>
        "é€😀k".repeat(1 + (i % 60)).slice(0, 1 + i),
      );
      const owners = keys.map((key) => ranges.findIndex(({ end }) => hashKey(key) <= end));
      append(
        core,
        keys.map((key) => ({ key, data: testBytes(3) })),
      );
      assert.deepEqual(
        keys.map((_, i) => core.appendRow(i).slot),
        owners,
      );
      assert.deepEqual(
        keys.map((key) => core.routeKey(0, utf8(key))),
        owners,
      );
    });

    it("hashes the same whatever the number of keys in a batch", async () => {
      const core = await newCore(build);
      addShards(core, 16);
      for (let count = 0; count <= 40; count++) {
        const keys = Array.from({ length: count }, (_, i) => "x".repeat(i % 7 === 0 ? 80 : i + 1));
        append(
          core,
          keys.map((key) => ({ key, data: NO_DATA })),
        );
        for (const [i, key] of keys.entries()) {
          assert.equal(core.appendRow(i).slot, core.routeKey(0, utf8(key)), `${count}, ${i}`);
        }
      }
    });

    it("finds the owner of any hash key among ranges of any sizes", async () => {
      const hashKeys = fc.bigInt({ min: 0n, max: HASH_KEY_MAX });
      const narrow = fc.bigInt({ min: 1n, max: 5000n });
      const cuts = fc.uniqueArray(fc.oneof(hashKeys, narrow), { maxLength: 15 });
      const core = await newCore(build);
      const property = fc.property(cuts, fc.array(hashKeys), (inner, wanted) => {
        removeShards(core);
        const starts = [...new Set([0n, ...inner])].sort((a, b) => (a < b ? -1 : 1));
        const ends = starts.map((_, i) => (starts[i + 1] ?? HASH_KEY_MAX + 1n) - 1n);
        for (const [i, start] of starts.entries())
          core.addShard(placement(i, start, ends[i] ?? 0n));
        // Any order will do.
        core.setRoutes(0, [...starts.keys()].reverse());
        const asked = [...wanted, ...starts, ...ends];
        const owners = asked.map((key) => ends.findIndex((end) => key <= end));
        assert.deepEqual(slotsOfHashKeys(core, asked), owners);
      });
      fc.assert(property, { numRuns: 100 });
    });

    it("refuses routes that leave a gap, overlap or share a shard", async () => {
      const core = await newCore(build);
      addShards(core, 3);
      core.addShard(placement(3, 0n, HASH_KEY_MAX));
      core.addShard(placement(4, 0n, 10n));
      for (const slots of [[4], [3, 4], [3, 3]]) {
        thrown(InvalidArgumentError, () => core.setRoutes(1, slots));
      }
      const error = thrown(InvalidArgumentError, () => core.setRoutes(1, [0, 1, 2]));
      assert.match(error.message, /another route/);
      thrown(InvalidArgumentError, () => core.setRoutes(0, [0, 2]));
      assert.equal(slotsOfHashKeys(core, [0n])[0], 0, "the route that was there still is");
      core.setRoutes(1, [3]);
      assert.equal(core.routeKey(1, utf8("k")), 3);
    });

    it("keeps other routes in order when one is replaced or removed", async () => {
      const core = await newCore(build, { routesMax: 3 });
      for (const slot of [0, 1, 2]) core.addShard(placement(slot, 0n, HASH_KEY_MAX));
      core.addShard(placement(3, 0n, 99n));
      core.addShard(placement(4, 100n, HASH_KEY_MAX));
      for (const route of [0, 1, 2]) core.setRoutes(route, [route]);
      core.setRoutes(0, [4, 3]);
      assert.deepEqual(slotsOfHashKeys(core, [99n, 100n]), [3, 4]);
      core.setRoutes(1, []);
      assert.equal(core.routeKey(2, utf8("k")), 2);
      assert.deepEqual(slotsOfHashKeys(core, [99n, 100n]), [3, 4]);
      thrown(InvalidArgumentError, () => core.routeKey(1, utf8("k")));
    });

    it("takes a route away with a shard of it", async () => {
      const core = await newCore(build);
      addShards(core, 2);
      core.removeShard(1);
      thrown(InvalidArgumentError, () => core.routeKey(0, utf8("k")));
      thrown(InvalidArgumentError, () => core.position(1));
      assert.equal(core.position(0).nextIndex, 0);
    });

    it("names the argument of a bad shard or slot", async () => {
      const core = await newCore(build);
      addShards(core, 1);
      const bad = [
        placement(0, 0n, 1n),
        placement(16, 0n, 1n),
        placement(-1, 0n, 1n),
        placement(1.5, 0n, 1n),
        placement(1, 2n, 1n),
        placement(1, -1n, 1n),
        placement(1, 0n, HASH_KEY_MAX + 1n),
        { ...placement(1, 0n, 1n), nextIndex: -1 },
        { ...placement(1, 0n, 1n), nextOrdinal: 0 },
      ];
      for (const one of bad) {
        assert.isString(thrown(InvalidArgumentError, () => core.addShard(one)).argument);
      }
    });
  });
}
