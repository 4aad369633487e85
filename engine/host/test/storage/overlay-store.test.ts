/** The overlay store: its contract, and that what lies below stays as it is. */
import { assert } from "chai";
import type { SegmentKey } from "../../src/storage/log-store.ts";
import { MemoryDisk } from "../../src/storage/memory-disk.ts";
import { MemoryLogStore } from "../../src/storage/memory-store.ts";
import { OverlayStore } from "../../src/storage/overlay-store.ts";
import { logStoreContract, noise } from "./log-store-contract.ts";

logStoreContract("overlay", async () => {
  const disk = new MemoryDisk();
  const store = await OverlayStore.open(async () => new MemoryLogStore({ disk }));
  // What is written lies in this very store.
  const openAgain = async (): Promise<OverlayStore> => {
    await store.reopen();
    return store;
  };
  return { store, openAgain, dispose: () => store.close() };
});

describe("the overlay store", () => {
  const older: SegmentKey = [1, 1, 1, 10, 20, 1];
  const newer: SegmentKey = [1, 2, 5, 20, 30, 2];

  it("shows what lies below with all changes, and changes nothing there", async () => {
    const below = new MemoryLogStore();
    const frames = [noise(100), noise(200), noise(300)];
    for (const [i, frame] of frames.entries()) await below.appendFrame(i + 1, frame, "strict");
    const image = noise(500);
    await below.addSegments([{ key: older, image: image.slice().buffer }]);
    const overlay = await OverlayStore.open(async () => below);
    await overlay.deleteFrames([1, 99]);
    await overlay.appendFrame(4, noise(50), "strict");
    await overlay.addSegments([{ key: newer, image: noise(60).buffer }]);
    assert.deepEqual(await overlay.frameNumbers(), [2, 3, 4]);
    assert.strictEqual(await overlay.lastFrameNumber(), 4);
    const read = await overlay.readFrames(1, 4);
    assert.deepEqual(
      read.map(({ frameNumber, bytes }) => [frameNumber, bytes.byteLength]),
      [
        [2, 200],
        [3, 300],
        [4, 50],
      ],
    );
    assert.isUndefined(await overlay.readFrame(1));
    assert.deepEqual(await overlay.segmentKeys(), [older, newer]);
    assert.deepEqual(await overlay.readSegment(older), image);
    await overlay.deleteSegments([older]);
    assert.isUndefined(await overlay.readSegment(older));
    assert.deepEqual(await overlay.segmentKeys(), [newer]);
    assert.deepEqual(await below.frameNumbers(), [1, 2, 3]);
    assert.deepEqual(await below.readFrame(1), frames[0]);
    assert.deepEqual(await below.segmentKeys(), [older]);
    assert.deepEqual(await below.readSegment(older), image);
  });
});
