/** The memory store: its contract, its faults, and its disk under a power cut. */
import { assert } from "chai";
import fc from "fast-check";
import {
  OutcomeUnknownError,
  StoreFailedError,
  StoreFullError,
} from "../../src/errors/store-errors.ts";
import { type FaultKind, FaultPlan } from "../../src/storage/fault-plan.ts";
import type { SegmentKey } from "../../src/storage/log-store.ts";
import { MemoryDisk } from "../../src/storage/memory-disk.ts";
import { MemoryLogStore } from "../../src/storage/memory-store.ts";
import { logStoreContract, noise, rejection } from "./log-store-contract.ts";

logStoreContract("memory", async () => {
  const store = new MemoryLogStore();
  return {
    store,
    openAgain: async () => new MemoryLogStore({ disk: store.disk }),
    dispose: () => store.close(),
  };
});

const expectations: Record<
  Exclude<FaultKind, "none">,
  { error: typeof StoreFailedError; written: boolean; down: boolean }
> = {
  abort: { error: StoreFailedError, written: false, down: false },
  full: { error: StoreFullError, written: false, down: false },
  "unknown-written": { error: OutcomeUnknownError, written: true, down: false },
  "unknown-not-written": { error: OutcomeUnknownError, written: false, down: false },
  "crash-written": { error: OutcomeUnknownError, written: true, down: true },
  "crash-not-written": { error: OutcomeUnknownError, written: false, down: true },
};

describe("faults of the memory store", () => {
  for (const [kind, expected] of Object.entries(expectations)) {
    it(`${kind}: the second append fails as planned, and only it`, async () => {
      const faults = new FaultPlan([
        { kind: kind as FaultKind, nth: 2, operations: ["appendFrame"] },
      ]);
      const store = new MemoryLogStore({ faults });
      await store.appendFrame(1, noise(8), "strict");
      await store.frameNumbers();
      await rejection(store.appendFrame(2, noise(8), "strict"), expected.error);
      assert.deepEqual(store.disk.frameNumbers(), expected.written ? [1, 2] : [1]);
      if (expected.down) await rejection(store.frameNumbers(), OutcomeUnknownError);
      await store.reopen();
      await store.appendFrame(3, noise(8), "strict");
      assert.strictEqual(await store.lastFrameNumber(), 3);
    });
  }

  it("counts the calls of all operations when none is named", async () => {
    const faults = new FaultPlan([{ kind: "abort", nth: 3 }]);
    const store = new MemoryLogStore({ faults });
    await store.segmentKeys();
    await store.appendFrame(1, noise(8), "strict");
    await rejection(store.readFrame(1), StoreFailedError);
    assert.isDefined(await store.readFrame(1));
    assert.deepEqual(faults.operations, ["segmentKeys", "appendFrame", "readFrame", "readFrame"]);
  });

  it("holds a delayed call, and every later one behind it", async () => {
    let proceed: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      proceed = resolve;
    });
    const store = new MemoryLogStore({ faults: new FaultPlan([{ kind: "none", nth: 1, until }]) });
    const settled: number[] = [];
    const first = store.appendFrame(1, noise(8), "strict").then(() => settled.push(1));
    const second = store.appendFrame(2, noise(8), "strict").then(() => settled.push(2));
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(settled, []);
    assert.deepEqual(store.disk.frameNumbers(), []);
    proceed();
    await Promise.all([first, second]);
    assert.deepEqual(settled, [1, 2]);
  });

  it("does not write a delayed call whose connection was dropped meanwhile", async () => {
    let proceed: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      proceed = resolve;
    });
    const store = new MemoryLogStore({ faults: new FaultPlan([{ kind: "none", nth: 1, until }]) });
    const zombie = rejection(store.appendFrame(1, noise(8), "strict"), OutcomeUnknownError);
    await store.reopen();
    await store.appendFrame(1, noise(9), "strict");
    proceed();
    await zombie;
    assert.strictEqual((await store.readFrame(1))?.byteLength, 9);
  });

  it("tells its listeners when the connection is lost, and fails until it is reopened", async () => {
    const store = new MemoryLogStore();
    const reasons: string[] = [];
    store.onLost((reason) => reasons.push(reason));
    store.lose("site data was cleared");
    await rejection(store.appendFrame(1, noise(8), "strict"), OutcomeUnknownError);
    assert.deepEqual(reasons, ["site data was cleared"]);
    await store.reopen();
    await store.appendFrame(1, noise(8), "strict");
  });

  it("refuses a fault that could never come due", () => {
    assert.throws(() => new FaultPlan([{ kind: "abort", nth: 0 }]), RangeError);
  });
});

