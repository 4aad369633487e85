/** The quotas of shards in virtual time: who shares what with whom, and what a refusal says. */
import type { OutputOf } from "@millrace/engine/model";
import { type Millrace, open, type Stream, ThroughputExceededError } from "millrace";
import { type AwsFace, awsFace, type ShardEvents } from "millrace/aws";
import { afterEach, assert, describe, test } from "vitest";

const MIB = 1_048_576;
const SHARD = "shardId-000000000000";
const NAME = "clicks";

const engines: Millrace[] = [];
let opened = 0;

afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
});

interface Opened {
  readonly engine: Millrace;
  readonly stream: Stream;
  readonly face: AwsFace;
  readonly pass: (ms: number) => Promise<void>;
}

async function openWith(shards = 1): Promise<Opened> {
  opened += 1;
  const name = `quotas-${opened}`;
  const engine = await open({ name, storage: "memory", time: "virtual", quotas: "aws" });
  engines.push(engine);
  const stream = await engine.streams.create(NAME, { shards });
  const pass = async (ms: number): Promise<void> => {
    await engine.time.advance(ms);
  };
  return { engine, stream, face: awsFace(engine), pass };
}

/** Puts MiB of records of 16 KiB into the one shard, in as much virtual time as the quota wants. */
async function fill({ face, pass }: Opened, mebibytes: number): Promise<void> {
  const PartitionKey = "k".repeat(64);
  const Data = new Uint8Array(16_384 - PartitionKey.length);
  const Records = Array.from({ length: 64 }, () => ({ PartitionKey, Data }));
  for (let i = 0; i < mebibytes; i++) {
    const answer = await face.execute("PutRecords", { StreamName: NAME, Records });
    assert.equal(answer.FailedRecordCount, 0);
    await pass(1000);
  }
}

function bytesOf(records: OutputOf<"GetRecords">["Records"]): number {
  return records.reduce(
    (sum, { Data, PartitionKey = "" }) => sum + Data.length + PartitionKey.length,
    0,
  );
}

async function failureOf(promise: Promise<unknown>): Promise<ThroughputExceededError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instanceOf(error, ThroughputExceededError);
  return error as ThroughputExceededError;
}

/** A reader of the shard by GetRecords that goes on where its last call ended. */
class Reader {
  readonly #face: AwsFace;
  #iterator: string | undefined;
  bytes = 0;
  refused = 0;

  constructor(face: AwsFace) {
    this.#face = face;
  }

