/** Subscriptions to one shard that end at bad times, in virtual time. */
import { systemRandom } from "@millrace/engine";
import type { InputOf } from "@millrace/engine/model";
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../engine/host/src/platform/virtual-clock.ts";
import { PushedShard } from "../../src/remote/pushed-shard.ts";
import { RemoteCalls } from "../../src/remote/remote-calls.ts";
import { RemoteUnavailableError } from "../../src/remote/remote-errors.ts";
import { failureOf } from "../support.ts";

const BEGUN_MS = 1_700_000_000_000;
const EVENT = {
  SubscribeToShardEvent: { Records: [], ContinuationSequenceNumber: "7", MillisBehindLatest: 0 },
};

/** A shard that is pushed to; `streams` are the subscriptions' events, one after the other. */
function pushed(
  clock: VirtualClock,
  streams: (() => AsyncGenerator<unknown>)[],
  deadlineMs: number,
) {
  const positions: InputOf<"SubscribeToShard">["StartingPosition"][] = [];
  const stamps: number[] = [];
  const send = async (_operation: string, input: unknown): Promise<unknown> => {
    stamps.push(clock.monotonicMs());
    positions.push((input as InputOf<"SubscribeToShard">).StartingPosition);
    return { EventStream: streams.shift()?.() };
  };
  const surroundings = { clock, random: systemRandom, deadlineMs, place: "there" };
  const client = { send, close: () => undefined };
  const calls = new RemoteCalls({ ...client, another: async () => client }, surroundings);
  const shard = new PushedShard({
    ...{ calls, streamName: "clicks", consumerArn: "arn" },
    ...{ shard: { shardId: "shardId-000000000000" }, start: { type: "LATEST" } },
  });
  return { shard, positions, stamps };
}

describe("a pushed shard", () => {
  it("goes on from where LATEST was when it ends before its first event", async () => {
    const clock = new VirtualClock(BEGUN_MS);
    const broken = async function* (): AsyncGenerator<unknown> {
      yield await Promise.reject(new RemoteUnavailableError("it broke"));
    };
    const good = async function* (): AsyncGenerator<unknown> {
      yield EVENT;
    };
    const { shard, positions } = pushed(clock, [broken, good, good], 1000);
    const { signal } = new AbortController();
    const first = shard.next(signal);
    await clock.advance(10_000);
    await first;
    const second = shard.next(signal);
    await clock.advance(10_000);
    await second;
    expect(positions).toEqual([
      { Type: "LATEST" },
      { Type: "AT_TIMESTAMP", Timestamp: new Date(BEGUN_MS) },
      { Type: "AFTER_SEQUENCE_NUMBER", SequenceNumber: "7" },
    ]);
  });

  it("is subscribed to once a second at most, and given up where no subscription gives anything", async () => {
    const clock = new VirtualClock(BEGUN_MS);
    const events = async function* (given: number): AsyncGenerator<unknown> {
      for (let i = 0; i < given; i++) yield EVENT;
    };
    const given = [1, 0, 0, 1, ...Array.from({ length: 50 }, () => 0)];
    const streams = given.map((count) => () => events(count));
    const { shard, stamps } = pushed(clock, streams, 1000);
    const { signal } = new AbortController();
    for (let i = 0; i < 2; i++) {
      const next = shard.next(signal);
      await clock.advance(60_000);
      expect(await next).toMatchObject({ done: false });
    }
    const last = failureOf(shard.next(signal));
    await clock.advance(60_000);
    expect(await last).toBeInstanceOf(RemoteUnavailableError);
    // Four until the second event, then seven failures in a row.
    expect(stamps).toHaveLength(11);
    const betweenMs = stamps.slice(1).map((atMs, i) => atMs - (stamps[i] ?? 0));
    expect(Math.min(...betweenMs)).toBeGreaterThanOrEqual(1000);
  });

  it("waits for the next event for longer than the service may be silent", async () => {
    const clock = new VirtualClock(BEGUN_MS);
    const slow = async function* (): AsyncGenerator<unknown> {
      await new Promise<void>((resolve) => {
        clock.after(5000, resolve);
      });
      yield EVENT;
    };
    const { shard, positions } = pushed(clock, [slow, slow], 1000);
    const next = shard.next(new AbortController().signal);
    await clock.advance(6000);
    expect(await next).toMatchObject({ done: false });
    expect(positions).toHaveLength(1);
  });
});
