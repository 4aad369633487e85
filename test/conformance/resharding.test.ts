/**
 * Streams that are split, merged and scaled at random while they are written and read: nothing is lost,
 * nothing comes twice, each key keeps its order over the lineage, and the ring is always covered once.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLocal } from "@millrace/engine/local";
import { LimitExceededError, type Millrace, open, type Stream } from "millrace";
import { assert, describe, test } from "vitest";
import { SeededRandom } from "../../engine/host/src/platform/seeded-random.ts";
// An application opens engines in files by the server only.
import { Millrace as OpenMillrace } from "../../sdk/src/millrace.ts";

const RING = 1n << 128n;
const SHARDS_MAX = 12;
const KEYS = 29;
const NAME = "clicks";

interface Sent {
  readonly partitionKey: string;
  readonly data: string;
}

type Read = readonly [key: string, text: string];

/** What was put, in the order of the calls. */
class Producer {
  readonly sent: Sent[] = [];

  /** Puts the next records; resolves when they are stored. */
  async put(stream: Stream, count: number): Promise<void> {
    const first = this.sent.length;
    const records = Array.from({ length: count }, (_, i) => ({
      partitionKey: `key-${((first + i) * 7) % KEYS}`,
      data: `${first + i}`,
    }));
    this.sent.push(...records);
    const { failedRecordCount } = await stream.putRecords(records);
    assert.equal(failedRecordCount, 0);
  }
}

/** Values of each key in the order in which they came. */
function byKey(pairs: Iterable<Read>): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [key, value] of pairs) groups.set(key, [...(groups.get(key) ?? []), value]);
  return groups;
}

function assertSame(read: readonly Read[], sent: readonly Sent[], what: string): void {
  assert.equal(read.length, sent.length, what);
  const expected = byKey(sent.map(({ partitionKey, data }): Read => [partitionKey, data]));
  assert.deepEqual(byKey(read), expected, what);
}

/** Takes what comes until it is told that this is all. */
class LiveReader {
  readonly read: Read[] = [];
  readonly #leaving = new AbortController();
  readonly #ended: Promise<void>;
  readonly #waiting = new Set<() => void>();

