/** What a worker holds of its shards: no shard takes another one's room. */
import { DeadlineError, type EngineClient } from "@millrace/engine";
import { describe, expect, it } from "vitest";
import { clientOf } from "../../src/client-of.ts";
import { FanOutReader } from "../../src/groups/fan-out-reader.ts";
import { PollingReader } from "../../src/groups/polling-reader.ts";
import { type FetchedPart, HeldBytes, ShardGoneError } from "../../src/groups/shard-source.ts";
import { failureOf, openEngine } from "../support.ts";
import { PassingClient } from "./clients.ts";
import { until } from "./support.ts";

const DATA_BYTES = 10_000;
const HELD_BYTES = 1_000_000_000;

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

/** A client whose leader does not answer for a while when it is asked for a stream. */
class SlowDescribeClient extends PassingClient {
  failures = 2;

  override async call(
    ...[operation, argument, ms]: Parameters<EngineClient["call"]>
  ): Promise<never> {
    if (operation !== "describeStream" || this.failures === 0) {
      return await super.call(operation, argument, ms);
    }
    this.failures -= 1;
    throw new DeadlineError("no answer in time");
  }
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

  it("asks again for its stream while the leader changes, and goes on then", async () => {
    const { engine, stream } = await opened(1_000_000_000);
    const client = new SlowDescribeClient(clientOf(engine));
    const failures: unknown[] = [];
    const reader = new PollingReader({
      ...{ client, stream: stream.description, held: new HeldBytes(), recordsMax: 10 },
      onFailure: (_shards, { error }) => failures.push(error),
    });
    const [gone, there] = [reader.source(7, 0), reader.source(0, 0)];
    const lost = failureOf(gone.next());
    expect((await there.next()).part.recordCount).toBeGreaterThan(0);
    expect(await lost).toBeInstanceOf(ShardGoneError);
    expect(failures).toEqual([expect.any(DeadlineError), expect.any(DeadlineError)]);
    reader.close();
  });
});

/** Counts who waits for room. */
class CountedBytes extends HeldBytes {
  listeners = 0;

  override onRoom(listener: () => void): () => void {
    const off = super.onRoom(listener);
    this.listeners += 1;
    return () => {
      this.listeners -= 1;
      off();
    };
  }
}

describe("a reader with a registered consumer", () => {
  const parts = async (client: (inner: EngineClient) => EngineClient) => {
    const { engine, stream } = await opened(0);
    // Without its group a consumer goes at once.
    await stream.group("g");
    const failures: unknown[] = [];
    return {
      client: client(clientOf(engine)),
      stream: stream.description,
      groupName: "g",
      held: new CountedBytes(HELD_BYTES),
      onFailure: (_shards: unknown, { error }: { readonly error: unknown }) => {
        failures.push(error);
      },
      failures,
    };
  };

  it("leaves no listener behind when there is room again", async () => {
    const given = await parts((inner) => inner);
    const { held } = given;
    const other = held.take(HELD_BYTES);
    const [shard] = given.stream.openShards;
    const source = new FanOutReader(given).source(0, 0, shard?.createdSeconds ?? 0);
    await source.next();
    const second = source.next();
    await until(() => held.listeners === 1);
    other();
    await isSettled(second);
    expect(held.listeners).toBe(0);
    source.close();
  });

  it("asks again for its stream while the leader changes", async () => {
    const given = await parts((inner) => new SlowDescribeClient(inner));
    const source = new FanOutReader(given).source(7, 0, 0);
    expect(await failureOf(source.next())).toBeInstanceOf(ShardGoneError);
    expect(given.failures).toContainEqual(expect.any(DeadlineError));
    source.close();
  });
});
