/** Platforms in Node: what they offer, and what they refuse in words. */

import { getEventListeners } from "node:events";
import { assert } from "chai";
import fc from "fast-check";
import { StorageUnavailableError } from "../../src/errors/store-errors.ts";
import { browserPlatform } from "../../src/platform/browser-platform.ts";
import { InProcessLocks } from "../../src/platform/in-process-locks.ts";
import { writerLockName } from "../../src/platform/locks.ts";
import { nodePlatform } from "../../src/platform/node-platform.ts";
import { SeededRandom } from "../../src/platform/seeded-random.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { noise, rejection } from "./log-store-contract.ts";

describe("the Node platform", () => {
  it("opens memory stores, which are not recoverable", async () => {
    const store = await nodePlatform().stores.open("a");
    assert.strictEqual(store.kind, "memory");
    assert.isFalse(store.recoverable);
    assert.strictEqual((await nodePlatform().stores.open("a", "memory")).kind, "memory");
  });

  it("refuses IndexedDB and says what works", async () => {
    const opened = nodePlatform().stores.open("a", "indexeddb");
    const error = await rejection(opened, StorageUnavailableError);
    assert.strictEqual(error.value, "indexeddb");
    assert.strictEqual(error.limit, '"memory" or "file"');
    assert.include(error.message, "Node");
    await rejection(nodePlatform().stores.open("a", "file"), StorageUnavailableError);
  });

  it("gives a writer lock to one engine of the process at a time", async () => {
    const name = writerLockName("shared");
    const first = await nodePlatform().locks.tryAcquire(name);
    assert.isDefined(first);
    assert.isUndefined(await nodePlatform().locks.tryAcquire(name));
    first.release();
    const second = await nodePlatform().locks.tryAcquire(name);
    assert.isDefined(second);
    first.release();
    assert.isUndefined(await nodePlatform().locks.tryAcquire(name));
    second.release();
  });

  it("has a clock that runs, and timers that can be cancelled", async () => {
    const { clock } = nodePlatform();
    const fired: string[] = [];
    const started = clock.monotonicMs();
    clock.after(1, () => fired.push("cancelled"))();
    await new Promise<void>((resolve) => {
      clock.after(5, resolve);
      const hold = setInterval(() => {}, 1000);
      clock.after(6, () => clearInterval(hold));
    });
    assert.isAbove(clock.monotonicMs(), started);
    assert.deepEqual(fired, []);
  });

  it("fills arrays beyond the limit of one call, and views into larger memory", () => {
    const memory = new Uint8Array(300_000);
    const view = memory.subarray(50_000, 250_000);
    assert.strictEqual(nodePlatform().random.fill(view), view);
    assert.isTrue(memory.subarray(0, 50_000).every((byte) => byte === 0));
    assert.isTrue(memory.subarray(250_000).every((byte) => byte === 0));
    for (let at = 50_000; at < 250_000; at += 1000) {
      assert.isTrue(memory.subarray(at, at + 1000).some((byte) => byte !== 0));
    }
  });
});

describe("the browser platform outside a browser", () => {
  it("says that there is no IndexedDB", async () => {
    const opened = browserPlatform().stores.open("a");
    const error = await rejection(opened, StorageUnavailableError);
    assert.include(error.message, "no IndexedDB");
  });

  it("never pretends to hold a lock where there are no Web Locks", async () => {
    const navigator = Object.getOwnPropertyDescriptor(globalThis, "navigator");
    Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
    try {
      const acquired = browserPlatform().locks.tryAcquire(writerLockName("a"));
      const error = await rejection(acquired, StorageUnavailableError);
      assert.include(error.message, "Web Locks");
    } finally {
      if (navigator === undefined) Reflect.deleteProperty(globalThis, "navigator");
      else Object.defineProperty(globalThis, "navigator", navigator);
    }
  });

  it("keeps memory stores apart from IndexedDB", async () => {
    assert.strictEqual((await browserPlatform().stores.open("a", "memory")).kind, "memory");
  });
});

