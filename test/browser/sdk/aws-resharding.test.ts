/** Resharding in a page: what IndexedDB keeps of it when the engine is closed and opened in the middle. */
import {
  DescribeStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  MergeShardsCommand,
  type Shard,
  SplitShardCommand,
} from "@aws-sdk/client-kinesis";
import { assert } from "chai";
import { type Millrace, open, type Stream } from "millrace";
import { newName } from "./support.ts";

const StreamName = "clicks";
const RING = 1n << 128n;
const KEYS = 17;
const LIVES = 4;

/** The next numbers, with a key each that comes back every few records. */
function numbered(from: number, count: number): { partitionKey: string; data: string }[] {
  return Array.from({ length: count }, (_, i) => ({
    partitionKey: `key-${(from + i) % KEYS}`,
    data: `${from + i}`,
  }));
}

async function shardsOf(client: KinesisClient): Promise<Shard[]> {
  const { StreamDescription } = await client.send(new DescribeStreamCommand({ StreamName }));
  return StreamDescription?.Shards ?? [];
}

const isOpen = ({ SequenceNumberRange: range }: Shard): boolean =>
  range?.EndingSequenceNumber === undefined;

const startOf = ({ HashKeyRange: range }: Shard): bigint => BigInt(range?.StartingHashKey ?? "0");
const endOf = ({ HashKeyRange: range }: Shard): bigint => BigInt(range?.EndingHashKey ?? "0");

/** The open shards by their hash keys, which cover the ring exactly once. */
async function openShards(client: KinesisClient): Promise<Shard[]> {
  const open = (await shardsOf(client)).filter(isOpen);
  open.sort((a, b) => (startOf(a) < startOf(b) ? -1 : 1));
  let next = 0n;
  for (const shard of open) {
    assert.equal(startOf(shard), next);
    next = endOf(shard) + 1n;
  }
  assert.equal(next, RING);
  return open;
}

/** Splits the widest shard in the middle, or merges the first two. */
async function reshard(client: KinesisClient, round: number): Promise<void> {
  const open = await openShards(client);
  const [first, second] = open;
  if (round % 3 === 2 && first !== undefined && second !== undefined) {
    const pair = { ShardToMerge: first.ShardId, AdjacentShardToMerge: second.ShardId };
    await client.send(new MergeShardsCommand({ StreamName, ...pair }));
    return;
  }
  const widest = open.reduce((a, b) => (endOf(b) - startOf(b) > endOf(a) - startOf(a) ? b : a));
  const NewStartingHashKey = ((startOf(widest) + endOf(widest) + 1n) / 2n).toString();
  const split = { StreamName, ShardToSplit: widest.ShardId, NewStartingHashKey };
  await client.send(new SplitShardCommand(split));
}

/** Texts by key in the order in which the typed SDK reads them. */
async function readByKey(stream: Stream): Promise<Map<string, string[]>> {
  const texts = new Map<string, string[]>();
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    const { partitionKey } = record;
    texts.set(partitionKey, [...(texts.get(partitionKey) ?? []), record.text()]);
  }
  return texts;
}

/** Number of records that GetRecords finds in all shards; closed ones must end, open ones must not. */
async function countByShards(client: KinesisClient): Promise<number> {
  let count = 0;
  for (const shard of await shardsOf(client)) {
    const { ShardId } = shard;
    const place = { StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" } as const;
    let { ShardIterator } = await client.send(new GetShardIteratorCommand(place));
    let behindMs = 1;
    while (ShardIterator !== undefined && behindMs > 0) {
      const page = await client.send(new GetRecordsCommand({ ShardIterator, Limit: 50 }));
      count += page.Records?.length ?? 0;
      behindMs = page.MillisBehindLatest ?? 0;
      ShardIterator = page.NextShardIterator;
      if (ShardIterator === undefined) assert.isNotEmpty(page.ChildShards);
    }
    assert.equal(ShardIterator !== undefined, isOpen(shard));
  }
  return count;
}

describe("resharding in a page", () => {
  let engine: Millrace | undefined;

  afterEach(async () => {
    await engine?.close();
  });

  it("keeps every record in order, over the closing and opening of the engine", async () => {
    const name = newName();
    let sent = 0;
    for (let life = 0; life < LIVES; life++) {
      engine = await open({ name });
      const stream = await engine.streams.ensure(StreamName);
      const client = new KinesisClient(
        engine.aws({ protocol: life % 2 === 0 ? "direct" : "json" }),
      );
      for (let round = 0; round < 5; round++) {
        const puts = stream.putRecords(numbered(sent, 40));
        sent += 40;
        await reshard(client, life + round);
        assert.equal((await puts).failedRecordCount, 0);
      }
      const read = await readByKey(stream);
      for (const [key, texts] of read) {
        const expected = numbered(0, sent).filter(({ partitionKey }) => partitionKey === key);
        assert.deepEqual(
          texts,
          expected.map(({ data }) => data),
          `${key} in life ${life}`,
        );
      }
      assert.equal(read.size, KEYS);
      assert.equal(await countByShards(client), sent);
      assert.deepEqual(await engine.dataLoss(), []);
      await engine.close();
    }
    engine = await open({ name });
    const shards = await (await engine.streams.get(StreamName)).shards();
    assert.isAbove(shards.length, 5 * LIVES);
  });

  it("is seen by a live reader that was there before", async () => {
    engine = await open({ name: newName() });
    const stream = await engine.streams.create(StreamName);
    const client = new KinesisClient(engine.aws());
    const total = 400;
    const reading = (async () => {
      const read = new Map<string, string[]>();
      let count = 0;
      for await (const record of stream.read({ from: "TRIM_HORIZON", until: "live" })) {
        const { partitionKey } = record;
        read.set(partitionKey, [...(read.get(partitionKey) ?? []), record.text()]);
        count += 1;
        if (count === total) break;
      }
      return read;
    })();
    for (let sent = 0; sent < total; sent += 40) {
      const puts = stream.putRecords(numbered(sent, 40));
      await reshard(client, sent / 40);
      await puts;
    }
    for (const [key, texts] of await reading) {
      const expected = numbered(0, total).filter(({ partitionKey }) => partitionKey === key);
      assert.deepEqual(
        texts,
        expected.map(({ data }) => data),
      );
    }
  });
});
