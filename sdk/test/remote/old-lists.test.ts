/** Readings of a stream that is resharded while ListShards is a little old, in virtual time. */
import { ResourceNotFoundError, systemRandom } from "@millrace/engine";
import type { OutputOf, StructureOf } from "@millrace/engine/model";
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../engine/host/src/platform/virtual-clock.ts";
import { checkReadOptions } from "../../src/read-options.ts";
import { RemoteBatch } from "../../src/remote/remote-batch.ts";
import { RemoteCalls } from "../../src/remote/remote-calls.ts";
import { childrenIn, shardOf } from "../../src/remote/remote-description.ts";
import { RemoteReader } from "../../src/remote/remote-reader.ts";
import type { ShardSource, SourceAnswer } from "../../src/remote/shard-source.ts";
import { failureOf } from "../support.ts";

const BEGUN_MS = 1_700_000_000_000;
const NUMBER = "49590338271490256608559692538361571095921575989136588898";

const idOf = (index: number): string => `shardId-${`${index}`.padStart(12, "0")}`;

/** A shard as ListShards has it. */
function shard(index: number, state: "open" | "closed", parent?: number): StructureOf<"Shard"> {
  return {
    ShardId: idOf(index),
    HashKeyRange: { StartingHashKey: "0", EndingHashKey: "1" },
    SequenceNumberRange: {
      StartingSequenceNumber: NUMBER,
      ...(state === "closed" ? { EndingSequenceNumber: NUMBER } : {}),
    },
    ...(parent === undefined ? {} : { ParentShardId: idOf(parent) }),
  };
}

/** The one record of a closed shard, named as it. */
function onlyAnswer(shardId: string): SourceAnswer {
  const record = {
    SequenceNumber: NUMBER,
    PartitionKey: shardId,
    Data: new TextEncoder().encode(shardId),
  };
  const [millisBehindLatest, readMs] = [0, BEGUN_MS];
  const parts = { shardId, records: [record], millisBehindLatest, closed: true, readMs };
  return { batch: new RemoteBatch(parts), done: true };
}

/** A reading for ever. `lists` are what ListShards gives, one after the other; then the stream is not there any more. */
function readingOf(clock: VirtualClock, lists: StructureOf<"Shard">[][]) {
  const stamps: number[] = [];
  const send = async (): Promise<OutputOf<"ListShards">> => {
    stamps.push(clock.monotonicMs());
    const Shards = lists.shift();
    if (Shards === undefined) throw new ResourceNotFoundError("it was deleted");
    return { Shards };
  };
  const client = { send, close: () => undefined };
  const surroundings = { clock, random: systemRandom, deadlineMs: 1000, place: "there" };
  const calls = new RemoteCalls({ ...client, another: async () => client }, surroundings);
  const reader = new RemoteReader({
    ...{ calls, streamName: "clicks" },
    options: checkReadOptions({ from: "TRIM_HORIZON", until: "live" }),
    open: async ({ shardId }): Promise<ShardSource> => ({
      next: async () => onlyAnswer(shardId),
      close: () => undefined,
    }),
  });
  const next = async (): Promise<string | undefined> => {
    const batch = reader.next();
    batch.catch(() => undefined);
    await clock.advance(30_000);
    return (await batch).value?.text(0);
  };
  return { next, stamps };
}

describe("a live reading", () => {
  it("waits for a closed shard's children that are not listed yet, and is told when the stream goes", async () => {
    const clock = new VirtualClock(BEGUN_MS);
    const before = [shard(0, "open")];
    const after = [shard(0, "closed"), shard(1, "closed", 0), shard(2, "closed", 0)];
    const { next, stamps } = readingOf(clock, [before, before, before, after, after]);
    expect(await next()).toBe(idOf(0));
    expect([await next(), await next()].sort()).toEqual([idOf(1), idOf(2)]);
    expect(await failureOf(next())).toBeInstanceOf(ResourceNotFoundError);
    // Not again and again without a pause.
    expect(stamps[2]).toBeGreaterThan(stamps[1] ?? 0);
  });

  it("keeps the shards that it knows when a later list is older than the one before", async () => {
    const clock = new VirtualClock(BEGUN_MS);
    const first = [shard(0, "open")];
    const split = [shard(0, "closed"), shard(1, "open", 0), shard(2, "open", 0)];
    const all = [...split, shard(3, "open", 1), shard(4, "open", 2)];
    const { next } = readingOf(clock, [
      first,
      split,
      first,
      ...Array.from({ length: 9 }, () => all),
    ]);
    const read = [];
    for (let i = 0; i < 5; i++) read.push(await next());
    expect(read.sort()).toEqual([0, 1, 2, 3, 4].map(idOf));
  });
});

describe("what came of a shard", () => {
  it("is not known from a list that is too old, and never of a shard that retention removed", () => {
    const parents = [shardOf(shard(7, "closed"))];
    const children = [shard(8, "open", 7), shard(9, "open", 7)].map(shardOf);
    expect(childrenIn(parents, 7)).toBeUndefined();
    expect(childrenIn([...parents, ...children], 7)).toEqual(children);
    expect(childrenIn(children, 7)).toEqual(children);
    expect(childrenIn([shardOf(shard(12, "open", 8))], 7)).toEqual([]);
  });
});
