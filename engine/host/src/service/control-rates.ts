/** AWS's rates of control operations: so many calls per second, per account, stream or shard. */
import {
  ACCOUNT_ID,
  LimitExceededError,
  type MillraceError,
  ThroughputExceededError,
} from "../errors/index.ts";
import type { OperationName } from "../model/shapes.ts";
import type { Clock } from "../platform/platform.ts";
import { shardIdOf } from "../sequence/sequence-number.ts";
import type { CallFacts } from "./call-facts.ts";

/** A rate with what it counts for. */
interface Rate {
  readonly perSecond: number;
  readonly per: "account" | "stream" | "shard";
}

/** Calls that may still be made, as of a moment of the monotonic clock. */
interface Tank {
  calls: number;
  refilledMs: number;
}

function rate(perSecond: number, per: Rate["per"] = "account"): Rate {
  return { perSecond, per };
}

/** The rates that AWS documents; operations that are not here have none. */
const RATES: Partial<Record<OperationName, Rate>> = {
  AddTagsToStream: rate(5),
  CreateChannel: rate(5),
  CreateStream: rate(5),
  DecreaseStreamRetentionPeriod: rate(5, "stream"),
  DeleteChannel: rate(5),
  DeleteStream: rate(5),
  DeregisterStreamConsumer: rate(5, "stream"),
  DescribeAccountSettings: rate(5),
  DescribeChannel: rate(5),
  DescribeLimits: rate(1),
  DescribeStream: rate(10),
  DescribeStreamConsumer: rate(20, "stream"),
  DescribeStreamSummary: rate(20),
  GetShardIterator: rate(5, "shard"),
  IncreaseStreamRetentionPeriod: rate(5, "stream"),
  ListChannels: rate(5),
  ListShards: rate(1000, "stream"),
  ListStreamConsumers: rate(5, "stream"),
  ListStreams: rate(5),
  ListTagsForStream: rate(5),
  MergeShards: rate(5),
  RegisterStreamConsumer: rate(5, "stream"),
  RemoveTagsFromStream: rate(5),
  SplitShard: rate(5),
  UpdateAccountSettings: rate(5),
  UpdateChannel: rate(5),
  UpdateShardCount: rate(10),
  UpdateStreamWarmThroughput: rate(5),
};

/** Tanks that are kept; beyond that, the full ones are forgotten. */
const TANKS_MAX = 1024;

/** Counts the control calls of one engine. */
export class ControlRates {
  readonly #clock: Clock;
  readonly #enforced: boolean;
  readonly #tanks = new Map<string, Tank>();

  constructor(clock: Clock, enforced: boolean) {
    this.#clock = clock;
    this.#enforced = enforced;
  }

  /** Counts a call. @throws LimitExceededError when it is one too many; for GetShardIterator ThroughputExceededError. */
  count(facts: CallFacts): void {
    const limit = RATES[facts.operation];
    if (!this.#enforced || limit === undefined) return;
    const tank = this.#tankOf(keyOf(facts, limit), limit);
    if (tank.calls < 1) {
      throw tooMany(facts, limit, Math.ceil(((1 - tank.calls) / limit.perSecond) * 1000));
    }
    tank.calls -= 1;
  }

  #tankOf(key: string, { perSecond }: Rate): Tank {
    const nowMs = this.#clock.monotonicMs();
    let tank = this.#tanks.get(key);
    if (tank === undefined) {
      if (this.#tanks.size >= TANKS_MAX) this.#forgetIdle(nowMs);
      tank = { calls: perSecond, refilledMs: nowMs };
      this.#tanks.set(key, tank);
    }
    const gained = ((nowMs - tank.refilledMs) / 1000) * perSecond;
    tank.calls = Math.min(perSecond, tank.calls + gained);
    tank.refilledMs = nowMs;
    return tank;
  }

  /** After a second without a call, every tank is full again. */
  #forgetIdle(nowMs: number): void {
    for (const [key, { refilledMs }] of this.#tanks) {
      if (nowMs - refilledMs >= 1000) this.#tanks.delete(key);
    }
  }
}

function keyOf({ operation, streamName, shardIndexes }: CallFacts, { per }: Rate): string {
  if (per === "account") return operation;
  const key = `${operation}/${streamName ?? ""}`;
  return per === "stream" ? key : `${key}/${[...shardIndexes()].join()}`;
}

function tooMany(facts: CallFacts, { perSecond, per }: Rate, retryAfterMs: number): MillraceError {
  const { operation, streamName, shardIndexes } = facts;
  const details = { retryable: true, retryAfterMs, argument: "operation", value: operation };
  if (per === "shard") {
    const shardId = [...shardIndexes()].map(shardIdOf).join();
    const limit = `${perSecond} ${operation} calls per second`;
    return new ThroughputExceededError(
      `${ThroughputExceededError.text(shardId, streamName ?? "", limit)} Retry after ${retryAfterMs} ms.`,
      { ...details, limit },
    );
  }
  const limit = `${perSecond} calls per second and ${per}`;
  const about = per === "stream" ? ` of stream ${streamName ?? ""}` : "";
  return new LimitExceededError(
    `Rate exceeded for ${operation}${about} under account ${ACCOUNT_ID}. Limit: ${limit}. ` +
      `Retry after ${retryAfterMs} ms.`,
    { ...details, limit },
  );
}
