/** One fuzz run: an engine, a few thousand random calls with time between them, and what must hold after. */
import type { OutputOf } from "@millrace/engine/model";
import { type Millrace, open } from "millrace";
import { type AwsFace, awsFace, type ShardEvents } from "millrace/aws";
import { SeededRandom } from "../../../engine/host/src/platform/seeded-random.ts";
import { CallMaker, type FuzzCall, type KnownShard } from "./calls.ts";
import { KnownNames } from "./names.ts";
import { offenceOfError, offencesOfOutput, offencesOfStructure } from "./outputs.ts";

/** Real time in which a call must be answered, in ms. */
const HANG_MS = 20_000;
const SUBSCRIPTIONS_MAX = 4;
const HOUR_MS = 3_600_000;
const RING = 1n << 128n;

/** What came of a run. */
export interface FuzzOutcome {
  readonly calls: number;
  readonly succeeded: number;
  /** Names of the operations that succeeded at least once. */
  readonly reached: ReadonlySet<string>;
  /** What must not be, with the calls that led to it. */
  readonly offences: readonly string[];
}

function show(value: unknown): string {
  const text = JSON.stringify(value ?? null, (_, one: unknown) =>
    one instanceof Uint8Array ? `<${one.byteLength} bytes>` : one,
  );
  return text.length > 600 ? `${text.slice(0, 600)}…` : text;
}

/** A subscription whose events are taken as they come. */
class Follower {
  readonly #events: ShardEvents;
  readonly #note: (offence: string) => void;
  readonly ended: Promise<void>;
  over = false;

  constructor(events: ShardEvents, note: (offence: string) => void) {
    this.#events = events;
    this.#note = note;
    this.ended = this.#follow();
  }

  async leave(): Promise<void> {
    await this.#events.return();
    await this.ended;
  }

  async #follow(): Promise<void> {
    try {
      for await (const { SubscribeToShardEvent: event } of this.#events) {
        const offences = offencesOfStructure("SubscribeToShardEvent", event, "event").filter(
          // The last event of a closed shard has children instead, as AWS's has.
          (one) => event.ChildShards === undefined || !one.includes("ContinuationSequenceNumber"),
        );
        for (const offence of offences) this.#note(offence);
      }
    } catch (error) {
      const offence = offenceOfError("SubscribeToShard", error);
      if (offence !== undefined) this.#note(`in a subscription: ${offence}`);
    }
    this.over = true;
  }
}

/** See the file's head. */
export class FuzzRun {
  readonly #engine: Millrace;
  readonly #face: AwsFace;
  readonly #random: SeededRandom;
  readonly #names = new KnownNames();
  readonly #openShards = new Map<string, readonly KnownShard[]>();
  readonly #calls: CallMaker;
  readonly #followers = new Set<Follower>();
  readonly #offences: string[] = [];
  readonly #reached = new Set<string>();
  #made = 0;
  #succeeded = 0;

  constructor(engine: Millrace, seed: number) {
    this.#engine = engine;
    this.#face = awsFace(engine);
    this.#random = new SeededRandom(seed);
    this.#calls = new CallMaker(this.#random, this.#names, this.#openShards);
  }

  /** Opens an engine whose settings follow from the seed, makes the calls, and checks what is left. */
  static async run(seed: number, calls: number): Promise<FuzzOutcome> {
    const engine = await open({
      name: `fuzz-${seed}`,
      storage: "memory",
      time: "virtual",
      memoryBudgetBytes: 64 * 1_048_576,
      quotas: seed % 2 === 0 ? "aws" : "unlimited",
      transitionMs: seed % 3 === 0 ? 700 : 0,
      controlQuotas: seed % 5 === 0,
    });
    try {
      if (seed % 4 === 0) {
        await engine.streams.create("trail");
        await engine.trail.start("trail");
      }
      return await new FuzzRun(engine, seed).#run(calls);
    } finally {
      await engine.close();
    }
  }

  async #run(calls: number): Promise<FuzzOutcome> {
    while (this.#made < calls && this.#offences.length === 0) await this.#round();
    for (const follower of this.#followers) {
      await this.#inTime("the end of a subscription", follower.leave());
    }
    await this.#inTime("the passing of time", this.#engine.time.advance(60_000));
    await this.#inTime("the check at the end", this.#check());
    return {
      calls: this.#made,
      succeeded: this.#succeeded,
      reached: this.#reached,
      offences: this.#offences,
    };
  }

  /** Some calls at the same time, then some time. */
  async #round(): Promise<void> {
    const nowMs = await this.#engine.time.now();
    const atOnce = this.#random.below(3) === 0 ? 2 + this.#random.below(8) : 1;
    const calls = Array.from({ length: atOnce }, () => this.#calls.next(nowMs));
    await Promise.all(calls.map((call) => this.#make(call)));
    await this.#pass();
  }

  async #pass(): Promise<void> {
    const roll = this.#random.below(1000);
    if (roll >= 500) return;
    const ms =
      roll === 0 ? 25 * HOUR_MS : roll < 20 ? this.#random.below(400_000) : this.#random.below(400);
    await this.#inTime(`an advance by ${ms} ms`, this.#engine.time.advance(ms));
  }

  async #make({ operation, input, principal }: FuzzCall): Promise<void> {
    this.#made += 1;
    const settings = principal === undefined ? {} : { principal };
    try {
      const answering = this.#face.execute(operation, input, settings);
      const answer: unknown = await this.#inTime(operation, answering);
      this.#succeeded += 1;
      this.#reached.add(operation);
      if (operation === "SubscribeToShard") {
        await this.#follow((answer as { EventStream: ShardEvents }).EventStream);
        return;
      }
      this.#names.learn(answer);
      const [offence] = offencesOfOutput(operation, answer);
      if (offence !== undefined) this.#note(`${offence}\n  in ${show(answer)}`, operation, input);
      if (operation === "ListShards" || operation === "DescribeStream") this.#keepShards(answer);
    } catch (error) {
      const offence = offenceOfError(operation, error);
      const stack = error instanceof Error ? (error.stack ?? "") : "";
      if (offence !== undefined) this.#note(`${offence}\n${stack}`, operation, input);
    }
  }

