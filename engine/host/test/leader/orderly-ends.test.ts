/** Contexts that end, fail or lose their lock while they take the lead: nothing is held, nothing hangs. */
import { describe, expect, it } from "vitest";
import { EngineFailedError, StoreFailedError } from "../../src/errors/index.ts";
import { Campaign, type Next } from "../../src/leader/campaign.ts";
import type { HeldLock, Locks, LockWish, Platform } from "../../src/platform/platform.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";
import type { EngineService } from "../../src/service/engine-service.ts";
import { Tabs } from "../support/members.ts";

type Opening = (platform: Platform) => Promise<EngineService>;

/** Openings whose engines do something else before they tell their epoch; `closed` counts the ones that were closed. */
function beforeEpoch(act: () => Promise<void>): {
  wrap: (open: Opening) => Opening;
  closed: () => number;
} {
  let closed = 0;
  return {
    closed: () => closed,
    wrap: (open) => async (platform) => {
      const engine = await open(platform);
      return {
        call: async (operation, ...given) => {
          if (operation === "memberStatus") await act();
          return await engine.call(operation, ...given);
        },
        put: (...given) => engine.put(...given),
        read: (...given) => engine.read(...given),
        commitEpoch: (...given) => engine.commitEpoch(...given),
        close: async () => {
          closed += 1;
          await engine.close();
        },
      };
    },
  };
}

describe("a context that takes the lead", () => {
  it("closes in the middle of it, and the next one leads", async () => {
    const tabs = new Tabs();
    const first = await tabs.open();
    let go: () => void = () => undefined;
    let asked = false;
    const { wrap } = beforeEpoch(async () => {
      asked = true;
      await new Promise<void>((resolve) => {
        go = resolve;
      });
    });
    const second = await tabs.open({ wrap });
    first.context.kill();
    await tabs.pass(1000);
    expect(asked).toBe(true);
    const closing = second.service.close();
    go();
    await tabs.until(closing);
    expect((await (await tabs.open()).status()).role).toBe("leader");
  });

  it("closes an engine that fails right after it was opened", async () => {
    const tabs = new Tabs();
    const error = new StoreFailedError("no");
    const { wrap, closed } = beforeEpoch(() => Promise.reject(error));
    await expect(tabs.open({ wrap })).rejects.toBe(error);
    expect(closed()).toBe(1);
    expect((await (await tabs.open()).status()).role).toBe("leader");
  });
});

describe("a leader whose engine failed and does not close", () => {
  it("keeps nobody waiting for a second", async () => {
    const tabs = new Tabs();
    const first = await tabs.open({
      wrap: (open) => async (platform) => {
        const engine = await open(platform);
        return {
          call: (...given) => engine.call(...given),
          read: (...given) => engine.read(...given),
          commitEpoch: (...given) => engine.commitEpoch(...given),
          put: () => Promise.reject(new EngineFailedError("the store is gone")),
          close: () => new Promise(() => undefined),
        };
      },
    });
    const second = await tabs.open();
    const stream = await tabs.createStream(second);
    const { clock } = tabs.platform;
    const startedMs = clock.monotonicMs();
    const put = second.put(stream, "a");
    await tabs.until(put);
    expect(clock.monotonicMs() - startedMs).toBeLessThan(1000);
    expect((await second.status()).role).toBe("leader");
    expect((await first.status()).role).toBe("follower");
  });
});

/** Locks that are always to be had; what was wished for, and how many are held. */
function easyLocks(onWish: () => void = () => undefined): {
  locks: Locks;
  wishes: LockWish[];
  held: () => number;
} {
  const wishes: LockWish[] = [];
  let held = 0;
  const acquire = async (_name: string, wish: LockWish = {}): Promise<HeldLock> => {
    wishes.push(wish);
    onWish();
    held += 1;
    let released = false;
    const release = (): void => {
      if (!released) held -= 1;
      released = true;
    };
    return { release, stolen: new Promise(() => undefined) };
  };
  return { locks: { acquire, tryAcquire: (name) => acquire(name) }, wishes, held: () => held };
}

describe("a campaign", () => {
  it("steals nothing any more once the lock was granted", async () => {
    let campaign: Campaign | undefined;
    const terms: Next[] = ["again", "never"];
    const { locks, wishes } = easyLocks(() => campaign?.steal());
    campaign = new Campaign({
      ...{ clock: new VirtualClock(0), locks, lockName: "writer" },
      lead: async () => terms.shift() ?? "never",
      refused: () => undefined,
    });
    await campaign.run();
    expect(wishes.map(({ steal }) => steal ?? false)).toEqual([false, false]);
  });

  it("lets the lock go whatever becomes of a term", async () => {
    const { locks, held } = easyLocks();
    const clock = new VirtualClock(0);
    const campaign = new Campaign({
      ...{ clock, locks, lockName: "writer" },
      lead: async () => Promise.reject(new Error("a defect")),
      refused: () => campaign.stop(),
    });
    await campaign.run();
    expect(held()).toBe(0);
  });

  it("does not lead any more once it was stopped", async () => {
    let campaign: Campaign | undefined;
    const { locks, held } = easyLocks(() => campaign?.stop());
    let led = 0;
    campaign = new Campaign({
      ...{ clock: new VirtualClock(0), locks, lockName: "writer" },
      lead: async () => {
        led += 1;
        return "again";
      },
      refused: () => undefined,
    });
    await campaign.run();
    expect([led, held()]).toEqual([0, 0]);
  });
});