  /** Reads once. @throws ThroughputExceededError. */
  async read(Limit?: number): Promise<OutputOf<"GetRecords">> {
    this.#iterator ??= await this.#begin();
    const limit = Limit === undefined ? {} : { Limit };
    const input = { ShardIterator: this.#iterator, ...limit };
    const page = await this.#face.execute("GetRecords", input);
    this.#iterator = page.NextShardIterator;
    this.bytes += bytesOf(page.Records);
    return page;
  }

  /** Reads once, and counts a refusal. */
  async tryToRead(Limit?: number): Promise<void> {
    await this.read(Limit).catch((error: unknown) => {
      if (!(error instanceof ThroughputExceededError)) throw error;
      this.refused += 1;
    });
  }

  async #begin(): Promise<string | undefined> {
    const place = { StreamName: NAME, ShardId: SHARD, ShardIteratorType: "TRIM_HORIZON" };
    return (await this.#face.execute("GetShardIterator", place)).ShardIterator;
  }
}

describe("reads of one shard", () => {
  test("have 5 calls a second together, also when there is nothing to read", async () => {
    const { face, pass } = await openWith();
    const readers = [new Reader(face), new Reader(face)] as const;
    for (let i = 0; i < 5; i++) await readers[i % 2 === 0 ? 0 : 1].read();
    for (const reader of readers) {
      const error = await failureOf(reader.read());
      assert.match(error.message, /^Rate exceeded for shard shardId-0{12} in stream clicks under /);
      assert.match(error.message, /5 reads .* per second and shard; retry after 200 ms\.$/);
      assert.match(String(error.limit), /^5 reads/);
      assert.equal(error.retryAfterMs, 200);
    }
    await pass(200);
    await readers[1].read();
    await failureOf(readers[0].read());
    await pass(10_000);
    // What was not used is not saved up.
    for (let i = 0; i < 5; i++) await readers[0].read();
    await failureOf(readers[0].read());
  });

  test("have 2 MiB a second together", async () => {
    const parts = await openWith();
    await fill(parts, 30);
    const readers = [new Reader(parts.face), new Reader(parts.face)] as const;
    const seconds = 10;
    for (let i = 0; i < seconds * 10; i++) {
      // Each asks for 1 MiB; whose turn it is first changes in another rhythm than there is room.
      const [first, then] = i % 6 < 3 ? readers : ([readers[1], readers[0]] as const);
      await first.tryToRead(64);
      await then.tryToRead(64);
      await parts.pass(100);
    }
    const bytes = readers[0].bytes + readers[1].bytes;
    assert.isAtLeast(bytes, seconds * 2 * MIB * 0.9);
    // The tank is full in the beginning, and the last read may overdraw it.
    assert.isAtMost(bytes, (seconds + 1) * 2 * MIB + MIB);
    assert.isAbove(Math.min(readers[0].bytes, readers[1].bytes), bytes / 5);
    assert.isAbove(readers[0].refused + readers[1].refused, 100);
  });

  test("may be of 10 MiB, which is followed by a pause of 5 s", async () => {
    const parts = await openWith();
    await fill(parts, 12);
    const reader = new Reader(parts.face);
    await reader.read();
    assert.isAtMost(reader.bytes, 10 * MIB);
    assert.isAbove(reader.bytes, 9.9 * MIB);
    const error = await failureOf(reader.read());
    assert.match(error.message, /The limit is 2 MiB per second and shard; retry after \d+ ms\.$/);
    assert.equal(error.limit, "2 MiB per second and shard");
    const waitMs = error.retryAfterMs ?? 0;
    assert.isTrue(waitMs > 4900 && waitMs <= 5000, `${waitMs} ms`);
    // Others pay for it as well.
    await failureOf(new Reader(parts.face).read());
    await parts.pass(waitMs - 1);
    await failureOf(reader.read());
    await parts.pass(1);
    await reader.read();
    assert.isAbove(reader.bytes, 11.9 * MIB);
  });

  test("of another shard are not concerned", async () => {
    const { face } = await openWith(2);
    const readers = ["shardId-000000000000", "shardId-000000000001"].map(async (ShardId) => {
      const place = { StreamName: NAME, ShardId, ShardIteratorType: "LATEST" };
      const { ShardIterator } = await face.execute("GetShardIterator", place);
      for (let i = 0; i < 5; i++) await face.execute("GetRecords", { ShardIterator });
      await failureOf(face.execute("GetRecords", { ShardIterator }));
    });
    await Promise.all(readers);
  });
});

/** Takes the events of a subscription as they come. */
class Subscriber {
  readonly #events: ShardEvents;
  readonly #ended: Promise<void>;
  bytes = 0;

  constructor(events: ShardEvents) {
    this.#events = events;
    this.#ended = this.#follow();
  }

  async leave(): Promise<void> {
    await this.#events.return();
    await this.#ended;
  }

  async #follow(): Promise<void> {
    for await (const { SubscribeToShardEvent: event } of this.#events) {
      this.bytes += bytesOf(event.Records);
    }
  }
}

