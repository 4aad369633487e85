/** Records that are encrypted at rest: over recovery, beside others in one frame, damaged, moved, and without their key. */
import { SECTION_RECORDS } from "@millrace/core/layout";
import { describe, expect, it, vi } from "vitest";
import { encryptionOf } from "../../src/log/data-keys.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import {
  encrypt,
  encryptedFrames,
  keysOf,
  numbers,
  range,
  reopened,
  shred,
  stopEncrypting,
  storeOf,
} from "../support/encrypted-logs.ts";
import { TestLog } from "../support/logs.ts";
import { someRecords } from "../support/records.ts";
import { diskContains, marked } from "../support/secrets.ts";

describe("encrypted records", () => {
  it("come back after a recovery from the WAL, and are nowhere in plain text", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 3);
    await encrypt(log);
    await log.put(someRecords(40));
    await log.put(marked("in the WAL", 40));
    expect(await diskContains(storeOf(platform), "in the WAL")).toBe(false);
    expect((await encryptedFrames(platform)).length).toBeGreaterThan(0);
    const again = await reopened(platform);
    expect(again.log.losses).toEqual([]);
    expect(await numbers(again)).toEqual(range(0, 41));
    await again.put(someRecords(5, 100, 41));
    expect(await numbers(again)).toEqual(range(0, 46));
    await again.log.close();
  });

  it("come back from segments, and are nowhere in plain text there either", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 2);
    await encrypt(log);
    for (let i = 0; i < 20; i++) await log.put(someRecords(20, 2000, i * 20));
    await log.put(marked("in a segment", 400));
    await log.log.checkpoint();
    expect(await numbers(log)).toEqual(range(0, 401));
    expect(await diskContains(storeOf(platform), "in a segment")).toBe(false);
    expect(await encryptedFrames(platform)).toEqual([]);
    const again = await reopened(platform);
    expect(await numbers(again)).toEqual(range(0, 401));
    expect(again.log.losses).toEqual([]);
    expect(again.log.status().segments).toBeGreaterThan(0);
    await again.log.close();
  });

  it("are those from the next frame on after the start and up to the stop", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 1);
    await log.put(marked("before the key", 0));
    await encrypt(log);
    await log.put(marked("under the key", 1));
    await stopEncrypting(log);
    await log.put(marked("after the key", 2));
    const found = async (): Promise<boolean[]> =>
      await Promise.all(
        ["before the key", "under the key", "after the key"].map((text) =>
          diskContains(storeOf(platform), text),
        ),
      );
    expect(await found()).toEqual([true, false, true]);
    const again = await reopened(platform);
    expect(await numbers(again)).toEqual([0, 1, 2]);
    // What was in memory when the encryption began is sealed under its key; what came after it is not.
    await again.log.checkpoint();
    expect(await found()).toEqual([false, false, true]);
    const last = await reopened(platform);
    expect(await numbers(last)).toEqual([0, 1, 2]);
    expect(last.log.losses).toEqual([]);
    await last.log.close();
  });

  it("of two keys are read with the key of each", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 2);
    const first = await encrypt(log);
    await log.put(someRecords(20));
    await log.log.checkpoint();
    const second = await encrypt(log);
    expect(second).toBeGreaterThan(first);
    await log.put(someRecords(20, 100, 20));
    const again = await reopened(platform);
    expect(await numbers(again)).toEqual(range(0, 40));
    expect(encryptionOf(again.log.control, again.stream().uid)?.dataKeyId).toBe(second);
    await again.log.close();
  });

  it("never share a segment with records of another key or of none", async () => {
    for (const restarts of [false, true]) {
      const platform = virtualPlatform();
      let log = await TestLog.open(platform);
      const goOn = async (): Promise<void> => {
        if (restarts) log = await TestLog.open(log.platform.restart());
      };
      await log.createStream("clicks", 1);
      const first = await encrypt(log);
      await log.put(someRecords(10));
      await encrypt(log);
      await goOn();
      await log.put(someRecords(10, 100, 10));
      await stopEncrypting(log);
      await goOn();
      await log.put(someRecords(10, 100, 20));
      await log.log.checkpoint();
      expect(await numbers(log)).toEqual(range(0, 30));
      const keys = await keysOf(log);
      await log.log.change(keys.destroying(keys.list().filter((key) => key.dataKeyId === first)));
      await keys.erase();
      log = await TestLog.open(log.platform.restart());
      expect(await numbers(log)).toEqual(range(10, 30));
      await shred(log);
      log = await TestLog.open(log.platform.restart());
      // What was never under a key is not shredded.
      expect(await numbers(log)).toEqual(range(20, 30));
      expect(log.log.losses).toEqual([]);
      await log.log.close();
    }
  });

  it("are all there when the frame with another key fails", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 1);
    await encrypt(log);
    await log.put(someRecords(10));
    let release = (): void => undefined;
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { faults } = platform.stores;
    faults.add({ kind: "abort", nth: 1, operations: ["appendFrame"], until });
    const before = faults.operations.length;
    const changing = encrypt(log).catch(() => undefined);
    await vi.waitFor(() => expect(faults.operations.length).toBeGreaterThan(before));
    // The open segment was closed in front of it.
    const put = log.put(someRecords(10, 100, 10)).catch(() => undefined);
    release();
    await Promise.all([changing, put]);
    await log.put(someRecords(10, 100, 20));
    await encrypt(log);
    await log.put(someRecords(10, 100, 30));
    const kept = await numbers(log);
    expect(kept).toEqual(expect.arrayContaining([...range(0, 10), ...range(20, 40)]));
    await log.log.checkpoint();
    const again = await reopened(platform);
    expect(await numbers(again)).toEqual(kept);
    expect(again.log.losses).toEqual([]);
    await again.log.close();
  });

  it("are forgotten with their stream", async () => {
    const log = await TestLog.open(virtualPlatform());
    const { uid } = await log.createStream("clicks", 1);
    const dataKeyId = await encrypt(log);
    await log.put(someRecords(10));
    const { uid: shardUid } = log.shard(0);
    expect(log.log.cipher.keyOfSegment(shardUid, 1)).toBe(dataKeyId);
    await log.log.change([{ kind: "stream-deleted", streamUid: uid }]);
    expect(log.log.cipher.keyOfSegment(shardUid, 1)).toBeUndefined();
    await log.log.close();
  });

  it("make no key while there are none", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream();
    await log.put(someRecords(10));
    await log.log.checkpoint();
    await log.log.close();
    expect(platform.vaults.has("test")).toBe(false);
    expect(platform.vaults.used.size).toBe(0);
  });

  it("never meet a vector twice, over many lives and failed commits", async () => {
    const machine = virtualPlatform();
    let log = await TestLog.open(machine);
    await log.createStream("clicks", 2);
    await encrypt(log);
    for (let life = 0; life < 8; life++) {
      machine.stores.faults.add({ kind: "abort", nth: 3, operations: ["appendFrame"] });
      machine.stores.faults.add({ kind: "abort", nth: 2, operations: ["addSegments"] });
      for (let i = 0; i < 6; i++) await log.put(someRecords(10, 500, i)).catch(() => undefined);
      await log.log.checkpoint().catch(() => undefined);
      log = await TestLog.open(log.platform.restart());
    }
    expect(machine.vaults.used.size).toBeGreaterThan(40);
    await log.log.close();
  });
});

