/** Records that are encrypted at rest: over recovery, beside others in one frame, damaged, moved, and without their key. */
import { SECTION_RECORDS } from "@millrace/core/layout";
import { describe, expect, it } from "vitest";
import { StreamKeys } from "../../src/keys/stream-keys.ts";
import { encryptionOf } from "../../src/log/data-keys.ts";
import { type DecodedFrame, decodeFrame, encodeFrame } from "../../src/log/wal-frame.ts";
import type { KeyVault } from "../../src/platform/platform.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { MemoryLogStore } from "../../src/storage/memory-store.ts";
import { newCore } from "../support/engines.ts";
import { TestLog } from "../support/logs.ts";
import { numberOf, someRecords } from "../support/records.ts";
import { diskContains, marked } from "../support/secrets.ts";

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);

function storeOf(platform: VirtualPlatform): MemoryLogStore {
  return new MemoryLogStore({ disk: platform.stores.disk("test") });
}

async function keysOf(log: TestLog): Promise<StreamKeys> {
  return new StreamKeys(log.log, await log.platform.vaults.open("test"));
}

/** Gives a stream a new data key; its number. */
async function encrypt(log: TestLog, name = "clicks"): Promise<number> {
  const keys = await keysOf(log);
  const dataKeyId = await keys.create();
  const { uid } = log.stream(name);
  const encryption = { masterKeyId: "a key", keyName: "alias/a", dataKeyId };
  await log.log.change(keys.starting(uid, encryption, log.platform.clock.nowMs()));
  return dataKeyId;
}

async function stopEncrypting(log: TestLog, name = "clicks"): Promise<void> {
  await log.log.change((await keysOf(log)).stopping(log.stream(name).uid));
}

async function shred(log: TestLog, name = "clicks"): Promise<void> {
  const keys = await keysOf(log);
  await log.log.change(keys.destroying(keys.ofStream(log.stream(name).uid)));
  await keys.erase();
}

async function numbers(log: TestLog, name = "clicks"): Promise<number[]> {
  const { records } = await log.readAll(name);
  return records.map(numberOf).sort((a, b) => a - b);
}

/** The calls of a vault, to be replaced one by one. */
function bound(vault: KeyVault): KeyVault {
  return {
    createKey: (dataKeyId) => vault.createKey(dataKeyId),
    keyIds: () => vault.keyIds(),
    cipher: (dataKeyId, salt, purpose) => vault.cipher(dataKeyId, salt, purpose),
    destroyKey: (dataKeyId) => vault.destroyKey(dataKeyId),
    close: () => vault.close(),
  };
}

/** Opens the log as the next leader would, checks what it reads, and that it takes records. */
async function reopened(platform: VirtualPlatform, options = {}): Promise<TestLog> {
  return await TestLog.open(platform.restart(), options);
}

async function framesOf(platform: VirtualPlatform): Promise<DecodedFrame[]> {
  const core = await newCore();
  const store = storeOf(platform);
  const frames: DecodedFrame[] = [];
  for (const frameNumber of await store.frameNumbers()) {
    const frame = decodeFrame(core, (await store.readFrame(frameNumber)) ?? new Uint8Array());
    if (!("damaged" in frame)) frames.push(frame);
  }
  return frames;
}

/** Frames with encrypted records, and how many of them. */
async function encryptedFrames(platform: VirtualPlatform): Promise<DecodedFrame[]> {
  return (await framesOf(platform)).filter(({ sections }) =>
    sections.some(({ type, keyId }) => type === SECTION_RECORDS && keyId !== 0),
  );
}

/** Puts other sections into a frame, with a hash that is right. */
async function rewrite(
  platform: VirtualPlatform,
  frame: DecodedFrame,
  change: (sections: DecodedFrame["sections"]) => DecodedFrame["sections"],
): Promise<void> {
  const sections = change(frame.sections).map(({ payload, ...section }) => ({
    ...section,
    pieces: [payload],
  }));
  const { bytes } = encodeFrame(await newCore(), frame, sections);
  platform.stores.disk("test").overwriteFrame(frame.frameNumber, bytes);
}

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

  it("keep to the key of their frame when the change to another one fails", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 1);
    await encrypt(log);
    await log.put(someRecords(10));
    platform.stores.faults.add({ kind: "abort", nth: 1, operations: ["appendFrame"] });
    const put = log.put(someRecords(10, 100, 10)).catch(() => undefined);
    await expect(encrypt(log)).rejects.toThrow();
    await put;
    await log.put(someRecords(10, 100, 20));
    await encrypt(log);
    await log.put(someRecords(10, 100, 30));
    await log.log.checkpoint();
    const again = await reopened(platform);
    expect(await numbers(again)).toEqual(expect.arrayContaining(range(20, 40)));
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

