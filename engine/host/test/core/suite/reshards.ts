/** Splits and merges: parents leave a route and children join it in one call, with records in flight. */
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
  readAll,
  type TestRecord,
  testBytes,
  thrown,
  uniformRanges,
  utf8,
} from "./support.ts";

interface Range {
  readonly slot: number;
  readonly start: bigint;
  readonly end: bigint;
}

const SLOTS = 400;

/** The open shards of one stream on a core, and all keys that every shard took. */
class ReshardedStream {
  open: Range[];
  readonly taken = new Map<number, string[]>();
  readonly #core: Core;
  readonly #hashKeyOf: (key: string) => bigint;
  #nextSlot: number;
  #frame = 0;

  constructor(core: Core, count: number, keyHash: (key: string) => bigint) {
    addShards(core, count);
    this.open = uniformRanges(count).map((range, slot) => ({ slot, ...range }));
    this.#core = core;
    this.#hashKeyOf = keyHash;
    this.#nextSlot = count;
  }

  /** Replaces neighbours by shards of the given ranges. */
  replace(at: number, count: number, ranges: readonly Omit<Range, "slot">[]): void {
    const children = ranges.map((range) => ({ slot: this.#nextSlot++, ...range }));
    for (const { slot, start, end } of children) {
      this.#core.addShard({
        slot,
        streamUid: 1,
        shardUid: 100 + slot,
        startingHashKey: start,
        endingHashKey: end,
        nextIndex: 0,
        nextOrdinal: 1,
        writeQuotas: false,
      });
    }
    this.open.splice(at, count, ...children);
    this.#core.setRoutes(
      0,
      this.open.map(({ slot }) => slot),
    );
  }

  split(at: number, permille: bigint): void {
    const { start, end } = this.open[at] ?? assert.fail("an open shard");
    const middle = start + ((end - start) * permille) / 1_000n;
    if (middle >= end) return;
    this.replace(at, 1, [
      { start, end: middle },
      { start: middle + 1n, end },
    ]);
  }

  merge(at: number): void {
    const [lower, upper] = this.open.slice(at, at + 2);
    if (lower === undefined || upper === undefined) return;
    this.replace(at, 2, [{ start: lower.start, end: upper.end }]);
  }

  owner(hashKey: bigint): number {
    const owners = this.open.filter(({ start, end }) => start <= hashKey && hashKey <= end);
    assert.equal(owners.length, 1, "exactly one shard owns a hash key");
    return owners[0]?.slot ?? -1;
  }

