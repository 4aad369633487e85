/** Engines with everything that an export speaks of: one by hand, and random ones that a seed makes. */
import type { OperationName } from "@millrace/engine/model";
import type { Millrace } from "millrace";
import { awsFace } from "millrace/aws";

/** Calls of AWS's on an engine, one after the other. */
export type Call = (operation: OperationName, input: object) => Promise<unknown>;

/** How AWS's operations of an engine are called. */
export function callerOf(engine: Millrace): Call {
  const face = awsFace(engine);
  return (operation, input) => face.execute(operation, input);
}

/** ARN of a stream of any engine. */
export function arnOf(streamName: string): string {
  return `arn:aws:kinesis:us-east-1:000000000000:stream/${streamName}`;
}

/** Numbers from 0 to 1 that a seed decides. */
export function seeded(seed: number): () => number {
  let state = (seed * 2_654_435_761 + 1) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}

/** What is drawn of a random engine. */
export class Dice {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = seeded(seed);
  }

  /** An integer from `min` to `max`. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.#next() * (max - min + 1));
  }

  chance(probability: number): boolean {
    return this.#next() < probability;
  }

  pick<const Item>(items: readonly [Item, ...Item[]]): Item {
    return items[this.integer(0, items.length - 1)] ?? items[0];
  }

  text(alphabet: string, min: number, max: number): string {
    const characters = [...alphabet];
    const length = this.integer(min, max);
    return Array.from(
      { length },
      () => characters[this.integer(0, characters.length - 1)] ?? "",
    ).join("");
  }

  /** Names that differ in what identifiers cannot hold only, and others. */
  name(): string {
    if (this.chance(0.5)) return this.text("aA1-_.", 1, 4);
    if (this.chance(0.1)) return this.text("ab-_.", 120, 128);
    return this.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", 1, 30);
  }

  /** Tags with all that tags can have, in letters of several scripts. */
  tags(max = 6): Record<string, string> {
    const alphabet = "abcXYZ019 _.:/=+-@%äßéΩжあ中\u2028\u00a0𝒳";
    return Object.fromEntries(
      Array.from({ length: this.integer(0, max) }, () => [
        this.text(alphabet, 1, 20),
        this.text(alphabet, 0, this.chance(0.1) ? 128 : 20),
      ]),
    );
  }
}

/** A policy of a stream or consumer with everything that is rewritten in it. */
export function policyOf(arn: string, more: object = {}): string {
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "readers",
        Effect: "Allow",
        Principal: { AWS: ["arn:aws:iam::000000000000:root", "123456789012"] },
        Action: ["kinesis:DescribeStreamSummary", "kinesis:GetRecords"],
        Resource: arn,
        ...more,
      },
    ],
  });
}

const METRICS = ["IncomingBytes", "IncomingRecords", "OutgoingBytes", "IteratorAgeMilliseconds"];

/** Fills an engine at random: up to six streams. */
export async function fillAtRandom(engine: Millrace, seed: number): Promise<void> {
  const dice = new Dice(seed);
  const call = callerOf(engine);
  const key = await engine.keys.create({ alias: `alias/key-${dice.text("ab-_", 1, 5)}` });
  const bare = await engine.keys.create();
  const names = new Set(Array.from({ length: dice.integer(1, 6) }, () => dice.name()));
  for (const name of names) {
    const mode = dice.pick(["PROVISIONED", "PROVISIONED", "ON_DEMAND"]);
    await engine.streams.create(name, {
      mode,
      shards: dice.integer(1, 5),
      retentionHours: dice.integer(24, 8760),
      recordKibMax: dice.integer(1024, 10_240),
      durability: dice.pick(["strict", "relaxed"]),
      whenFull: dice.pick(["refuse-new", "drop-oldest"]),
    });
    const stream = await engine.streams.get(name);
    if (mode === "PROVISIONED" && dice.chance(0.4)) await stream.split("shardId-000000000000");
    await tag(call, arnOf(name), dice.tags());
    const metrics = METRICS.filter(() => dice.chance(0.3));
    if (metrics.length > 0) {
      await call("EnableEnhancedMonitoring", { StreamName: name, ShardLevelMetrics: metrics });
    }
    if (dice.chance(0.5)) {
      const keyId = dice.pick(["alias/aws/kinesis", key.alias ?? key.keyId, bare.keyId]);
      await stream.startEncryption({ keyId });
    }
    if (dice.chance(0.4)) await setPolicy(call, arnOf(name), dice);
    await registerAtRandom(call, name, dice);
    if (dice.chance(0.3)) await stream.group(dice.text("abc-", 1, 8));
  }
}

async function registerAtRandom(call: Call, streamName: string, dice: Dice): Promise<void> {
  const names = new Set(Array.from({ length: dice.integer(0, 3) }, () => dice.name()));
  for (const ConsumerName of names) {
    const registered = await call("RegisterStreamConsumer", {
      StreamARN: arnOf(streamName),
      ConsumerName,
    });
    const { Consumer } = registered as { Consumer: { ConsumerARN: string } };
    await tag(call, Consumer.ConsumerARN, dice.tags(2));
    if (dice.chance(0.4)) await setPolicy(call, Consumer.ConsumerARN, dice);
  }
}

async function tag(call: Call, ResourceARN: string, Tags: Record<string, string>): Promise<void> {
  if (Object.keys(Tags).length > 0) await call("TagResource", { ResourceARN, Tags });
}

async function setPolicy(call: Call, ResourceARN: string, dice: Dice): Promise<void> {
  const text = dice.text('ab$%{}\\"\n', 0, 12);
  const Policy = policyOf(ResourceARN, {
    Condition: { StringLike: { "aws:PrincipalTag/a": text, "aws:SourceArn": arnOf("x*") } },
  });
  await call("PutResourcePolicy", { ResourceARN, Policy });
}
