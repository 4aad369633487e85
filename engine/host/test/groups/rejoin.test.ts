/** Workers that join again from another context: the next leader watches the context that they are in now. */
import { expect, it } from "vitest";
import { memberLockName } from "../../src/platform/locks.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestEngine } from "../support/engines.ts";
import { createGroup, TestWorker } from "../support/groups.ts";
import { microtasks } from "../support/turns.ts";

/** More microtasks than giving a lease back, giving it out again and telling of it take. */
const MICROTASKS_MAX = 40;

it("is stored with its new context though a lease is being given to it", async () => {
  const wrong: number[] = [];
  for (let between = 0; between <= MICROTASKS_MAX; between += 1) {
    const platform = virtualPlatform();
    await platform.locks.acquire(memberLockName("test", "new"));
    const first = await TestEngine.open(platform);
    await createGroup(first.service, await first.createStream("clicks", 1));
    const moving = await TestWorker.join(first.service, "group", "moving", { memberId: null });
    await moving.poll(1000);
    const given = moving.release(0);
    await microtasks(between);
    const moved = await TestWorker.join(first.service, "group", "moving", { memberId: "new" });
    expect(moved.workerId).toBe("moving");
    await Promise.allSettled([given]);
    await microtasks(300);
    await first.service.close();
    const later = await TestEngine.open(platform);
    const { leases } = await later.service.call("groupsDescribe", { name: "group" });
    if (leases[0]?.owner?.memberId !== "new") wrong.push(between);
    await later.service.close();
  }
  expect(wrong).toEqual([]);
});
