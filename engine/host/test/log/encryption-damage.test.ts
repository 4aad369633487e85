/** Ciphertext that was changed, keys that are gone, and keys that nothing needs any more. */
import { SECTION_RECORDS } from "@millrace/core/layout";
import { describe, expect, it } from "vitest";
import { StreamKeys } from "../../src/keys/stream-keys.ts";
import type { DecodedFrame } from "../../src/log/wal-frame.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import {
  bound,
  encrypt,
  encryptedFrames,
  keysOf,
  numbers,
  range,
  reopened,
  rewrite,
  storeOf,
} from "../support/encrypted-logs.ts";
import { TestLog } from "../support/logs.ts";
import { someRecords } from "../support/records.ts";

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
