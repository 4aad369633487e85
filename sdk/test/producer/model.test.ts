/**
 * Producers over a stream that does all that AWS's may: throttles, fails, reorders calls, is slow, splits and
 * merges, in virtual time and repeatable. Consumers must get every user record exactly once, in order of its
 * key when that was asked for.
 */
import fc from "fast-check";
import { StoreFullError } from "millrace";
import type { ProducerPutResult } from "millrace/producer";
import { expect, it } from "vitest";
import { SeededRandom } from "../../../engine/host/src/platform/seeded-random.ts";
import type { Fate, RemoteStream } from "./remote-stream.ts";
import { openRemote } from "./support.ts";

const KEYS = 9;

/** What the network and the service do to one call. */
function fateOf(random: SeededRandom, troubles: number): Fate {
  const delayMs = random.below(30);
  if (random.below(100) < troubles / 4) return { delayMs, throws: new StoreFullError("not now") };
  const refused = random.below(100) < troubles ? random.below(60) : 0;
  return {
    delayMs,
    refuses: () => random.below(100) < refused,
    order: (count) => {
      const order = Array.from({ length: count }, (_, i) => i);
      for (let i = count - 1; i > 0; i--) {
        const j = random.below(i + 1);
        [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
      }
      return order;
    },
  };
}

function reshard(remote: RemoteStream, random: SeededRandom): void {
  const position = random.below(remote.openShards.length);
  if (random.below(3) === 0) remote.merge(position);
  else if (remote.openShards.length < 8) remote.split(position);
}

const scenario = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  shards: fc.integer({ min: 1, max: 4 }),
  /** In percent of the calls. */
  troubles: fc.constantFrom(0, 20, 60),
  /** One in so many steps. */
  reshardEvery: fc.constantFrom(3, 10, 1000),
  options: fc.record({
    aggregation: fc.boolean(),
    aggregationMaxBytes: fc.constantFrom(64, 300, 51_200),
    collectionMaxCount: fc.constantFrom(1, 4, 500),
    maxBufferedMs: fc.constantFrom(0, 20, 100),
    maxCallsInFlight: fc.constantFrom(1, 3, 24),
    bufferMaxBytes: fc.constantFrom(65_536, 16_777_216),
    orderedBy: fc.constantFrom("nothing", "partitionKey"),
    recordTtlMs: fc.constant(3_600_000),
    backoffBaseMs: fc.constant(5),
    backoffMaxMs: fc.constant(20),
  }),
});

it("consumers get each user record once, in order by key when that is wanted", async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ seed, shards, troubles, reshardEvery, options }) => {
      const random = new SeededRandom(seed);
      const { clock, remote, producer } = await openRemote(options, shards, seed);
      remote.fate = () => fateOf(random, troubles);
      const puts: Promise<ProducerPutResult>[] = [];
      for (let step = 0; step < 30; step++) {
        if (random.below(reshardEvery) === 0) reshard(remote, random);
        if (random.below(8) === 0) remote.listingFailures.push(new StoreFullError("not now"));
        for (let left = random.below(12); left > 0; left--) {
          const data = String(puts.length);
          puts.push(producer.put({ partitionKey: `key-${random.below(KEYS)}`, data }));
        }
        await clock.advance(random.below(20));
      }
      const closing = producer.close();
      for (let left = 200; producer.outstandingRecords > 0 && left > 0; left--) {
        if (left > 190) reshard(remote, random);
        await clock.advance(200);
      }
      await closing;
      const results = await Promise.all(puts);
      const found = remote.consumed();
      const numbers = found.map((record) => Number(record.text()));
      expect([...numbers].sort((a, b) => a - b)).toEqual(puts.map((_, i) => i));
      for (const [i, { sequenceNumber, subSequenceNumber, shardId }] of results.entries()) {
        const record = found[numbers.indexOf(i)];
        expect(record).toMatchObject({ sequenceNumber, subSequenceNumber, shardId });
      }
      if (options.orderedBy === "nothing") return;
      const last = new Map<string, number>();
      for (const [i, { partitionKey }] of found.entries()) {
        const number = numbers[i] ?? Number.NaN;
        expect(number).toBeGreaterThan(last.get(partitionKey) ?? -1);
        last.set(partitionKey, number);
      }
    }),
    { numRuns: 80 },
  );
}, 120_000);