describe("the memory disk", () => {
  it("is full at its capacity, and takes writes again after a deletion", async () => {
    const store = new MemoryLogStore({ disk: new MemoryDisk({ capacityBytes: 1000 }) });
    await store.appendFrame(1, noise(600), "strict");
    const error = await rejection(store.appendFrame(2, noise(500), "strict"), StoreFullError);
    assert.isTrue(error.retryable);
    assert.strictEqual(error.limit, 1000);
    await store.deleteFrames([1]);
    await store.appendFrame(2, noise(500), "strict");
    const expected = { usageBytes: 500, quotaBytes: 1000, persistent: false };
    assert.deepEqual(await store.usage(), expected);
  });

  it("loses relaxed frames in a power cut, and keeps what a strict write synced", async () => {
    const store = new MemoryLogStore();
    await store.appendFrame(1, noise(8), "relaxed");
    await store.appendFrame(2, noise(8), "strict");
    await store.appendFrame(3, noise(8), "relaxed");
    await store.appendFrame(4, noise(8), "relaxed");
    assert.strictEqual(store.disk.powerCut(), 2);
    assert.deepEqual(store.disk.frameNumbers(), [1, 2]);
  });

  it("brings back what was deleted since the last strict write", async () => {
    const store = new MemoryLogStore();
    const key: SegmentKey = [1, 1, 0, 0, 0, 1];
    await store.appendFrame(1, noise(8), "strict");
    await store.addSegments([{ key, image: noise(8).buffer }]);
    await store.deleteFrames([1]);
    await store.deleteSegments([key]);
    assert.strictEqual(store.disk.usedBytes, 0);
    store.disk.powerCut();
    assert.deepEqual(store.disk.frameNumbers(), [1]);
    assert.deepEqual(store.disk.segmentKeys(), [key]);
    assert.strictEqual(store.disk.usedBytes, 16);
  });

  it("keeps a prefix of the changes after the last strict one, and everything up to it", () => {
    const change = fc.record({
      strict: fc.boolean(),
      deletes: fc.option(fc.nat(30), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), fc.nat(30), (changes, changesKept) => {
        const disk = new MemoryDisk();
        // The contents after each change since the last strict one; the first is what is synced.
        let states: string[] = ["[]"];
        for (const [i, { strict, deletes }] of changes.entries()) {
          if (deletes === undefined) disk.addFrame(i, noise(1), strict ? "strict" : "relaxed");
          else disk.deleteFrames([deletes]);
          const state = JSON.stringify(disk.frameNumbers());
          states = strict && deletes === undefined ? [state] : [...states, state];
        }
        disk.powerCut(changesKept);
        const expected = states[Math.min(changesKept, states.length - 1)];
        assert.strictEqual(JSON.stringify(disk.frameNumbers()), expected);
        assert.strictEqual(disk.usedBytes, disk.frameNumbers().length);
      }),
    );
  });

  it("does not hold on to what was deleted when nothing on it survives anyway", async () => {
    const store = new MemoryLogStore({ recoverable: false });
    await store.appendFrame(1, noise(8), "relaxed");
    await store.deleteFrames([1]);
    assert.strictEqual(store.disk.unsyncedChanges, 0);
    assert.deepEqual(await store.frameNumbers(), []);
  });

  it("is damaged by an overwrite, and unharmed for readers of earlier copies", async () => {
    const store = new MemoryLogStore();
    await store.appendFrame(1, noise(8), "strict");
    const before = await store.readFrame(1);
    store.disk.overwriteFrame(1, new Uint8Array(3));
    assert.strictEqual((await store.readFrame(1))?.byteLength, 3);
    assert.strictEqual(before?.byteLength, 8);
    store.disk.overwriteFrame(1, undefined);
    assert.isUndefined(await store.readFrame(1));
  });
});
