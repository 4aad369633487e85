/** The browser platform in a browser: Web Locks between contexts, its clock and its stores. */
import { assert } from "chai";
import { deleteDB } from "idb";
import { browserPlatform } from "../../../engine/host/src/platform/browser-platform.ts";
import { writerLockName } from "../../../engine/host/src/platform/locks.ts";
import { databaseNameOf } from "../../../engine/host/src/storage/indexeddb-store.ts";

describe("the browser platform", () => {
  it("opens IndexedDB unless memory is asked for", async () => {
    const { stores } = browserPlatform();
    const durable = await stores.open("platform");
    const memory = await stores.open("platform", "memory");
    assert.deepEqual([durable.kind, durable.recoverable], ["indexeddb", true]);
    assert.deepEqual([memory.kind, memory.recoverable], ["memory", false]);
    await durable.close();
    await deleteDB(databaseNameOf("platform"));
  });

  it("gives a lock to one holder, and to the next one after its release", async () => {
    const { locks } = browserPlatform();
    const name = writerLockName("locks-release");
    const held = await locks.tryAcquire(name);
    assert.isDefined(held);
    assert.isUndefined(await locks.tryAcquire(name));
    held.release();
    const next = await waitForLock(name);
    next.release();
  });

  it("does not give a lock that another context holds, until that context dies", async () => {
    const name = writerLockName("locks-worker");
    const source = `navigator.locks.request(${JSON.stringify(name)}, () => {
      postMessage("held");
      return new Promise(() => {});
    });`;
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const worker = new Worker(url);
    await new Promise((resolve) => {
      worker.onmessage = resolve;
    });
    assert.isUndefined(await browserPlatform().locks.tryAcquire(name));
    worker.terminate();
    URL.revokeObjectURL(url);
    const held = await waitForLock(name);
    held.release();
  });

  it("has a clock that runs and timers that fire", async () => {
    const { clock } = browserPlatform();
    const started = clock.monotonicMs();
    let cancelled = true;
    clock.after(1, () => {
      cancelled = false;
    })();
    await new Promise<void>((resolve) => clock.after(10, resolve));
    assert.isAbove(clock.monotonicMs(), started);
    assert.isTrue(cancelled);
    assert.isAbove(clock.nowMs(), Date.UTC(2025, 0, 1));
  });

  it("fills Wasm memory with random bytes beyond the limit of one call", () => {
    const memory = new WebAssembly.Memory({ initial: 4 });
    const view = new Uint8Array(memory.buffer, 100, 200_000);
    browserPlatform().random.fill(view);
    assert.isTrue(view.subarray(0, 64).some((byte) => byte !== 0));
    assert.isTrue(view.subarray(-64).some((byte) => byte !== 0));
    assert.isTrue(new Uint8Array(memory.buffer, 0, 100).every((byte) => byte === 0));
  });
});

/** The browser frees a lock soon after its holder let go, not at once. */
async function waitForLock(name: string): Promise<{ release(): void }> {
  for (;;) {
    const held = await browserPlatform().locks.tryAcquire(name);
    if (held !== undefined) return held;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