  /** With a consumer's name it reads by subscriptions, without one by polling. */
  constructor(stream: Stream, consumer?: string) {
    const { signal } = this.#leaving;
    this.#ended = this.#follow(
      consumer === undefined
        ? stream.readBatches({ from: "TRIM_HORIZON", until: "live", signal })
        : stream.subscribe({ consumer, from: "TRIM_HORIZON", signal }),
    );
  }

  /** Waits for so many records, then a little for more that should not come, and leaves. */
  async leaveAfter(total: number): Promise<readonly Read[]> {
    while (this.read.length < total) {
      const more = new Promise<void>((resolve) => this.#waiting.add(resolve));
      await Promise.race([more, this.#ended]);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    this.#leaving.abort("enough");
    await this.#ended;
    return this.read;
  }

  async #follow(batches: ReturnType<Stream["readBatches"]>): Promise<void> {
    try {
      for await (const batch of batches) {
        for (const record of batch) this.read.push([record.partitionKey, record.text()]);
        for (const wake of this.#waiting) wake();
        this.#waiting.clear();
      }
    } catch (error) {
      if (error !== "enough") throw error;
    }
  }
}

async function readAll(stream: Stream): Promise<Read[]> {
  const read: Read[] = [];
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    read.push([record.partitionKey, record.text()]);
  }
  return read;
}

/** Splits, merges or scales, whichever the dice say; what the number of shards forbids, is not tried. */
async function reshard(stream: Stream, random: SeededRandom): Promise<void> {
  const { openShards } = await stream.describe();
  const at = random.below(openShards.length);
  const [one, next] = [openShards[at], openShards[at + 1]];
  const roll = random.below(10);
  const start = BigInt(one?.startingHashKey ?? 0);
  const width = BigInt(one?.endingHashKey ?? 0) - start;
  const divides = width > 1000n && openShards.length < SHARDS_MAX;
  if (roll < 5 && one !== undefined && divides) {
    const middle = start + 2n + ((width - 4n) * BigInt(random.below(1000))) / 1000n;
    const children = await stream.split(
      one.shardId,
      random.below(2) === 0 ? undefined : `${middle}`,
    );
    assert.deepEqual(
      children.map(({ parentShardIndex }) => parentShardIndex),
      [one.shardIndex, one.shardIndex],
    );
  } else if (roll < 9 && one !== undefined && next !== undefined) {
    const child = await stream.merge(one.shardId, next.shardId);
    const parents = [child?.parentShardIndex, child?.adjacentParentShardIndex];
    assert.sameMembers(parents, [one.shardIndex, next.shardIndex]);
  } else {
    const wanted = 1 + random.below(Math.min(SHARDS_MAX, openShards.length * 2));
    const shards = Math.max(wanted, Math.ceil(openShards.length / 2));
    await stream.scale(shards).catch((error: unknown) => {
      // AWS lets a stream be scaled ten times a day.
      if (!(error instanceof LimitExceededError)) throw error;
    });
  }
  await assertWhole(stream);
}

/** The open shards cover the ring exactly once, and every shard's parents came before it. */
async function assertWhole(stream: Stream): Promise<void> {
  const { openShards, closedShards } = await stream.describe();
  let next = 0n;
  const ordered = [...openShards].sort((a, b) =>
    BigInt(a.startingHashKey) < BigInt(b.startingHashKey) ? -1 : 1,
  );
  for (const { startingHashKey, endingHashKey } of ordered) {
    assert.equal(BigInt(startingHashKey), next);
    next = BigInt(endingHashKey) + 1n;
  }
  assert.equal(next, RING);
  for (const shard of [...openShards, ...closedShards]) {
    for (const parent of [shard.parentShardIndex, shard.adjacentParentShardIndex]) {
      if (parent === undefined) continue;
      assert.isBelow(parent, shard.shardIndex);
      const found = closedShards.find(({ shardIndex }) => shardIndex === parent);
      assert.isBelow(found?.createdSeconds ?? Number.NaN, shard.createdSeconds);
    }
  }
}

describe("a stream in memory", () => {
  for (const seed of [1, 2, 3, 4]) {
    test(`keeps everything in order over reshards, seed ${seed}`, { timeout: 60_000 }, async () => {
      const engine = await open({ name: `resharding-${seed}`, storage: "memory" });
      try {
        const stream = await engine.streams.create(NAME, { shards: 1 + (seed % 3) });
        await stream.registerConsumer("app");
        const random = new SeededRandom(seed);
        const producer = new Producer();
        const polling = new LiveReader(stream);
        const pushed = new LiveReader(stream, "app");
        for (let round = 0; round < 60; round++) {
          const puts = [1, 2, 3].map(() => producer.put(stream, 1 + random.below(60)));
          if (random.below(2) === 0) await puts[0];
          await reshard(stream, random);
          await Promise.all(puts);
        }
        const { sent } = producer;
        assertSame(await polling.leaveAfter(sent.length), sent, "the reader that polls");
        assertSame(await pushed.leaveAfter(sent.length), sent, "the consumer that is pushed to");
        assertSame(await readAll(stream), sent, "all of it at once");
        assert.isAbove((await stream.shards()).length, 40);
      } finally {
        await engine.close();
      }
    });
  }
});

describe("a stream in files", () => {
  async function openIn(directory: string): Promise<Millrace> {
    const client = await openLocal({
      ...{ name: "kinesis", storage: "file", directory },
      quotas: "unlimited",
      // Small, so that much of it lies in segments by the end.
      memoryBudgetBytes: 16 * 1_048_576,
    });
    return new OpenMillrace(client, false);
  }

  for (const seed of [11, 12]) {
    test(`goes on where it was closed, seed ${seed}`, { timeout: 120_000 }, async () => {
      const directory = await mkdtemp(join(tmpdir(), "millrace-resharding-"));
      const random = new SeededRandom(seed);
      const producer = new Producer();
      try {
        let shardsBefore = 0;
        for (let life = 0; life < 6; life++) {
          const engine = await openIn(directory);
          const stream = await engine.streams.ensure(NAME);
          await assertWhole(stream);
          const shards = await stream.shards();
          if (life > 0) assert.equal(shards.length, shardsBefore);
          assertSame(await readAll(stream), producer.sent, `what life ${life} finds`);
          const reader = new LiveReader(stream);
          for (let round = 0; round < 12; round++) {
            const puts = producer.put(stream, 1 + random.below(80));
            await reshard(stream, random);
            await puts;
          }
          const read = await reader.leaveAfter(producer.sent.length);
          assertSame(read, producer.sent, `what life ${life} reads live`);
          shardsBefore = (await stream.shards()).length;
          // What is under way when the engine is closed is settled by it.
          const last = producer.put(stream, 40);
          await engine.close();
          await last;
        }
        const engine = await openIn(directory);
        const stream = await engine.streams.get(NAME);
        assertSame(await readAll(stream), producer.sent, "what is there in the end");
        assert.deepEqual(await engine.dataLoss(), []);
        await engine.close();
      } finally {
        await rm(directory, { recursive: true });
      }
    });
  }
});