  put(keys: readonly string[]): void {
    const records = keys.map((key): TestRecord => ({ key, data: testBytes(5) }));
    assert.equal(append(this.#core, records).refusedCount, 0);
    for (const [i, key] of keys.entries()) {
      const { slot } = this.#core.appendRow(i);
      assert.equal(slot, this.owner(this.#hashKeyOf(key)), `slot of ${key}`);
      assert.equal(this.#core.routeKey(0, utf8(key)), slot);
      this.taken.set(slot, [...(this.taken.get(slot) ?? []), key]);
    }
  }

  /** Borders of all open ranges, as explicit hash keys, go where they belong. */
  checkBorders(): void {
    const asked = this.open.flatMap(({ start, end }) => [start, end]);
    const batch = asked.map((explicitHashKey) => ({
      key: "b",
      data: testBytes(0),
      explicitHashKey,
    }));
    append(this.#core, batch);
    for (const [i, hashKey] of asked.entries()) {
      const { slot } = this.#core.appendRow(i);
      assert.equal(slot, this.owner(hashKey));
      this.taken.set(slot, [...(this.taken.get(slot) ?? []), "b"]);
    }
  }

  commit(): void {
    this.#core.cut();
    this.#frame++;
    this.#core.commit(this.#frame);
  }

  checkRecords(): void {
    for (const [slot, keys] of this.taken) {
      const found = readAll(this.#core, slot).map(({ key }) => key);
      assert.deepEqual(found, keys, `records of slot ${slot}`);
      assert.isFalse(this.#core.position(slot).provisional);
    }
  }
}

const where = fc.nat({ max: 50 });
const step = fc.oneof(
  fc.record({ do: fc.constant("split"), at: where, permille: fc.bigInt({ min: 0n, max: 999n }) }),
  fc.record({ do: fc.constant("merge"), at: where, permille: fc.constant(0n) }),
  fc.record({ do: fc.constant("commit"), at: fc.constant(0), permille: fc.constant(0n) }),
);
const steps = fc.array(fc.tuple(step, fc.array(fc.string({ minLength: 1 }), { maxLength: 12 })), {
  maxLength: 30,
});

/** The suite. */
export function reshardSuite(build: CoreBuild): void {
  describe(`resharding on the ${build.name} core`, () => {
    it("covers the ring exactly once over any splits and merges, and loses nothing in flight", async () => {
      const keyHash = await hashKeyOf();
      const runs = fc.sample(fc.tuple(fc.integer({ min: 1, max: 9 }), steps), {
        numRuns: 40,
        seed: 20_251,
      });
      for (const [count, taken] of runs) {
        const core = await newCore(build, { shardSlotsMax: SLOTS });
        const stream = new ReshardedStream(core, count, keyHash);
        for (const [{ do: what, at, permille }, keys] of taken) {
          const place = at % stream.open.length;
          if (what === "split") stream.split(place, permille);
          else if (what === "merge") stream.merge(place);
          else stream.commit();
          stream.put(keys.map((key) => key.toWellFormed()));
          stream.checkBorders();
        }
        stream.commit();
        stream.checkRecords();
      }
    });

    it("leaves parents what they hold: it is cut, committed, taken back, rolled and sealed", async () => {
      const core = await newCore(build);
      const stream = new ReshardedStream(core, 1, await hashKeyOf());
      stream.put(["durable"]);
      stream.commit();
      stream.put(["in the cut"]);
      core.cut();
      stream.put(["after the cut"]);
      assert.isTrue(core.position(0).provisional);
      stream.split(0, 500n);
      assert.isTrue(core.position(0).provisional);
      core.commit(2);
      assert.isTrue(core.position(0).provisional, "what came after the cut");
      core.rewind();
      assert.isFalse(core.position(0).provisional);
      assert.deepEqual(
        readAll(core, 0).map(({ key }) => key),
        ["durable", "in the cut"],
      );
      core.roll(0);
      assert.equal(core.sealable(9)[0]?.recordCount, 2);
      assert.equal(core.writeRetryAfterMs(0, 1, 1_000_000), 0);
    });

    it("lets one route reshard to all slots while others stay as they are", async () => {
      const core = await newCore(build, { shardSlotsMax: 101, routesMax: 3 });
      addShards(core, 50);
      const other = { slot: 100, streamUid: 2, shardUid: 9_999, nextIndex: 0, nextOrdinal: 1 };
      const ring = { startingHashKey: 0n, endingHashKey: HASH_KEY_MAX };
      core.addShard({ ...other, ...ring, writeQuotas: false });
      core.setRoutes(2, [100]);
      const children = uniformRanges(50).map(({ start, end }, i) => ({ slot: 50 + i, start, end }));
      for (const { slot, start, end } of children) {
        const range = { startingHashKey: start, endingHashKey: end };
        const uids = { streamUid: 1, shardUid: 500 + slot, nextIndex: 0, nextOrdinal: 1 };
        core.addShard({ slot, ...range, ...uids, writeQuotas: false });
      }
      const wanted = children.map(({ slot }) => slot);
      core.setRoutes(0, wanted);
      append(
        core,
        children.map(({ end }) => ({ key: "k", data: testBytes(1), explicitHashKey: end })),
      );
      assert.deepEqual(
        children.map((_, i) => core.appendRow(i).slot),
        wanted,
      );
      assert.equal(core.routeKey(2, utf8("k")), 100);
      // A parent and its own child at once leave no ring.
      thrown(InvalidArgumentError, () => core.setRoutes(0, [...wanted, 0]));
      assert.equal(core.routeKey(2, utf8("k")), 100);
      core.removeShard(0);
      assert.include(wanted, core.routeKey(0, utf8("k")), "a closed shard goes alone");
    });
  });
}
