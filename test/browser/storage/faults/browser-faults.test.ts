/**
 * What the browser itself does to a store: no room left, and site data cleared under its feet.
 *
 * These tests need a browser of their own, and never raise the limit: a browser remembers for a while
 * how much room it once had.
 */
import { executeServerCommand } from "@web/test-runner-commands";
import { assert } from "chai";
import { deleteDB } from "idb";
import {
  OutcomeUnknownError,
  StoreFullError,
} from "../../../../engine/host/src/errors/store-errors.ts";
import {
  databaseNameOf,
  IndexedDbLogStore,
} from "../../../../engine/host/src/storage/indexeddb-store.ts";
import type { SegmentKey } from "../../../../engine/host/src/storage/log-store.ts";
import { noise, rejection } from "../../../../engine/host/test/storage/log-store-contract.ts";
import { describeNeeding } from "../../features.ts";

const describeWithDevTools = await describeNeeding("DevTools protocol");

function keyOf(ordinal: number): SegmentKey {
  return [1, ordinal, 0, 0, 0, 1];
}

/** Appends frames of `byteLength` until one is refused, and returns how many were taken and why not more. */
async function fill(
  store: IndexedDbLogStore,
  byteLength: number,
): Promise<{ frames: number; error: unknown }> {
  for (let frameNumber = (await store.lastFrameNumber()) + 1; frameNumber < 500; frameNumber += 1) {
    try {
      await store.appendFrame(frameNumber, noise(byteLength), "strict");
    } catch (error) {
      return { frames: frameNumber - 1, error };
    }
  }
  throw new Error("500 frames found room");
}

/** Browsers free the space of what was deleted a little later. */
async function onceThereIsRoom(write: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof StoreFullError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

describeWithDevTools("a browser without room", () => {
  const engineName = `full-${performance.timeOrigin}`;
  let store: IndexedDbLogStore;
  before(async () => {
    await executeServerCommand("limit-storage", 3_000_000);
  });
  beforeEach(async () => {
    store = await IndexedDbLogStore.open(engineName);
  });
  afterEach(async () => {
    await store.close();
    await deleteDB(databaseNameOf(engineName));
  });

  it("refuses a frame as StoreFullError, keeps all earlier ones, and takes more after a deletion", async () => {
    const { frames, error } = await fill(store, 200_000);
    assert.instanceOf(error, StoreFullError);
    assert.isAbove(frames, 2);
    const kept = Array.from({ length: frames }, (_, i) => i + 1);
    assert.deepEqual(await store.frameNumbers(), kept);
    assert.strictEqual((await store.readFrame(frames))?.byteLength, 200_000);
    await store.deleteFrames(kept.slice(0, -1));
    await onceThereIsRoom(() => store.appendFrame(frames + 1, noise(200_000), "strict"));
    assert.deepEqual(await store.frameNumbers(), [frames, frames + 1]);
  });

  it("refuses segments as StoreFullError, all of the call, and keeps all earlier ones", async () => {
    const images = new Map<number, Uint8Array>();
    const call = async (ordinal: number): Promise<void> => {
      const writes = [ordinal, ordinal + 1].map((n) => ({
        key: keyOf(n),
        image: noise(400_000).buffer,
      }));
      // The images are the store's once it has them.
      const copies = writes.map(({ image }) => new Uint8Array(image.slice(0)));
      await store.addSegments(writes);
      for (const [i, { key }] of writes.entries())
        images.set(key[1], copies[i] ?? new Uint8Array());
    };
    let error: unknown;
    for (let ordinal = 1; error === undefined && ordinal < 100; ordinal += 2) {
      await call(ordinal).catch((reason: unknown) => {
        error = reason;
      });
    }
    assert.instanceOf(error, StoreFullError);
    assert.isAbove(images.size, 2);
    assert.deepEqual(await store.segmentKeys(), [...images.keys()].map(keyOf));
    for (const [ordinal, image] of images) {
      assert.deepEqual(await store.readSegment(keyOf(ordinal)), image);
    }
    await store.deleteSegments([...images.keys()].map(keyOf));
    await onceThereIsRoom(() => call(1000));
    assert.deepEqual(await store.segmentKeys(), [keyOf(1000), keyOf(1001)]);
  });
});

describeWithDevTools("a browser whose site data is cleared", () => {
  it("reports the loss, leaves outcomes open until reopen, and is empty then", async () => {
    const engineName = `cleared-${performance.timeOrigin}`;
    const store = await IndexedDbLogStore.open(engineName);
    const lost = new Promise<string>((resolve) => store.onLost(resolve));
    await store.appendFrame(1, noise(1000), "strict");
    await executeServerCommand("clear-storage");
    assert.include(await lost, "closed the database");
    await rejection(store.appendFrame(2, noise(1000), "strict"), OutcomeUnknownError);
    await store.reopen();
    assert.deepEqual(await store.frameNumbers(), []);
    await store.close();
    await deleteDB(databaseNameOf(engineName));
  });
});