describe("ciphertext that is not what was written", () => {
  async function twoFrames(
    platform: VirtualPlatform,
  ): Promise<readonly [DecodedFrame, DecodedFrame]> {
    const log = await TestLog.open(platform);
    await log.createStream();
    await encrypt(log);
    await log.put(someRecords(10));
    await log.put(someRecords(10, 100, 10));
    await log.log.close();
    const [first, second] = await encryptedFrames(platform);
    if (first === undefined || second === undefined) throw new Error("frames are missing");
    return [first, second];
  }

  it("is a loss in the WAL, and what stands behind it is not", async () => {
    const platform = virtualPlatform();
    const [first] = await twoFrames(platform);
    await rewrite(platform, first, (sections) =>
      sections.map((section) => {
        if (section.keyId === 0) return section;
        const payload = section.payload.slice();
        payload[payload.byteLength - 20] = (payload[payload.byteLength - 20] ?? 0) ^ 1;
        return { ...section, payload };
      }),
    );
    const again = await reopened(platform);
    expect(await numbers(again)).toEqual(range(10, 20));
    const [loss, ...others] = again.log.losses;
    expect(others).toEqual([]);
    expect(loss).toMatchObject({ kind: "wal-frame", recordCount: 10 });
    await again.log.close();
  });

  it("is a loss when a whole section was moved to another frame", async () => {
    const platform = virtualPlatform();
    const [first, second] = await twoFrames(platform);
    const records = (frame: DecodedFrame) =>
      frame.sections.filter(({ type }) => type === SECTION_RECORDS);
    const others = (frame: DecodedFrame) =>
      frame.sections.filter(({ type }) => type !== SECTION_RECORDS);
    await rewrite(platform, first, () => [...records(second), ...others(first)]);
    await rewrite(platform, second, () => [...records(first), ...others(second)]);
    const again = await reopened(platform);
    expect(await numbers(again)).toEqual([]);
    // That the log is another than the one that was written is a loss by itself.
    const moved = again.log.losses.filter(({ kind }) => kind === "wal-frame");
    expect(moved.map(({ recordCount }) => recordCount)).toEqual([10, 10]);
    await again.log.close();
  });

  it("is a loss when a run header, the stream or the counter beside it was changed", async () => {
    const changes: ((section: DecodedFrame["sections"][number]) => typeof section)[] = [
      (section) => {
        const payload = section.payload.slice();
        // The ordinal of the first run.
        payload[16] = (payload[16] ?? 0) + 1;
        return { ...section, payload };
      },
      (section) => ({ ...section, streamUid: section.streamUid + 1 }),
      (section) => ({ ...section, counter: section.counter + 1 }),
    ];
    for (const change of changes) {
      const platform = virtualPlatform();
      const [first] = await twoFrames(platform);
      await rewrite(platform, first, (sections) =>
        sections.map((section) => (section.keyId === 0 ? section : change(section))),
      );
      const again = await reopened(platform);
      expect(await numbers(again)).toEqual(range(10, 20));
      expect(again.log.losses.map(({ kind }) => kind)).toEqual(["wal-frame"]);
      await again.log.close();
    }
  });

  it("is a hole where a segment was damaged, and reported", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream();
    await encrypt(log);
    await log.put(someRecords(10));
    await log.log.checkpoint();
    await log.put(someRecords(10, 100, 10));
    await log.log.close();
    const store = storeOf(platform);
    const [key] = await store.segmentKeys();
    if (key === undefined) throw new Error("no segment");
    const image = (await store.readSegment(key)) ?? new Uint8Array();
    image[300] = (image[300] ?? 0) ^ 1;
    platform.stores.disk("test").overwriteSegment(key, image);
    const again = await reopened(platform);
    expect(await numbers(again)).toEqual(range(10, 20));
    expect(again.log.losses).toMatchObject([{ kind: "segment" }]);
    await again.log.close();
  });
});

describe("retired keys", () => {
  it("leave the vault once retention dropped all that they encrypted, and not before", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 2);
    const first = await encrypt(log);
    await log.put(someRecords(20));
    const second = await encrypt(log);
    await log.put(someRecords(20, 100, 20));
    const keys = await keysOf(log);
    const sweep = async (): Promise<void> => {
      const erased = await keys.erase();
      await log.log.change(keys.sweeping(erased));
    };
    const states = (): (string | undefined)[] =>
      [first, second].map((id) => keys.list().find(({ dataKeyId }) => dataKeyId === id)?.state);
    await sweep();
    await sweep();
    expect(states()).toEqual(["retired", "active"]);
    await log.log.checkpoint();
    await sweep();
    expect(states()).toEqual(["retired", "active"]);
    expect([...platform.vaults.keys("test").keys()]).toEqual([first, second]);
    for (let hour = 0; hour < 26; hour++) platform.clock.advanceBy(3_600_000);
    await log.log.sweep();
    await log.put(someRecords(20, 100, 40));
    await log.log.checkpoint();
    await sweep();
    expect(states()).toEqual(["destroyed", "active"]);
    expect([...platform.vaults.keys("test").keys()]).toEqual([first, second]);
    // The vault does not have it any more, and nothing was encrypted with it that is left.
    await sweep();
    expect([...platform.vaults.keys("test").keys()]).toEqual([second]);
    expect(states()).toEqual([undefined, "active"]);
    expect(await numbers(log)).toEqual(range(40, 60));
    await log.log.close();
  });

  it("that were destroyed are asked of the vault once, and remembered while what they encrypted is there", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 1);
    const first = await encrypt(log);
    await log.put(someRecords(20));
    const vault = await platform.vaults.open("test");
    const asked: number[] = [];
    const destroyKey = async (dataKeyId: number): Promise<void> => {
      asked.push(dataKeyId);
      await vault.destroyKey(dataKeyId);
    };
    const keys = new StreamKeys(log.log, { ...bound(vault), destroyKey });
    await log.log.change(keys.destroying(keys.ofStream(log.stream().uid)));
    for (let i = 0; i < 3; i++) {
      const erased = await keys.erase();
      await log.log.change(keys.sweeping(erased));
    }
    expect(asked).toEqual([first]);
    // The next life looks whether they are there, and deletes nothing that is not.
    await new StreamKeys(log.log, { ...bound(vault), destroyKey }).erase();
    expect(asked).toEqual([first]);
    expect(keys.list()).toMatchObject([{ dataKeyId: first, state: "destroyed" }]);
    await log.log.close();
  });
});