  #note(offence: string, operation = "", input: unknown = undefined): void {
    this.#offences.push(`${offence}\n  of ${operation} ${show(input)} as call ${this.#made}`);
  }

  async #follow(events: ShardEvents): Promise<void> {
    const follower = new Follower(events, (offence) => this.#note(offence, "SubscribeToShard"));
    this.#followers.add(follower);
    for (const one of this.#followers) if (one.over) this.#followers.delete(one);
    const [oldest] = this.#followers;
    if (this.#followers.size <= SUBSCRIPTIONS_MAX || oldest === undefined) return;
    this.#followers.delete(oldest);
    await this.#inTime("the end of a subscription", oldest.leave());
  }

  #keepShards(answer: unknown): void {
    const { StreamDescription } = answer as Partial<OutputOf<"DescribeStream">>;
    if (StreamDescription === undefined) return;
    const { StreamName, Shards } = StreamDescription;
    this.#openShards.set(StreamName, openOf(Shards));
  }

  async #inTime<Value>(what: string, promise: Promise<Value>): Promise<Value> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${what} hangs`)), HANG_MS);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Every stream can be described and read to its end, and its open shards cover the ring once. */
  async #check(): Promise<void> {
    await this.#engine.faults.clear();
    for (const { name, retentionHours, status } of await this.#engine.streams.list()) {
      if (status !== "ACTIVE") this.#note(`${name} stays ${status}`);
      const { StreamDescription: stream } = await this.#execute("DescribeStream", {
        StreamName: name,
        Limit: 10_000,
      });
      const summary = await this.#execute("DescribeStreamSummary", { StreamName: name });
      const open = openOf(stream.Shards);
      const { OpenShardCount, RetentionPeriodHours } = summary.StreamDescriptionSummary;
      if (OpenShardCount !== open.length) this.#note(`${name} has not ${OpenShardCount} shards`);
      if (RetentionPeriodHours !== retentionHours) this.#note(`${name}: two retention periods`);
      let next = 0n;
      for (const { start, end } of open) {
        if (start !== next) this.#note(`${name}: a shard begins at ${start}, not at ${next}`);
        next = end + 1n;
      }
      if (next !== RING) this.#note(`${name}: the ring ends at ${next}`);
      for (const { ShardId } of stream.Shards) {
        const closed = open.every(({ shardId }) => shardId !== ShardId);
        await this.#readThrough(name, ShardId).catch((error: unknown) => {
          // Reading takes time, in which a closed shard may expire.
          if (!closed || !String(error).includes("ResourceNotFound")) throw error;
        });
      }
    }
  }

  /** Reads a shard page by page to its end: sequence numbers grow, times do not fall. */
  async #readThrough(StreamName: string, ShardId: string): Promise<void> {
    const start = { StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" };
    const { ShardIterator } = await this.#execute("GetShardIterator", start);
    let iterator: string | undefined = ShardIterator;
    let last = 0n;
    while (iterator !== undefined) {
      const input = { ShardIterator: iterator, Limit: 1000 };
      const page: OutputOf<"GetRecords"> = await this.#execute("GetRecords", input);
      for (const { SequenceNumber } of page.Records) {
        if (BigInt(SequenceNumber) <= last) this.#note(`${StreamName} ${ShardId} goes backwards`);
        last = BigInt(SequenceNumber);
      }
      iterator = page.NextShardIterator;
      if (page.MillisBehindLatest === 0) return;
    }
  }

  async #execute<Name extends Parameters<AwsFace["execute"]>[0]>(
    operation: Name,
    input: unknown,
  ): Promise<OutputOf<Name>> {
    // Rates and quotas want their time: one page of a shard may be 10 MiB.
    await this.#engine.time.advance(operation === "GetRecords" ? 5000 : 1000);
    try {
      return (await this.#face.execute(operation, input)) as OutputOf<Name>;
    } catch (error) {
      throw new Error(`at the end, ${operation} ${show(input)}: ${String(error)}`, {
        cause: error,
      });
    }
  }
}

function openOf(shards: OutputOf<"DescribeStream">["StreamDescription"]["Shards"]): KnownShard[] {
  return shards
    .filter(({ SequenceNumberRange: range }) => range.EndingSequenceNumber === undefined)
    .map(({ ShardId, HashKeyRange: { StartingHashKey, EndingHashKey } }) => ({
      shardId: ShardId,
      start: BigInt(StartingHashKey),
      end: BigInt(EndingHashKey),
    }))
    .sort((a, b) => (a.start < b.start ? -1 : 1));
}
