/** Workers that leave while the leader changes: nothing of theirs is left to the next leader to wait for. */
import { expect, it } from "vitest";
import { createGroup, TestWorker } from "../support/groups.ts";
import { Tabs } from "../support/members.ts";
import { microtasks } from "../support/turns.ts";

/** Far less than the time after which a worker that is not heard of is dead (10 s). */
const AT_ONCE_MS = 4000;

it.each(["closes", "is killed"])(
  "leaves while the leader %s",
  async (how) => {
    const slow: string[] = [];
    for (const order of ["leave first", "end first"]) {
      for (let between = 0; between <= 60; between += 20) {
        const tabs = new Tabs();
        const { clock } = tabs.platform;
        const leader = await tabs.open();
        const tab = await tabs.open();
        const stream = await tabs.createStream(leader);
        await tabs.until(createGroup(leader.service, stream));
        const { memberId } = await tab.status();
        const leaving = await tabs.until(
          TestWorker.join(tab.service, "group", "leaving", { memberId }),
        );
        await tabs.until(leaving.poll(1000));
        if (leaving.leases.length === 0) await tabs.until(leaving.poll(1000));
        expect(leaving.leases.length).toBe(1);
        const end = (): Promise<void> =>
          how === "closes" ? leader.service.close() : Promise.resolve(leader.context.kill());
        let left: Promise<unknown>;
        let ended: Promise<void>;
        if (order === "leave first") {
          left = leaving.leave();
          await microtasks(between);
          ended = end();
        } else {
          ended = end();
          await microtasks(between);
          left = leaving.leave();
        }
        await tabs.until(left);
        await tabs.until(ended);
        const startedMs = clock.monotonicMs();
        const next = await tabs.until(TestWorker.join(tab.service, "group", "next", { memberId }));
        for (let i = 0; i < 40 && next.leases.length === 0; i += 1)
          await tabs.until(next.poll(500));
        const tookMs = clock.monotonicMs() - startedMs;
        if (tookMs > AT_ONCE_MS) slow.push(`${order}, ${between} microtasks: ${tookMs} ms`);
        await tabs.until(tab.service.close());
      }
    }
    expect(slow).toEqual([]);
  },
  60_000,
);
