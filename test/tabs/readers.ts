/** An iterator, a subscription and a live read that stay open, and what each of them was given. */
import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
} from "@aws-sdk/client-kinesis";
import type { Millrace, Stream } from "millrace";
import { OrderCheck } from "./read-back.ts";

/** What one reader was given. */
export interface ReaderReport {
  readonly reader: "iterator" | "subscription" | "live read";
  readonly records: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
  /** What it was ended by; it should not end. */
  readonly thrown: string | undefined;
  /** Longest time between two deliveries, in ms. */
  readonly gapMs: number;
}

type StreamRecords = Parameters<OrderCheck["take"]>[0];

const ITERATOR_PAUSE_MS = 100;

/** One reader. */
class Watch {
  readonly #reader: ReaderReport["reader"];
  readonly #check = new OrderCheck();
  #gapMs = 0;
  #lastMs: number | undefined;
  #thrown: string | undefined;

  constructor(reader: ReaderReport["reader"], run: (watch: Watch) => Promise<void>) {
    this.#reader = reader;
    run(this).then(
      () => {
        this.#thrown = "it came to an end";
      },
      (error: unknown) => {
        this.#thrown = String(error);
      },
    );
  }

  take(record: StreamRecords): void {
    this.#check.take(record);
  }

  /** A delivery has come, with at least one record. */
  delivered(): void {
    const nowMs = performance.now();
    if (this.#lastMs !== undefined) this.#gapMs = Math.max(this.#gapMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
  }

  report(): ReaderReport {
    const { records, counts, problems } = this.#check;
    const [reader, thrown, gapMs] = [this.#reader, this.#thrown, this.#gapMs];
    return { reader, records, counts, problems, thrown, gapMs };
  }
}

/** The three readers. */
export class Readers {
  readonly #millrace: Millrace;
  readonly #stream: Stream;
  readonly #consumer: string;
  #watches: Watch[] = [];

  constructor(millrace: Millrace, stream: Stream, consumer: string) {
    this.#millrace = millrace;
    this.#stream = stream;
    this.#consumer = consumer;
  }

  start(): void {
    this.#watches = [
      new Watch("iterator", (watch) => this.#iterate(watch)),
      new Watch("subscription", (watch) => this.#subscribe(watch)),
      new Watch("live read", (watch) => this.#readLive(watch)),
    ];
  }

  report(): ReaderReport[] {
    return this.#watches.map((watch) => watch.report());
  }

  /** AWS's own client: an iterator per shard, each call with the one that the call before returned. */
  async #iterate(watch: Watch): Promise<void> {
    const client = new KinesisClient(this.#millrace.aws());
    const StreamName = this.#stream.name;
    const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName }));
    const follow = async (ShardId: string): Promise<void> => {
      const position = { StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" } as const;
      let { ShardIterator } = await client.send(new GetShardIteratorCommand(position));
      while (ShardIterator !== undefined) {
        const answer = await client.send(new GetRecordsCommand({ ShardIterator }));
        for (const { PartitionKey, Data, SequenceNumber } of answer.Records ?? []) {
          if (PartitionKey === undefined || Data === undefined || SequenceNumber === undefined) {
            throw new Error("a record lacks a member");
          }
          const sequenceNumber = SequenceNumber;
          watch.take({ partitionKey: PartitionKey, data: Data, shardId: ShardId, sequenceNumber });
        }
        if ((answer.Records?.length ?? 0) > 0) watch.delivered();
        ShardIterator = answer.NextShardIterator;
        await new Promise((resolve) => setTimeout(resolve, ITERATOR_PAUSE_MS));
      }
    };
    await Promise.all(Shards.map(({ ShardId = "" }) => follow(ShardId)));
  }

  async #subscribe(watch: Watch): Promise<void> {
    const batches = this.#stream.subscribe({ consumer: this.#consumer, from: "TRIM_HORIZON" });
    for await (const batch of batches) {
      for (const record of batch) watch.take(record);
      watch.delivered();
    }
  }

  async #readLive(watch: Watch): Promise<void> {
    for await (const record of this.#stream.read({ from: "TRIM_HORIZON", until: "live" })) {
      watch.take(record);
      watch.delivered();
    }
  }
}
