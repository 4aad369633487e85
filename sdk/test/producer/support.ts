/** Producers for tests: over an engine in this thread, and over a remote stream in virtual time. */
import type { Millrace, ShardDescription, Stream } from "millrace";
import { deaggregate, explodesInto, type UserRecord } from "millrace/aggregation";
import { openProducer, type Producer, type ProducerOptions } from "millrace/producer";
import { SeededRandom } from "../../../engine/host/src/platform/seeded-random.ts";
import { VirtualClock } from "../../../engine/host/src/platform/virtual-clock.ts";
import { readAll } from "../support.ts";
import { RemoteStream } from "./remote-stream.ts";

/** A producer over a remote stream, both in virtual time. */
export interface RemoteProducer {
  readonly clock: VirtualClock;
  readonly remote: RemoteStream;
  readonly producer: Producer;
}

/** Opens one; the stream's traits are set before. */
export async function openRemote(
  options: ProducerOptions = {},
  shards = 1,
  seed = 1,
  traits: RemoteStream["traits"] = {},
): Promise<RemoteProducer> {
  const clock = new VirtualClock(1_700_000_000_000);
  const remote = new RemoteStream(clock, shards);
  remote.traits = traits;
  const random = new SeededRandom(seed);
  return { clock, remote, producer: await openProducer(remote, options, { clock, random }) };
}

/** A stream of an engine with a producer over it. */
export interface EngineProducer {
  readonly engine: Millrace;
  readonly stream: Stream;
  readonly producer: Producer;
}

/** What a group of consumers would get: shard by shard, parents first, without what does not explode. */
export async function consumed(stream: Stream): Promise<UserRecord[]> {
  const shards = new Map<string, ShardDescription>(
    (await stream.shards()).map((shard) => [shard.shardId, shard]),
  );
  const records = await readAll(stream);
  return [...shards.values()].flatMap((shard) =>
    records
      .filter(({ shardId }) => shardId === shard.shardId)
      .map((record) => deaggregate(record))
      .filter((some) => explodesInto(some, shard))
      .flat(),
  );
}

/** Numbers that were put as text, by key, in their order. */
export function numbersByKey(
  records: Iterable<{ readonly partitionKey: string; readonly data: Uint8Array }>,
): Map<string, number[]> {
  const numbers = new Map<string, number[]>();
  for (const { partitionKey, data } of records) {
    const of = numbers.get(partitionKey) ?? [];
    of.push(Number(Buffer.from(data).toString()));
    numbers.set(partitionKey, of);
  }
  return numbers;
}

/** Keys whose MD5 lie in the lower and in the upper half of the ring, in this order: 0x0c…, 0x92…. */
export const HALVES = ["a", "b"] as const;