describe("streams in one frame", () => {
  async function twoStreams(platform: VirtualPlatform): Promise<TestLog> {
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 1);
    await log.createStream("orders", 1);
    await log.createStream("plain", 1);
    await encrypt(log, "clicks");
    await encrypt(log, "orders");
    // What comes while a frame is being written shares the next one.
    await Promise.all([
      log.put(someRecords(10), "plain"),
      log.put(someRecords(10), "clicks"),
      log.put(someRecords(10), "orders"),
      log.put(someRecords(10, 100, 10), "plain"),
    ]);
    return log;
  }

  it("have keys of their own: shredding one leaves the others as they are", async () => {
    for (const checkpointed of [false, true]) {
      const platform = virtualPlatform();
      const log = await twoStreams(platform);
      const shared = (await encryptedFrames(platform)).map(
        ({ sections }) => sections.filter(({ type }) => type === SECTION_RECORDS).length,
      );
      expect(Math.max(...shared)).toBe(3);
      if (checkpointed) await log.log.checkpoint();
      await shred(log, "clicks");
      const again = await reopened(platform);
      expect(await numbers(again, "clicks")).toEqual([]);
      expect(await numbers(again, "orders")).toEqual(range(0, 10));
      expect(await numbers(again, "plain")).toEqual(range(0, 20));
      // It was done on purpose.
      expect(again.log.losses).toEqual([]);
      await again.log.close();
    }
  });

  it("are no hindrance to trimming once one of them was shredded", async () => {
    const platform = virtualPlatform();
    const log = await twoStreams(platform);
    await shred(log, "clicks");
    const again = await reopened(platform);
    await again.log.checkpoint();
    expect(await encryptedFrames(platform)).toEqual([]);
    await again.log.close();
    const last = await reopened(platform);
    expect(await numbers(last, "orders")).toEqual(range(0, 10));
    await last.log.close();
  });

  it("take a new key after shredding, and nothing of before comes back", async () => {
    const platform = virtualPlatform();
    const log = await twoStreams(platform);
    await shred(log, "clicks");
    const again = await reopened(platform);
    const before = again.log.core.position(again.shard(0).slot).nextIndex;
    expect(before).toBeGreaterThanOrEqual(10);
    await encrypt(again, "clicks");
    await again.put(someRecords(7, 100, 50), "clicks");
    expect(await numbers(again, "clicks")).toEqual(range(50, 57));
    await again.log.checkpoint();
    const last = await reopened(platform);
    expect(await numbers(last, "clicks")).toEqual(range(50, 57));
    expect(last.log.losses).toEqual([]);
    await last.log.close();
  });

  it("are a reported loss where the vault lost a key, and the others are not", async () => {
    for (const checkpointed of [false, true]) {
      const platform = virtualPlatform();
      const log = await twoStreams(platform);
      if (checkpointed) await log.log.checkpoint();
      const key = encryptionOf(log.log.control, log.stream("clicks").uid)?.dataKeyId ?? 0;
      platform.vaults.keys("test").delete(key);
      const again = await reopened(platform);
      expect(again.log.cipher.isReady(key)).toBe(false);
      expect(await numbers(again, "clicks")).toEqual([]);
      expect(await numbers(again, "orders")).toEqual(range(0, 10));
      expect(again.log.losses).toMatchObject([{ kind: "key", where: `data key ${key}` }]);
      if (!checkpointed) expect(again.log.losses[0]?.recordCount).toBe(10);
      await again.log.close();
    }
  });
});
