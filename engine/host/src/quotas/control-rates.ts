/**
 * Rates of control operations, as AWS limits them per account, stream or shard. Off unless asked for:
 * a program under test should not have to wait for them.
 */
import { ACCOUNT_ID, LimitExceededError, ThroughputExceededError } from "../errors/index.ts";
import type { OperationName } from "../model/shapes.ts";
import type { Clock } from "../platform/platform.ts";
import { parseArn } from "../streams/arns.ts";

/** What shares one rate. */
type Scope = "account" | "stream" | "shard";

interface Rate {
  readonly perSecond: number;
  readonly scope: Scope;
}

/** Operations without a line of their own. */
const DEFAULT_RATE: Rate = { perSecond: 5, scope: "account" };

const RATES: Readonly<Partial<Record<OperationName, Rate>>> = {
  DescribeStream: { perSecond: 10, scope: "account" },
  DescribeStreamSummary: { perSecond: 20, scope: "account" },
  DescribeLimits: { perSecond: 1, scope: "account" },
  UpdateShardCount: { perSecond: 10, scope: "account" },
  ListShards: { perSecond: 1000, scope: "stream" },
  DeregisterStreamConsumer: { perSecond: 5, scope: "stream" },
  DescribeStreamConsumer: { perSecond: 20, scope: "stream" },
  ListStreamConsumers: { perSecond: 5, scope: "stream" },
  RegisterStreamConsumer: { perSecond: 5, scope: "stream" },
  GetShardIterator: { perSecond: 5, scope: "shard" },
};

/** Operations whose calls are limited elsewhere: by the shards' own quotas, and by the subscriptions. */
const ELSEWHERE: ReadonlySet<OperationName> = new Set<OperationName>([
  "PutRecord",
  "PutRecords",
  "GetRecords",
  "SubscribeToShard",
]);

/** Tanks that are kept; beyond that, the full ones are forgotten, which changes nothing. */
const TANKS_MAX = 4096;

/** Calls that are left, at a moment of the monotonic clock. */
interface Tank {
  readonly calls: number;
  readonly atMs: number;
}

/** Counts the calls of one engine. */
export class ControlRates {
  readonly #clock: Clock;
  readonly #enforced: boolean;
  readonly #tanks = new Map<string, Tank>();

  constructor(clock: Clock, enforced: boolean) {
    this.#clock = clock;
    this.#enforced = enforced;
  }

  /**
   * Lets a call pass, or refuses it. The tank of a rate holds the calls of one second.
   * @throws LimitExceededError, or ThroughputExceededError for GetShardIterator, with the time to wait.
   */
  admit(operation: OperationName, input: unknown): void {
    if (!this.#enforced || ELSEWHERE.has(operation)) return;
    const { perSecond, scope } = RATES[operation] ?? DEFAULT_RATE;
    const place = placeOf(scope, input);
    const key = `${operation} ${place}`;
    const nowMs = this.#clock.monotonicMs();
    const calls = this.#callsLeft(key, perSecond, nowMs);
    if (calls < 1) {
      throw refused(operation, place, perSecond, Math.ceil(((1 - calls) * 1000) / perSecond));
    }
    this.#tanks.set(key, { calls: calls - 1, atMs: nowMs });
    if (this.#tanks.size > TANKS_MAX) this.#forgetFull(nowMs);
  }

  #callsLeft(key: string, perSecond: number, nowMs: number): number {
    const tank = this.#tanks.get(key);
    if (tank === undefined) return perSecond;
    return Math.min(perSecond, tank.calls + ((nowMs - tank.atMs) / 1000) * perSecond);
  }

  /** Every tank is full again after a second. */
  #forgetFull(nowMs: number): void {
    for (const [key, { atMs }] of this.#tanks) if (nowMs - atMs >= 1000) this.#tanks.delete(key);
  }
}

/** What the call counts for, as messages name it; one that names no stream counts for the account. */
function placeOf(scope: Scope, input: unknown): string {
  const account = `account ${ACCOUNT_ID}`;
  const stream = scope === "account" ? undefined : streamNameOf(input);
  if (stream === undefined) return account;
  const shard = scope === "shard" ? textOf(input, "ShardId") : undefined;
  const place = `stream ${stream} under ${account}`;
  return shard === undefined ? place : `shard ${canonicalShardId(shard)} in ${place}`;
}

/** One shard has one tank, however its id is written. */
function canonicalShardId(shardId: string): string {
  const digits = /([0-9]+)$/.exec(shardId)?.[1]?.replace(/^0+/, "");
  return digits === undefined ? shardId : `shardId-${digits.padStart(12, "0")}`;
}

function streamNameOf(input: unknown): string | undefined {
  const name = textOf(input, "StreamName");
  if (name !== undefined) return name;
  const resource = parseArn(textOf(input, "StreamARN") ?? textOf(input, "ConsumerARN") ?? "");
  return resource === undefined || resource.kind === "channel" ? undefined : resource.streamName;
}

function textOf(input: unknown, member: string): string | undefined {
  if (typeof input !== "object" || input === null) return undefined;
  const value: unknown = Reflect.get(input, member);
  return typeof value === "string" ? value : undefined;
}

function refused(
  operation: OperationName,
  place: string,
  perSecond: number,
  retryAfterMs: number,
): LimitExceededError | ThroughputExceededError {
  const message =
    `Rate exceeded for ${place}. Limit: ${perSecond} calls of ${operation} per second; ` +
    `retry after ${retryAfterMs} ms.`;
  const details = { argument: operation, limit: perSecond, retryable: true, retryAfterMs };
  return operation === "GetShardIterator"
    ? new ThroughputExceededError(message, details)
    : new LimitExceededError(message, details);
}
