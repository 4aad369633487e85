import { describe, expect, it } from "vitest";
import { SHARD_SLOTS_MAX } from "../../src/log/shard-slots.ts";
import { RING } from "../../src/streams/hash-ranges.ts";
import { split } from "../../src/streams/lineage.ts";
import { resolvePosition } from "../../src/streams/positions.ts";
import type { StreamSpec } from "../../src/streams/stream-types.ts";
import { failureOf } from "../support/failures.ts";
import { openContext, type TestContext } from "../support/operations.ts";

const spec: StreamSpec = { name: "clicks", shards: 1, retentionHours: 24, recordKibMax: 1024 };

async function splitFirst(test: TestContext): Promise<void> {
  const { catalogue, log, clock } = test.context;
  await catalogue.change(() =>
    split(catalogue.get("clicks"), 0, RING / 2n, {
      nextShardUid: log.control.nextShardUid,
      nowMs: clock.nowMs(),
    }),
  );
}

describe("the catalogue", () => {
  it("describes a resharded stream with its open and closed shards", async () => {
    const test = await openContext();
    const { catalogue } = test.context;
    await catalogue.create(spec);
    await splitFirst(test);
    const described = catalogue.describe(catalogue.get("clicks"));
    expect(described).toMatchObject({
      mode: "PROVISIONED",
      distribution: "USER_PARTITION_KEY",
      status: "ACTIVE",
      shards: 2,
      openShards: [
        { shardIndex: 1, parentShardIndex: 0, startingHashKey: "0" },
        { shardIndex: 2, parentShardIndex: 0, endingHashKey: String(RING - 1n) },
      ],
      closedShards: [{ shardIndex: 0, closedMs: test.platform.clock.nowMs() }],
    });
    expect(described.openShards[0]).not.toHaveProperty("closedMs");
    expect(described.closedShards[0]?.endingSequenceNumber).toMatch(/^\d{56}$/);
    await test.close();
  });

  it("lets changes decide one after the other", async () => {
    const test = await openContext();
    const { catalogue } = test.context;
    const results = await Promise.allSettled([
      catalogue.create(spec),
      catalogue.create(spec),
      catalogue.create({ ...spec, name: "views" }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    const uids = catalogue.list().flatMap(({ uid, shards }) => [uid, ...shards.map((s) => s.uid)]);
    expect(uids).toEqual([1, 1, 2, 2]);
    await test.close();
  });

  it("goes on after a change that failed", async () => {
    const test = await openContext();
    const { catalogue } = test.context;
    const failed = catalogue.change(() => {
      throw new Error("no");
    });
    const created = catalogue.create(spec);
    await expect(failed).rejects.toThrow("no");
    expect((await created).name).toBe("clicks");
    await test.close();
  });

  it("refuses a mode or distribution that there is not", async () => {
    const test = await openContext();
    const { catalogue } = test.context;
    for (const wrong of [{ mode: "FAST" }, { distribution: "RANDOM" }]) {
      const failure = await failureOf(catalogue.create({ ...spec, ...wrong } as StreamSpec));
      expect(failure.code).toBe("InvalidArgumentException");
    }
    const automatic = await failureOf(catalogue.create({ ...spec, distribution: "AUTO" }));
    expect(automatic.code).toBe("ValidationException");
    await test.close();
  });

  it("never gives a sequence number twice to streams of one name, resharded or not", async () => {
    const test = await openContext();
    const { catalogue } = test.context;
    const seconds: number[] = [];
    for (let i = 0; i < 3; i++) {
      await catalogue.create(spec);
      await splitFirst(test);
      seconds.push(...new Set(catalogue.get("clicks").shards.map((one) => one.createdSeconds)));
      await catalogue.delete("clicks");
    }
    expect(seconds).toEqual([...seconds].sort((a, b) => a - b));
    expect(new Set(seconds).size).toBe(6);
    await test.close();
  });

  it("refuses shards when closed ones leave no room, until they expire", async () => {
    const test = await openContext();
    const { catalogue } = test.context;
    await catalogue.create({ ...spec, shards: 400 });
    expect(() => catalogue.requireRoom(100, SHARD_SLOTS_MAX - 400)).not.toThrow();
    expect(() => catalogue.requireRoom(100, SHARD_SLOTS_MAX - 399)).toThrow(
      "until their records expire",
    );
    expect(() => catalogue.requireRoom(101, 101)).toThrow(
      "Current shard count for the account: 400.",
    );
    await test.close();
  });
});

describe("a starting position without a shard", () => {
  it("covers the shards that can have records there", async () => {
    const test = await openContext();
    const { catalogue, log, clock } = test.context;
    await catalogue.create(spec);
    await test.advance(1000);
    await splitFirst(test);
    const closedMs = clock.nowMs();
    await test.advance(1000);
    const stream = catalogue.get("clicks");
    const covered = async (position: Parameters<typeof resolvePosition>[2]) =>
      (await resolvePosition(log, stream, position, undefined)).map((one) => one.shardIndex);
    expect(await covered({ type: "TRIM_HORIZON" })).toEqual([0, 1, 2]);
    expect(await covered({ type: "LATEST" })).toEqual([1, 2]);
    expect(await covered({ type: "AT_TIMESTAMP", timestampMs: closedMs })).toEqual([0, 1, 2]);
    expect(await covered({ type: "AT_TIMESTAMP", timestampMs: closedMs + 1 })).toEqual([1, 2]);
    await test.close();
  });
});
