/** What a worker holds of its shards: no shard takes another one's room. */
import { describe, expect, it } from "vitest";
import { clientOf } from "../../src/client-of.ts";
import { PollingReader } from "../../src/groups/polling-reader.ts";
import { type FetchedPart, HeldBytes, ShardGoneError } from "../../src/groups/shard-source.ts";
import { failureOf, openEngine } from "../support.ts";

const DATA_BYTES = 10_000;

/** A stream of two shards with 100 records in each, and its reader. */
async function opened(bytesMax: number) {
  const engine = await openEngine();
  const stream = await engine.streams.create("clicks", { shards: 2 });
  const data = crypto.getRandomValues(new Uint8Array(DATA_BYTES));
  const keys = stream.description.openShards.map(({ startingHashKey }) => startingHashKey);
  const records = keys.flatMap((explicitHashKey) =>
    Array.from({ length: 100 }, () => ({ partitionKey: "k", explicitHashKey, data })),
  );
  await stream.putRecords(records);
  const held = new HeldBytes(bytesMax);
  const failures: unknown[] = [];
  const reader = new PollingReader({
    ...{ client: clientOf(engine), stream: stream.description, held, recordsMax: 10 },
    onFailure: (_shards, failure) => failures.push(failure),
  });
  return { engine, stream, held, reader, failures };
}

/** Whether a promise is settled when all that is under way now is. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = (): void => {
    settled = true;
  };
  promise.then(settle, settle);
  await new Promise((resolve) => setTimeout(resolve, 100));
  return settled;
}

describe("a polling reader", () => {
  it("reads no further for a shard that holds too much, and still for one that holds nothing", async () => {
    const { held, reader } = await opened(3 * 10 * DATA_BYTES);
    const [slow, quick] = [reader.source(0, 0), reader.source(1, 0)];
    const parts: FetchedPart[] = [];
    while (!held.full) parts.push(await slow.next());
    const more = slow.next();
    expect(await isSettled(more)).toBe(false);
    for (let read = 0; read < 3; read++) {
      const part = await quick.next();
      expect(part.part).toMatchObject({ shardIndex: 1, recordCount: 10 });
      part.release();
    }
    expect(await isSettled(more)).toBe(false);
    parts[0]?.release();
    parts[0]?.release();
    expect((await more).part.shardIndex).toBe(0);
    expect(held.full).toBe(true);
    // What a shard holds is let go of with it.
    slow.close();
    expect(held.full).toBe(false);
    reader.close();
  });

  it("reads shards together that want records in the same moment", async () => {
    const { reader } = await opened(1_000_000_000);
    const [one, other] = await Promise.all([
      reader.source(0, 0).next(),
      reader.source(1, 0).next(),
    ]);
    expect(one.batch).toBe(other.batch);
    reader.close();
  });

  it("tells a shard that is gone from a stream that is", async () => {
    const { engine, reader, stream } = await opened(1_000_000_000);
    const [gone, there] = [reader.source(7, 0), reader.source(0, 0)];
    const lost = failureOf(gone.next());
    expect((await there.next()).part.recordCount).toBeGreaterThan(0);
    expect(await lost).toBeInstanceOf(ShardGoneError);
    await engine.streams.delete(stream.name);
    expect(await failureOf(there.next())).toMatchObject({ code: "ResourceNotFoundException" });
    reader.close();
  });
});
