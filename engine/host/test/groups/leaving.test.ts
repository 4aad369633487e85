/** Workers that leave: whatever is being changed meanwhile, nothing of theirs is left to a later leader to wait for. */
import { expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestEngine } from "../support/engines.ts";
import { createGroup, TestWorker } from "../support/groups.ts";
import { microtasks } from "../support/turns.ts";

/** More microtasks than giving a lease back, giving it out again and telling of it take. */
const MICROTASKS_MAX = 150;

it.each([1, 2])(
  "a worker of %i leaves while leases that it gave back are given out",
  async (shards) => {
    for (let between = 0; between <= MICROTASKS_MAX; between += 1) {
      const platform = virtualPlatform();
      const first = await TestEngine.open(platform);
      await createGroup(first.service, await first.createStream("clicks", shards));
      const leaving = await TestWorker.join(first.service, "group", "leaving");
      await leaving.poll(1000);
      const given = leaving.leases.map(({ shardIndex }) => leaving.release(shardIndex));
      expect(given.length).toBe(shards);
      await microtasks(between);
      await leaving.leave();
      await first.service.close();
      await Promise.allSettled(given);
      const later = await TestEngine.open(platform);
      const { leases } = await later.service.call("groupsDescribe", { name: "group" });
      expect(
        leases.map(({ owner }) => owner),
        `${between} microtasks`,
      ).toEqual(leases.map(() => null));
      const next = await TestWorker.join(later.service, "group", "next");
      expect((await next.poll(1000, 1)).length, `${between} microtasks`).toBe(shards);
      await later.service.close();
    }
  },
);

it("what a worker that leaves gives back goes to others, although they have more", async () => {
  const engine = await TestEngine.open(virtualPlatform());
  const { service } = engine;
  await createGroup(service, await engine.createStream("clicks", 3));
  const leaving = await TestWorker.join(service, "group", "leaving", { leasesMax: 2 });
  await microtasks(MICROTASKS_MAX);
  const other = await TestWorker.join(service, "group", "other");
  await microtasks(MICROTASKS_MAX);
  expect((await leaving.poll()).length).toBe(2);
  await leaving.release(0, true);
  await microtasks(MICROTASKS_MAX);
  expect((await other.poll()).map(({ shardIndex }) => shardIndex)).toEqual([0, 2]);
  // The other one is still its own, and nobody asks it for that.
  expect(await leaving.poll()).toMatchObject([{ shardIndex: 1, handOver: false }]);
  await leaving.leave();
  await microtasks(MICROTASKS_MAX);
  expect((await other.poll()).length).toBe(3);
  await service.close();
});
