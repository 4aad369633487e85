/** Relaxed frames and the witness: what a power cut takes is told, and whoever is only killed lost nothing. */
import { describe, expect, it } from "vitest";
import { decodeTestimony, type Testimony } from "../../src/log/witness.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { someRecords } from "../support/engines.ts";
import { TestLog } from "../support/logs.ts";

async function testimonyOf(platform: VirtualPlatform): Promise<Testimony> {
  const testimony = decodeTestimony(await platform.witnesses.read("test"));
  if (testimony === undefined) throw new Error("there is no witness");
  return testimony;
}

describe("relaxed frames that no witness names", () => {
  /** A log with a relaxed stream, whose witness knows of nothing since. */
  async function relaxedLog(platform: VirtualPlatform): Promise<TestLog> {
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 1, { durability: "relaxed" });
    await platform.clock.advance(1000);
    return log;
  }

  function powerCut(platform: VirtualPlatform, changesKept = 0): number {
    platform.witnesses.powerCut();
    return platform.stores.disk("test").powerCut(changesKept);
  }

  it("are told to be lost after a power cut, however soon it came", async () => {
    const platform = virtualPlatform();
    const log = await relaxedLog(platform);
    await log.put(someRecords(3));
    expect(powerCut(platform)).toBe(1);
    const again = await TestLog.open(platform.restart());
    expect(again.log.losses).toMatchObject([
      {
        kind: "wal-frame",
        where: "WAL frames from 3 on",
        reason: expect.stringMatching(/may be gone/),
      },
    ]);
    expect(again.log.status().incarnation).toBe(log.log.status().incarnation);
    await platform.clock.advance(0);
    // The one before may have told nobody: it is told until a checkpoint.
    const third = await TestLog.open(platform.restart());
    expect(third.log.losses).toMatchObject([{ where: "WAL frames from 3 on" }]);
    await third.log.checkpoint();
    await third.log.close();
    const fourth = await TestLog.open(platform.restart());
    expect(fourth.log.losses).toEqual([]);
    await fourth.log.close();
  });

  it("are no loss when the unforced record is there and cannot be read", async () => {
    const platform = virtualPlatform();
    const log = await relaxedLog(platform);
    await log.put(someRecords(3));
    const { witnesses } = platform;
    const readUnforced = witnesses.readUnforced.bind(witnesses);
    witnesses.readUnforced = () => Promise.reject(new Error("somebody has it open"));
    const again = await TestLog.open(platform.restart());
    expect(again.log.losses).toEqual([]);
    witnesses.readUnforced = readUnforced;
    await again.log.close();
  });

  it("are told beside those that it names", async () => {
    const platform = virtualPlatform();
    const log = await relaxedLog(platform);
    await log.put(someRecords(3));
    await platform.clock.advance(100);
    await log.put(someRecords(3));
    expect(powerCut(platform)).toBe(2);
    const again = await TestLog.open(platform.restart());
    expect(again.log.losses).toMatchObject([
      { where: "WAL frame 3", reason: expect.stringMatching(/later ones may be gone/) },
    ]);
    await again.log.close();
  });

  it("are no loss when only the process was killed, at any moment of a writing", async () => {
    for (const step of ["before", "unforced", "forced"] as const) {
      const platform = virtualPlatform();
      const log = await relaxedLog(platform);
      await log.put(someRecords(3));
      await platform.clock.advance(500);
      const { witnesses } = platform;
      const write = witnesses.write.bind(witnesses);
      const unforced = witnesses.writeUnforced.bind(witnesses);
      const dead = new Promise<void>(() => undefined);
      if (step === "before") witnesses.writeUnforced = () => dead;
      if (step === "unforced") witnesses.write = () => dead;
      await log.put(someRecords(3));
      await platform.clock.advance(500);
      Object.assign(witnesses, { write, writeUnforced: unforced });
      const again = await TestLog.open(platform.restart());
      expect(again.log.losses, step).toEqual([]);
      expect((await again.readAll()).records).toHaveLength(6);
      await again.log.close();
    }
  });

  it("are no loss when a leader that was deposed writes late", async () => {
    const platform = virtualPlatform();
    const log = await relaxedLog(platform);
    const { witnesses } = platform;
    const writeUnforced = witnesses.writeUnforced.bind(witnesses);
    let late = async (): Promise<void> => undefined;
    witnesses.writeUnforced = async (...record) => {
      late = () => writeUnforced(...record);
      await writeUnforced(...record);
    };
    await log.put(someRecords(3));
    const deposed = late;
    const second = await TestLog.open(platform.restart());
    await second.put(someRecords(3));
    await deposed();
    const third = await TestLog.open(platform.restart());
    expect(third.log.losses).toEqual([]);
    await third.log.close();
  });

  it("are no loss after a close, nor when a later leader has led", async () => {
    const platform = virtualPlatform();
    const log = await relaxedLog(platform);
    await log.put(someRecords(3));
    const testimony = await platform.witnesses.read("test");
    await log.log.close();
    platform.witnesses.powerCut();
    const second = await TestLog.open(platform.restart());
    expect(second.log.losses).toEqual([]);
    await second.log.close();
    await platform.witnesses.write("test", testimony ?? new Uint8Array(0));
    const third = await TestLog.open(platform.restart());
    expect(third.log.losses).toEqual([]);
    await third.log.close();
  });

  it("are acknowledged once the witness says that they may come, which later ones do not wait for", async () => {
    const platform = virtualPlatform();
    const log = await relaxedLog(platform);
    const write = platform.witnesses.write.bind(platform.witnesses);
    platform.witnesses.write = async (name, bytes) => {
      await new Promise<void>((resolve) => {
        platform.clock.after(20, resolve);
      });
      await write(name, bytes);
    };
    let acknowledged = 0;
    const put = async (): Promise<void> => {
      await log.put(someRecords(1));
      acknowledged += 1;
    };
    const first = put();
    await platform.clock.advance(19);
    expect(acknowledged).toBe(0);
    await platform.clock.advance(1);
    await first;
    expect(await testimonyOf(platform)).toMatchObject({ relaxedSince: true });
    await put();
    await platform.clock.advance(9000);
    await put();
    expect(acknowledged).toBe(3);
    // Ten seconds without any, and the witness says that there are no more.
    await platform.clock.advance(21_000);
    expect((await testimonyOf(platform)).relaxedSince).toBeUndefined();
    const closed = log.log.close();
    await platform.clock.advance(100);
    await closed;
  });

  it("wait once a minute for a witness that cannot be written", async () => {
    const platform = virtualPlatform();
    const log = await relaxedLog(platform);
    let attempts = 0;
    platform.witnesses.writeUnforced = () => {
      attempts += 1;
      return new Promise((_resolve, reject) => {
        platform.clock.after(50, () => reject(new Error("no room")));
      });
    };
    const first = log.put(someRecords(1));
    await platform.clock.advance(50);
    await first;
    await log.put(someRecords(1));
    expect(attempts).toBe(1);
    await log.log.close();
  });
});
