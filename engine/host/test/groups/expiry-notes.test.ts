/** Notes of what a group lost with an expired shard: none outlives the group, its stream or its reset. */
import { expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { invoke } from "../support/encrypted-engines.ts";
import { someRecords, TestEngine } from "../support/engines.ts";
import { createGroup } from "../support/groups.ts";
import { microtasks, turns } from "../support/turns.ts";

const HOUR_MS = 3_600_000;
/** More microtasks than a sweep takes that drops a shard. */
const MICROTASKS_MAX = 30;

/** A group whose closed shard is sealed, and 25 hours old. */
async function begin(): Promise<TestEngine> {
  const platform = virtualPlatform();
  const engine = await TestEngine.open(platform);
  const stream = await engine.createStream();
  await createGroup(engine.service, stream);
  await engine.put(stream, someRecords(5));
  await invoke(engine, "SplitShard", {
    StreamName: "clicks",
    ShardToSplit: "shardId-000000000000",
    NewStartingHashKey: "1000000",
  });
  const { id } = await engine.service.call("openExport", {});
  await engine.service.call("closeExport", { id });
  platform.clock.advanceBy(25 * HOUR_MS);
  await turns(2);
  return engine;
}

const ends: Readonly<Record<string, (engine: TestEngine) => Promise<unknown>>> = {
  "the group is deleted": ({ service }) => service.call("groupsDelete", { name: "group" }),
  "the stream is deleted": ({ service }) => service.call("deleteStream", { name: "clicks" }),
  "the group begins anew": ({ service }) =>
    service.call("groupsReset", { name: "group", position: { type: "LATEST" } }),
};

it.each(Object.keys(ends))("%s while one of its shards expires", async (what) => {
  for (let between = 0; between <= MICROTASKS_MAX; between += 3) {
    const engine = await begin();
    const { service, platform } = engine;
    platform.clock.advanceBy(60_000);
    await microtasks(between);
    await ends[what]?.(engine);
    await turns(3);
    const [known] = await service.call("listStreams", {});
    if (what !== "the group begins anew") {
      await createGroup(service, known ?? (await engine.createStream()));
    }
    const { expired } = await service.call("groupsDescribe", { name: "group" });
    expect(expired, `${between} microtasks`).toEqual([]);
    await service.close();
  }
});

it("a shard that expires while the engine closes is noted, or expires later", async () => {
  for (let between = 0; between <= MICROTASKS_MAX; between += 1) {
    const engine = await begin();
    engine.platform.clock.advanceBy(60_000);
    await microtasks(between);
    await engine.service.close();
    const later = await TestEngine.open(engine.platform);
    const { expired } = await later.service.call("groupsDescribe", { name: "group" });
    const { Shards } = await invoke(later, "ListShards", { StreamName: "clicks" });
    const isThere = (Shards ?? []).some(({ ShardId }) => ShardId === "shardId-000000000000");
    expect(isThere || expired.length === 1, `${between} microtasks`).toBe(true);
    await later.service.close();
  }
});