describe("the virtual platform", () => {
  it("fires timers in the order they are due, at the time they are due", () => {
    const clock = new VirtualClock(1000);
    const fired: string[] = [];
    const note = (what: string) => () => fired.push(`${what}@${clock.nowMs()}`);
    clock.after(20, note("c"));
    clock.after(10, () => {
      note("a")();
      clock.after(5, note("b"));
      clock.after(50, note("late"));
    });
    clock.after(20, note("d"));
    clock.after(15, note("cancelled"))();
    clock.advanceBy(30);
    assert.deepEqual(fired, ["a@1010", "b@1015", "c@1020", "d@1020"]);
    assert.strictEqual(clock.nowMs(), 1030);
    assert.strictEqual(clock.pendingTimers, 1);
  });

  it("lets promises settle between timers", async () => {
    const clock = new VirtualClock(0);
    const seen: number[] = [];
    const loop = async (): Promise<void> => {
      for (let round = 0; round < 3; round += 1) {
        await new Promise<void>((resolve) => clock.after(10, resolve));
        seen.push(clock.monotonicMs());
      }
    };
    const done = loop();
    await clock.advance(30);
    await done;
    assert.deepEqual(seen, [10, 20, 30]);
  });

  it("moves the wall clock alone when it jumps", () => {
    const clock = new VirtualClock(5000);
    let fired = false;
    clock.after(10, () => {
      fired = true;
    });
    clock.jumpWall(-3000);
    assert.deepEqual([clock.nowMs(), clock.monotonicMs(), fired], [2000, 0, false]);
  });

  it("draws the same bytes from the same seed, and others from another", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (left, right) => {
        const draw = (seed: number): string =>
          new SeededRandom(seed).fill(new Uint8Array(32)).join();
        assert.strictEqual(draw(left), draw(left));
        if (left !== right) assert.notStrictEqual(draw(left), draw(right));
      }),
    );
  });

  it("spreads its bytes evenly", () => {
    const counts = new Array<number>(256).fill(0);
    for (const byte of new SeededRandom(42).fill(new Uint8Array(256 * 1000))) {
      counts[byte] = (counts[byte] ?? 0) + 1;
    }
    assert.isAbove(Math.min(...counts), 850);
    assert.isBelow(Math.max(...counts), 1150);
  });

  it("keeps its disks over a restart, and frees the locks of the dead", async () => {
    const before = virtualPlatform({ seed: 7 });
    const store = await before.stores.open("shop");
    assert.isTrue(store.recoverable);
    await store.appendFrame(1, noise(10), "strict");
    assert.isDefined(await before.locks.tryAcquire("writer"));
    const after = before.restart();
    assert.isDefined(await after.locks.tryAcquire("writer"));
    assert.deepEqual(await (await after.stores.open("shop")).frameNumbers(), [1]);
    assert.deepEqual(await (await after.stores.open("other")).frameNumbers(), []);
  });

  it("shares locks only within one object", async () => {
    const locks = new InProcessLocks();
    assert.isDefined(await locks.tryAcquire("a"));
    assert.isDefined(await locks.tryAcquire("b"));
    assert.isUndefined(await locks.tryAcquire("a"));
  });

  it("leaves nothing at a signal that many locks were wished with, and heeds it while they wait", async () => {
    const locks = new InProcessLocks();
    const wish = new AbortController();
    const { signal } = wish;
    for (let i = 0; i < 3; i++) (await locks.acquire("a", { signal })).release();
    const held = await locks.acquire("a", { signal });
    assert.lengthOf(getEventListeners(signal, "abort"), 0);
    const waiting = locks.acquire("a", { signal });
    assert.lengthOf(getEventListeners(signal, "abort"), 1);
    wish.abort(new TypeError("not wanted any more"));
    await rejection(waiting, TypeError);
    held.release();
    assert.isDefined(await locks.tryAcquire("a"));
  });
});