describe("registered consumers", () => {
  test("have 2 MiB a second each, and so has everybody else", { timeout: 60_000 }, async () => {
    const parts = await openWith();
    const { face, stream, pass } = parts;
    await fill(parts, 30);
    const subscribers = await Promise.all(
      ["first", "second"].map(async (name) => {
        const { arn: ConsumerARN } = await stream.registerConsumer(name);
        const StartingPosition = { Type: "TRIM_HORIZON" };
        const input = { ConsumerARN, ShardId: SHARD, StartingPosition };
        return new Subscriber((await face.execute("SubscribeToShard", input)).EventStream);
      }),
    );
    const reader = new Reader(face);
    const seconds = 10;
    for (let i = 0; i < seconds * 10; i++) {
      await reader.tryToRead(64);
      await pass(100);
    }
    for (const bytes of [...subscribers, reader].map((one) => one.bytes)) {
      assert.isAtLeast(bytes, seconds * 2 * MIB * 0.9);
      assert.isAtMost(bytes, (seconds + 1) * 2 * MIB + MIB);
    }
    for (const subscriber of subscribers) await subscriber.leave();
  });
});

describe("writes", () => {
  const small = { PartitionKey: "a", Data: Uint8Array.of(1) };
  const large = { PartitionKey: "a", Data: new Uint8Array(MIB / 2 - 1) };

  const refused = async (face: AwsFace, record: typeof small, count: number): Promise<number> =>
    (await put(face, record, count)).FailedRecordCount ?? 0;

  const put = (face: AwsFace, record: typeof small, count: number) =>
    face.execute("PutRecords", { StreamName: NAME, Records: Array(count).fill(record) });

  test("are 1,000 records a second and shard", async () => {
    const { face, pass } = await openWith();
    for (const _ of [1, 2]) assert.equal(await refused(face, small, 500), 0);
    const { Records, FailedRecordCount } = await put(face, small, 300);
    assert.equal(FailedRecordCount, 300);
    const [first] = Records;
    assert.equal(first?.ErrorCode, "ProvisionedThroughputExceededException");
    assert.equal(
      first?.ErrorMessage,
      "Rate exceeded for shard shardId-000000000000 in stream clicks under account 000000000000. " +
        "Limit: 1,000 records per second. Retry after 1 ms.",
    );
    const error = await failureOf(face.execute("PutRecord", { StreamName: NAME, ...small }));
    assert.equal(error.limit, "1,000 records per second");
    assert.equal(error.retryAfterMs, 1);
    await pass(1);
    assert.equal(await refused(face, small, 2), 1);
    let stored = 0;
    for (let i = 0; i < 50; i++) {
      await pass(200);
      stored += 400 - (await refused(face, small, 400));
    }
    assert.equal(stored, 10_000);
    await pass(60_000);
    for (const _ of [1, 2]) await put(face, small, 500);
    assert.equal(await refused(face, small, 1), 1);
  });

  test("are 1 MiB a second and shard, from a tank of 10 MiB", async () => {
    const { face, pass } = await openWith();
    assert.equal(await refused(face, large, 20), 0);
    const { Records } = await put(face, large, 1);
    assert.equal(
      Records[0]?.ErrorMessage,
      "Rate exceeded for shard shardId-000000000000 in stream clicks under account 000000000000. " +
        "Limit: 1 MiB per second. Retry after 500 ms.",
    );
    const error = await failureOf(face.execute("PutRecord", { StreamName: NAME, ...large }));
    assert.equal(error.limit, "1 MiB per second");
    assert.equal(error.retryAfterMs, 500);
    await pass(499);
    assert.equal(await refused(face, large, 1), 1);
    await pass(1);
    let stored = 0;
    for (let i = 0; i < 40; i++) {
      stored += 2 - (await refused(face, large, 2));
      await pass(250);
    }
    // Half a MiB at the beginning, and ten seconds' worth.
    assert.equal(stored, 20);
    await pass(3_600_000);
    assert.equal(await refused(face, large, 20), 0);
    assert.equal(await refused(face, large, 1), 1);
  });

  test("into another shard are not concerned", async () => {
    const { face } = await openWith(2);
    const into = (ExplicitHashKey: string) =>
      face.execute("PutRecords", {
        StreamName: NAME,
        Records: Array(500).fill({ ...small, ExplicitHashKey }),
      });
    await into("0");
    await into("0");
    assert.equal((await into("0")).FailedRecordCount, 500);
    assert.equal((await into(String((1n << 128n) - 1n))).FailedRecordCount, 0);
  });
});
