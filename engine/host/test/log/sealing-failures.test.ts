/** Failures of sealing that are over: they stand in nobody's way any more. */
import { expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestLog } from "../support/logs.ts";
import { someRecords } from "../support/records.ts";
import { turns } from "../support/turns.ts";

const MIB = 1_048_576;

it("a checkpoint needs no segment that went with its stream", async () => {
  const platform = virtualPlatform();
  const log = await TestLog.open(platform);
  const { uid } = await log.createStream();
  await log.createStream("other");
  await log.put(someRecords(5, 1000));
  platform.stores.faults.add({ kind: "abort", nth: 1, operations: ["addSegments"] });
  await expect(log.log.checkpoint()).rejects.toThrow("addSegments");
  await log.log.change([{ kind: "stream-deleted", streamUid: uid }]);
  await log.log.checkpoint();
  expect(log.log.status().sealFailure).toBeUndefined();
  await log.log.close();
});

it("segments whose declaration found no room are sealed by the next checkpoint", async () => {
  const platform = virtualPlatform();
  const log = await TestLog.open(platform);
  await log.createStream("clicks", 4);
  await log.put(someRecords(40, 1000));
  const checkpoint = log.log.checkpoint();
  // Its first frame is on its way: the next one declares the segments.
  platform.stores.faults.add({ kind: "full", nth: 1, operations: ["appendFrame"] });
  await expect(checkpoint).rejects.toThrow("appendFrame");
  await log.log.checkpoint();
  expect(log.log.status().segments).toBe(4);
  await log.log.close();
});

it("a put does not wait for the next attempt of a sealing that has succeeded since", async () => {
  const platform = virtualPlatform();
  const log = await TestLog.open(platform, { arenaBytesMax: 4 * MIB });
  await log.createStream();
  await log.put(someRecords(1, 1000));
  platform.stores.faults.add({ kind: "full", nth: 1, operations: ["addSegments"] });
  await expect(log.log.checkpoint()).rejects.toThrow("addSegments");
  await log.log.checkpoint();
  await log.put(someRecords(1, 50_000));
  let done = false;
  const put = log.put(someRecords(5, 410_000)).then(() => {
    done = true;
  });
  await turns(4);
  expect(done).toBe(true);
  await put;
  await log.log.close();
});
